/* vnni_nhwc.c - convolution of codes on images with channels last. A row of the window is one piece of memory, so that output pixels are
 * the rows of a matrix product without anything being unfolded, 16 output channels are a vector, and codes go where the next layer reads
 * them. The bias makes up for raised inputs as in vnni_conv.c. */
#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "backends/cpu/requant16.h"
#include "backends/cpu/vnni.h"

enum { LANES = 16, PANELS = IB_TILE_PANELS };
static void (*below)(const ib_window *s, const ib_nhwc *x, int in_zero, const ib_qweights *w, const int32_t *bias, const void *packed, const ib_epilogue *r, const ib_nhwc *y);

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
/* A convolution. */
typedef struct product {
    const ib_multiplier *m;
    const ib_window *s;
    const ib_nhwc *x, *y;
    const ib_epilogue *r;
    const int32_t *packed;
    int64_t fold; /* pixels that are one */
    ib_walk k;
    int small; /* all factors (requant16.h) */
} product;

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* The first `count` of sixteen lanes; none, if count is not positive. */
static __mmask16 lanes(int64_t count)
{
    return count >= 16 ? 0xFFFF : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/* Few output channels leave lanes empty: then as many neighbouring pixels as there is room for are one with a wider window, whose outputs lie
 * side by side as those of the pixels do. */
static int64_t fold_of(const ib_window *s)
{
    int64_t fold = s->oc < LANES ? LANES / s->oc : 1;
    while (s->ow % fold)
        fold--;
    return fold;
}

/* A segment is a row of the window. */
static ib_walk walk_of(const ib_multiplier *m, const ib_window *s, int64_t jump)
{
    return (ib_walk){s->kh, up(((s->kw + (fold_of(s) - 1) * s->sw) * s->ic + 3) / 4, m->unit), jump};
}

static int64_t pack_panels(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed)
{
    const ib_walk k = walk_of(m, s, 0);
    const int64_t quads = k.segments * k.quads, step = (quads + 1) * LANES, bytes = up(s->oc, LANES) / LANES * step * 4;
    if (!packed)
        return bytes;
    memset(packed, 0, (size_t)bytes);
    for (int64_t o = 0; o < fold_of(s) * s->oc; o++) {
        int8_t *panel = (int8_t *)packed + o / LANES * step * 4 + o % LANES * 4;
        const int64_t pixel = o / s->oc, row = o % s->oc;
        int32_t sum = 0;
        for (int64_t c = 0; c < s->ic; c++)
            for (int ky = 0; ky < s->kh; ky++)
                for (int kx = 0; kx < s->kw; kx++) {
                    const int8_t v = w->codes[((row * s->ic + c) * s->kh + ky) * s->kw + kx];
                    const int64_t at = (kx + pixel * s->sw) * s->ic + c;
                    panel[(ky * k.quads + at / 4) * LANES * 4 + at % 4] = v;
                    sum += v;
                }
        const int32_t base = bias[row] - (128 + in_zero) * sum;
        memcpy(panel + quads * LANES * 4, &base, 4);
    }
    return bytes;
}

/* Four pixels' sixteen values before zero point and clamp to raised codes, a pixel in 128 bits; zero: + 128, in 16 bits. */
static inline __m512i raised4(__m512i a, __m512i b, __m512i c, __m512i d, __m512i zero, __m512i lo, __m512i hi)
{
    const __m512i ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero), cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero);
    const __m512i bytes = _mm512_max_epu8(lo, _mm512_min_epu8(hi, _mm512_packus_epi16(ab, cd)));
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), bytes);
}

/* What a panel's sums become codes by. */
typedef struct lane_scales {
    isobit_scale scale[LANES];
    __m512i mult, exp;
    __m512 factor;
    int64_t count;
} lane_scales;

static void load_lane_scales(const product *p, int64_t panel, lane_scales *to)
{
    const int64_t first = panel * LANES;
    *to = (lane_scales){.scale = {{0, -24}}, .count = least(LANES, p->fold * p->s->oc - first)};
    for (int64_t j = 0; j < to->count; j++)
        to->scale[j] = p->r->scale[(first + j) % p->s->oc];
    ib_load_scales(to->scale, &to->mult, &to->exp);
    to->factor = ib_factor16(to->mult, to->exp);
}

/* One panel's sums acc[rows][IB_TILE_LD] to raised codes. */
static void finish(const product *p, const lane_scales *l, int64_t rows, const int32_t *acc, uint8_t *y, int64_t ldy)
{
    const ib_epilogue *e = p->r;
    const __mmask16 live = lanes(l->count);
    const __m512i zero = _mm512_set1_epi16((int16_t)(e->zero + 128)), lo = _mm512_set1_epi8((char)(e->lo + 128)), hi = _mm512_set1_epi8((char)(e->hi + 128));
    for (int64_t r = 0; r < rows && !p->small; r++)
        for (int64_t j = 0; j < l->count; j++)
            y[r * ldy + j] = (uint8_t)(isobit_clamp(isobit_requant(acc[r * IB_TILE_LD + j], l->scale[j], e->profile), e->zero, e->lo, e->hi) + 128);
    for (int64_t r = 0; r < rows && p->small; r += 4, acc += 4 * IB_TILE_LD, y += 4 * ldy) { /* behind the last row is room */
        __m512i q[4];
        for (int64_t j = 0; j < 4; j++) {
            const __m512i a = _mm512_load_si512(acc + j * IB_TILE_LD);
            q[j] = e->profile == ISOBIT_FP32_RNE ? _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(a), l->factor)) : ib_requant16(a, l->mult, l->exp, e->profile);
        }
        const __m512i four = raised4(q[0], q[1], q[2], q[3], zero, lo, hi);
        _mm_mask_storeu_epi8(y, live, _mm512_castsi512_si128(four));
        if (r + 1 < rows)
            _mm_mask_storeu_epi8(y + ldy, live, _mm512_extracti32x4_epi32(four, 1));
        if (r + 2 < rows)
            _mm_mask_storeu_epi8(y + 2 * ldy, live, _mm512_extracti32x4_epi32(four, 2));
        if (r + 3 < rows)
            _mm_mask_storeu_epi8(y + 3 * ldy, live, _mm512_extracti32x4_epi32(four, 3));
    }
}

