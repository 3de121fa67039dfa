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

/* A segment is a row of the window. */
static ib_walk walk_of(const ib_multiplier *m, const ib_window *s, int64_t jump)
{
    return (ib_walk){s->kh, up((s->kw * s->ic + 3) / 4, m->unit), jump};
}

static int64_t pack_panels(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed)
{
    const ib_walk k = walk_of(m, s, 0);
    const int64_t quads = k.segments * k.quads, step = (quads + 1) * LANES, bytes = up(s->oc, LANES) / LANES * step * 4;
    if (!packed)
        return bytes;
    memset(packed, 0, (size_t)bytes);
    for (int64_t o = 0; o < s->oc; o++) {
        int8_t *panel = (int8_t *)packed + o / LANES * step * 4 + o % LANES * 4;
        int32_t sum = 0;
        for (int64_t c = 0; c < s->ic; c++)
            for (int ky = 0; ky < s->kh; ky++)
                for (int kx = 0; kx < s->kw; kx++) {
                    const int8_t v = w->codes[((o * s->ic + c) * s->kh + ky) * s->kw + kx];
                    const int64_t at = kx * s->ic + c;
                    panel[(ky * k.quads + at / 4) * LANES * 4 + at % 4] = v;
                    sum += v;
                }
        const int32_t base = bias[o] - (128 + in_zero) * sum;
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

/* One panel's accumulators acc[rows][IB_TILE_LD] to raised codes. */
static inline void finish_panel(const ib_epilogue *e, int64_t rows, const int32_t *acc, __m512i mult, __m512i exp, __mmask16 live, uint8_t *y, int64_t ldy)
{
    const __m512i zero = _mm512_set1_epi16((int16_t)(e->zero + 128)), lo = _mm512_set1_epi8((char)(e->lo + 128)), hi = _mm512_set1_epi8((char)(e->hi + 128));
    const __m512 factor = ib_factor16(mult, exp);
    for (int64_t r = 0; r < rows; r += 4) {
        __m512i q[4];
        for (int64_t j = 0; j < 4; j++) {
            const __m512i a = _mm512_loadu_si512(acc + (r + j < rows ? r + j : r) * IB_TILE_LD);
            q[j] = e->profile == ISOBIT_FP32_RNE ? _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(a), factor)) : ib_requant16(a, mult, exp, e->profile);
        }
        const __m512i four = raised4(q[0], q[1], q[2], q[3], zero, lo, hi);
        const __m128i pixel[4] = {_mm512_castsi512_si128(four), _mm512_extracti32x4_epi32(four, 1), _mm512_extracti32x4_epi32(four, 2), _mm512_extracti32x4_epi32(four, 3)};
        for (int64_t j = 0; j < 4 && r + j < rows; j++)
            _mm_mask_storeu_epi8(y + (r + j) * ldy, live, pixel[j]);
    }
}

static void finish(const product *p, int64_t rows, const int32_t *acc, int64_t panel, int64_t panels, uint8_t *y, int64_t ldy)
{
    const ib_epilogue *e = p->r;
    for (int64_t v = 0; v < panels; v++, acc += LANES, y += LANES) {
        const int64_t first = (panel + v) * LANES, count = least(LANES, p->s->oc - first);
        isobit_scale own[LANES] = {{0, -24}};
        const isobit_scale *scale = e->scale + first;
        if (count < LANES)
            scale = memcpy(own, scale, (size_t)count * sizeof *own);
        if (p->small) {
            __m512i mult, exp;
            ib_load_scales(scale, &mult, &exp);
            finish_panel(e, rows, acc, mult, exp, lanes(count), y, ldy);
            continue;
        }
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < count; j++)
                y[r * ldy + j] = (uint8_t)(isobit_clamp(isobit_requant(acc[r * IB_TILE_LD + j], scale[j], e->profile), e->zero, e->lo, e->hi) + 128);
    }
}

/* `count` pixels from x on, ldx bytes apart, to y on, ldy bytes apart, and panels `panel` .. panel + panels - 1 */
static void block(const product *p, int64_t count, const uint8_t *x, int64_t ldx, int64_t panel, int64_t panels, uint8_t *y, int64_t ldy)
{
    const int64_t most = p->m->rows(panels), tiles = (count + most - 1) / most, rows = (count + tiles - 1) / tiles, step = (p->k.segments * p->k.quads + 1) * LANES;
    for (int64_t i = 0; i < count; i += rows) {
        const int64_t r = least(rows, count - i);
        int32_t acc[IB_TILE_ROWS * IB_TILE_LD];
        p->m->run(r, panels, &p->k, x + i * ldx, ldx, p->packed + panel * step, step, acc);
        finish(p, r, acc, panel, panels, y + i * ldy, ldy);
    }
}

/* Rows of pixels first .. last - 1 of sample i. */
static void rows_of(const product *p, int64_t i, int64_t first, int64_t last)
{
    const ib_window *s = p->s;
    const int64_t panels = (s->oc + LANES - 1) / LANES;
    for (int64_t v = 0; v < panels; v += PANELS)
        for (int64_t oy = first; oy < last; oy++)
            block(p, s->ow, ib_nhwc_at(p->x, i, oy * s->sh - s->ph, -s->pw), s->sw * p->x->c, v, least(PANELS, panels - v), ib_nhwc_at(p->y, i, oy, 0) + v * LANES, p->y->c);
}

static void run(const product *p)
{
    enum { WORTH = 1 << 20 }; /* products that a second thread is worth */
    const ib_window *s = p->s;
    const int64_t panels = (s->oc + LANES - 1) / LANES, threads = omp_in_parallel() ? 1 : omp_get_max_threads();
    const int64_t products = s->n * s->oh * s->ow * s->oc * s->kh * s->kw * s->ic;
    if (s->oh == 1 && s->ow == 1) { /* the samples are the rows */
#pragma omp parallel for schedule(static) if (threads > 1 && products > WORTH)
        for (int64_t v = 0; v < panels; v += PANELS)
            block(p, s->n, ib_nhwc_at(p->x, 0, -s->ph, -s->pw), ib_nhwc_bytes(p->x), v, least(PANELS, panels - v), ib_nhwc_at(p->y, 0, 0, 0) + v * LANES, ib_nhwc_bytes(p->y));
        return;
    }
    if (threads == 1 || products <= WORTH) {
        for (int64_t i = 0; i < s->n; i++)
            rows_of(p, i, 0, s->oh);
        return;
    }
    const int64_t parts = s->n == 1 ? least(threads, s->oh) : 1;
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < s->n * parts; t++)
        rows_of(p, t / parts, s->oh * (t % parts) / parts, s->oh * (t % parts + 1) / parts);
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
        run(&(product){m, s, x, y, r, packed, walk_of(m, s, ib_nhwc_line(x)), ib_scales_are_small(r->scale, s->oc, r->profile)});
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