/* Rows of pixels first .. last - 1 of sample i, or all samples' only pixels as one row; in blocks of equal numbers of pixels, of which the last
 * of a row goes over again what the one before had. */
static void group_of(const product *p, int64_t panel, int64_t i, int64_t first, int64_t last)
{
    const ib_window *s = p->s;
    const int64_t panels = least(PANELS, (s->oc + LANES - 1) / LANES - panel), step = (p->k.segments * p->k.quads + 1) * LANES;
    const int flat = s->oh == 1 && s->ow == 1;
    const int64_t count = flat ? s->n : s->ow / p->fold, rows = ib_rows_at_once(p->m, panels, count), pieces = (count + rows - 1) / rows;
    const int64_t ldx = flat ? ib_nhwc_bytes(p->x) : p->fold * s->sw * p->x->c, ldy = flat ? ib_nhwc_bytes(p->y) : p->fold * p->y->c;
    lane_scales scales[PANELS];
    for (int64_t v = 0; v < panels; v++)
        load_lane_scales(p, panel + v, &scales[v]);
    p->m->begin(rows);
    for (int64_t t = first * pieces; t < last * pieces; t += p->m->blocks) {
        const int blocks = (int)least(p->m->blocks, last * pieces - t);
        const uint8_t *x[2];
        uint8_t *y[2];
        _Alignas(64) int32_t acc[2 * IB_TILE_ROWS * IB_TILE_LD];
        for (int j = 0; j < blocks; j++) {
            const int64_t oy = (t + j) / pieces, from = least((t + j) % pieces * rows, count - rows);
            x[j] = ib_nhwc_at(p->x, i, oy * s->sh - s->ph, -s->pw) + from * ldx;
            y[j] = ib_nhwc_at(p->y, i, oy, 0) + from * ldy + panel * LANES;
        }
        p->m->run(rows, panels, &p->k, x, blocks, ldx, p->packed + panel * step, step, acc);
        for (int j = 0; j < blocks; j++)
            for (int64_t v = 0; v < panels; v++)
                finish(p, &scales[v], rows, acc + j * IB_TILE_ROWS * IB_TILE_LD + v * LANES, y[j] + v * LANES, ldy);
    }
    p->m->end();
}

static void run(const product *p)
{
    const ib_window *s = p->s;
    const int64_t panels = (s->oc + LANES - 1) / LANES, groups = (panels + PANELS - 1) / PANELS, threads = omp_in_parallel() ? 1 : omp_get_max_threads();
    const int64_t products = s->n * s->oh * s->ow * s->oc * s->kh * s->kw * s->ic;
    const int flat = s->oh == 1 && s->ow == 1;
    const int64_t samples = flat ? 1 : s->n, parts = flat || s->n > 1 ? 1 : least(threads, s->oh), tasks = samples * parts * groups;
    if (threads == 1 || tasks == 1 || products <= p->m->worth) {
        for (int64_t i = 0; i < samples; i++)
            for (int64_t g = 0; g < groups; g++)
                group_of(p, g * PANELS, i, 0, s->oh);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < tasks; t++) {
        const int64_t part = t / groups % parts;
        group_of(p, t % groups * PANELS, t / groups / parts, s->oh * part / parts, s->oh * (part + 1) / parts);
    }
}

static int is_depthwise(const ib_window *s)
{
    return s->groups == s->ic && s->groups == s->oc && s->groups > 1;
}

int64_t ib_nhwc_pack_by(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed)
{
    if (w->group_size || (s->groups > 1 && !is_depthwise(s)))
        return 0;
    return is_depthwise(s) ? ib_vnni_depthwise_pack(s, in_zero, w, bias, packed) : pack_panels(m, s, in_zero, w, bias, packed);
}

void ib_nhwc_conv2d_by(const ib_multiplier *m, const ib_window *s, const ib_nhwc *x, const void *packed, const ib_epilogue *r, const ib_nhwc *y)
{
    if (is_depthwise(s))
        ib_vnni_depthwise(s, x, packed, r, y);
    else
        run(&(product){m, s, x, y, r, packed, fold_of(s), walk_of(m, s, ib_nhwc_line(x)), ib_scales_are_small(r->scale, s->oc, r->profile)});
}

/* ---- with vpdpbusd ---- */

static int64_t nhwc_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed)
{
    return ib_nhwc_pack_by(&ib_vnni_multiplier, s, in_zero, w, bias, packed);
}

static void nhwc_conv2d(const ib_window *s, const ib_nhwc *x, int in_zero, const ib_qweights *w, const int32_t *bias, const void *packed, const ib_epilogue *r, const ib_nhwc *y)
{
    if (packed)
        ib_nhwc_conv2d_by(&ib_vnni_multiplier, s, x, packed, r, y);
    else
        below(s, x, in_zero, w, bias, NULL, r, y);
}

void ib_vnni_nhwc_fill_table(ib_kernels *k)
{
    below = k->nhwc_conv2d;
    k->nhwc_pack = nhwc_pack;
    k->nhwc_conv2d = nhwc_conv2d;
    ib_vnni_nhwc_other_fill_table(k);
}
