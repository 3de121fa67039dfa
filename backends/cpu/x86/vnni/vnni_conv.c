/* vnni_conv.c - convolution of codes with vpdpbusd, by taps (taps.h): four taps in a 32-bit lane, sixteen positions in
 * a vector.
 *
 * vpdpbusd multiplies unsigned by signed bytes, so inputs are raised by 128 and the bias makes up for it:
 *   sum w (x - zero) + bias  =  sum w (x + 128) + bias - (128 + zero) sum w
 * A quad is four channels of one tap or, for few channels, four taps in a row of one channel. */
#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "backends/cpu/x86/requant16.h"
#include "backends/cpu/taps.h"
#include "backends/cpu/x86/vnni/vnni.h"

enum { LANES = 16, MB = 8, NV = 3, STEP = LANES * NV, MAX_QUADS = 4096 };

/* How taps form quads. */
typedef struct quads {
    ib_taps t;
    int64_t k, n, planes; /* taps of an output channel; quads; planes of quads */
    int in_row;           /* four taps in a row, else four channels */
} quads;

static int64_t quads_in_row(const ib_window *s)
{
    int64_t n = 0;
    for (int b = 0; b < s->sw && b < s->kw; b++)
        n += ((s->kw - b + s->sw - 1) / s->sw + 3) / 4;
    return s->ic / s->groups * s->kh * n;
}

static quads quads_of(const ib_window *s)
{
    const int64_t icg = s->ic / s->groups, in_row = quads_in_row(s), of_channels = (icg + 3) / 4 * s->kh * s->kw;
    quads q = {ib_taps_of(s), icg * s->kh * s->kw, 0, 0, in_row < of_channels};
    q.n = q.in_row ? in_row : of_channels;
    q.planes = (q.in_row ? icg : (icg + 3) / 4) * s->sh * s->sw;
    return q;
}

/* Each quad's offset (in quads) and the weights that it takes: index[4 i + j] of an output channel's row, -1: none. */
static void list(const ib_window *s, const quads *q, int32_t *offset, int32_t *index)
{
    const int64_t icg = s->ic / s->groups;
    const int area = s->kh * s->kw;
    if (!q->in_row) {
        for (int64_t c = 0; c < icg; c += 4)
            for (int ky = 0; ky < s->kh; ky++)
                for (int kx = 0; kx < s->kw; kx++) {
                    *offset++ = (int32_t)(((c / 4 * s->sh + ky % s->sh) * s->sw + kx % s->sw) * q->t.plane +
                                          ky / s->sh * q->t.wide + kx / s->sw);
                    for (int64_t j = c; j < c + 4; j++)
                        *index++ = j < icg ? (int32_t)(j * area + ky * s->kw + kx) : -1;
                }
        return;
    }
    for (int64_t c = 0; c < icg; c++)
        for (int ky = 0; ky < s->kh; ky++)
            for (int b = 0; b < s->sw && b < s->kw; b++)
                for (int first = b; first < s->kw; first += 4 * s->sw) {
                    *offset++ = (int32_t)(((c * s->sh + ky % s->sh) * s->sw + b) * q->t.plane + ky / s->sh * q->t.wide +
                                          first / s->sw);
                    for (int j = 0; j < 4; j++)
                        *index++ =
                            first + j * s->sw < s->kw ? (int32_t)(c * area + ky * s->kw + first + j * s->sw) : -1;
                }
}

/* Bits of lanes from .. to - 1, of lanes that begin at `first`. */
static inline __mmask64 lanes(int64_t from, int64_t to, int64_t first)
{
    const int64_t a = from - first, b = to - first;
    const uint64_t below_b = b >= 64  ? ~(uint64_t)0
                             : b <= 0 ? 0
                                      : ((uint64_t)1 << b) - 1,
                   below_a = a >= 64  ? ~(uint64_t)0
                             : a <= 0 ? 0
                                      : ((uint64_t)1 << a) - 1;
    return below_b & ~below_a;
}

/* One plane of bytes (raised by 128, borders `border`) of channel c and phase (a,b). Lanes that are masked out are not
 * read; whole vectors are written, and what is too much is overwritten by the next row (behind the last is slack). */
static void spread(const ib_window *s, const ib_taps *t, const int8_t *x, int a, int b, uint8_t border, uint8_t *to)
{
    const int64_t from = s->pw > b ? (s->pw - b + s->sw - 1) / s->sw : 0, end = (s->iw - 1 + s->pw - b) / s->sw + 1;
    const int64_t most = s->iw + s->pw - b <= 0 ? 0 : end < t->wide ? end : t->wide;
    const __m512i flip = _mm512_set1_epi8((char)0x80), edge = _mm512_set1_epi8((char)border),
                  flipped = _mm512_xor_si512(edge, flip);
    /* rows top .. bottom - 1 lie within the image */
    const int64_t top = s->ph > a ? (s->ph - a + s->sh - 1) / s->sh : 0,
                  rows = s->ih + s->ph - a <= 0 ? 0 : (s->ih - 1 + s->ph - a) / s->sh + 1;
    const int64_t bottom = rows < t->rows ? rows : t->rows, wide = t->wide, step = s->sh * s->iw;
    const int8_t *row = x + (top * s->sh + a - s->ph) * s->iw + b - s->pw;
    memset(to, border, (size_t)((top < t->rows ? top : t->rows) * wide));
    if (s->sw == 1 && wide <= 64) {
        const __mmask64 live = lanes(from, most, 0);
        for (int64_t r = top; r < bottom; r++, row += step)
            _mm512_storeu_si512(to + r * wide, _mm512_xor_si512(flip, _mm512_mask_loadu_epi8(flipped, live, row)));
    } else if (s->sw == 2 && wide <= 32) { /* the even bytes */
        const __mmask32 live = (__mmask32)lanes(from, most, 0);
        const __mmask64 even = _pdep_u64(live, 0x5555555555555555u);
        for (int64_t r = top; r < bottom; r++, row += step) {
            const __m256i v = _mm512_cvtepi16_epi8(_mm512_maskz_loadu_epi8(even, row));
            _mm256_storeu_si256((__m256i *)(void *)(to + r * wide),
                                _mm256_mask_mov_epi8(_mm512_castsi512_si256(edge), live,
                                                     _mm256_xor_si256(v, _mm512_castsi512_si256(flip))));
        }
    } else {
        for (int64_t r = top; r < bottom; r++, row += step)
            for (int64_t k = 0; k < wide; k++)
                to[r * wide + k] = k >= from && k < most ? (uint8_t)row[k * s->sw] ^ 0x80 : border;
    }
    const int64_t rest = bottom > top ? bottom : top;
    if (rest < t->rows)
        memset(to + rest * wide, border, (size_t)((t->rows - rest) * wide));
}

/* out[p] = {a[p], b[p], c[p], d[p]} */
static void interleave(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, int64_t n, uint8_t *out)
{
    for (int64_t p = 0; p < n; p += 16) {
        const __m128i va = _mm_loadu_si128((const __m128i *)(a + p)), vb = _mm_loadu_si128((const __m128i *)(b + p));
        const __m128i vc = _mm_loadu_si128((const __m128i *)(c + p)), vd = _mm_loadu_si128((const __m128i *)(d + p));
        const __m128i ab0 = _mm_unpacklo_epi8(va, vb), ab1 = _mm_unpackhi_epi8(va, vb), cd0 = _mm_unpacklo_epi8(vc, vd),
                      cd1 = _mm_unpackhi_epi8(vc, vd);
        __m128i *to = (__m128i *)(out + 4 * p);
        _mm_storeu_si128(to, _mm_unpacklo_epi16(ab0, cd0));
        _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(ab0, cd0));
        _mm_storeu_si128(to + 2, _mm_unpacklo_epi16(ab1, cd1));
        _mm_storeu_si128(to + 3, _mm_unpackhi_epi16(ab1, cd1));
    }
}

/* All planes of quads of one sample's group; `bytes` [4][plane + slack] is work space. */
static void gather(const ib_window *s, const quads *q, const int8_t *x, uint8_t border, uint8_t *bytes, uint8_t *src)
{
    const int64_t icg = s->ic / s->groups, room = q->t.plane + IB_TAP_SLACK;
    for (int64_t c = 0; c < icg; c += q->in_row ? 1 : 4)
        for (int a = 0; a < s->sh; a++)
            for (int b = 0; b < s->sw; b++, src += 4 * q->t.plane) {
                if (q->in_row) {
                    spread(s, &q->t, x + c * s->ih * s->iw, a, b, border, bytes);
                    interleave(bytes, bytes + 1, bytes + 2, bytes + 3, q->t.plane, src);
                    continue;
                }
                for (int64_t j = 0; j < 4 && c + j < icg; j++)
                    spread(s, &q->t, x + (c + j) * s->ih * s->iw, a, b, border, bytes + j * room);
                interleave(bytes, bytes + room, bytes + 2 * room, bytes + 3 * room, q->t.plane, src);
            }
}

/* out[m][p] = bias[m] + sum over quads of dot(src[offset + p], weights[quad][m]); a function of its own, so that the
 * accumulators stay in registers */
static __attribute__((noinline)) void block(const uint8_t *src, const int32_t *offset, int64_t n, const int32_t *w,
                                            const int32_t *bias, int32_t *out, int64_t ld)
{
    __m512i acc[MB][NV];
#pragma GCC unroll 8
    for (int m = 0; m < MB; m++)
#pragma GCC unroll 3
        for (int v = 0; v < NV; v++)
            acc[m][v] = _mm512_set1_epi32(bias[m]);
    for (int64_t i = 0; i < n; i++, w += MB) {
        const uint8_t *x = src + 4 * (int64_t)offset[i];
        const __m512i x0 = _mm512_loadu_si512(x), x1 = _mm512_loadu_si512(x + 64), x2 = _mm512_loadu_si512(x + 128);
#pragma GCC unroll 8
        for (int m = 0; m < MB; m++) {
            const __m512i wm = _mm512_set1_epi32(w[m]);
            acc[m][0] = _mm512_dpbusd_epi32(acc[m][0], x0, wm);
            acc[m][1] = _mm512_dpbusd_epi32(acc[m][1], x1, wm);
            acc[m][2] = _mm512_dpbusd_epi32(acc[m][2], x2, wm);
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < MB; m++)
#pragma GCC unroll 3
        for (int v = 0; v < NV; v++)
            _mm512_storeu_si512(out + m * ld + v * LANES, acc[m][v]);
}

/* The same for one output channel, as depthwise convolutions have it: twice as many positions at a time. */
static __attribute__((noinline)) void block_of_one(const uint8_t *src, const int32_t *offset, int64_t n,
                                                   const int32_t *w, int32_t bias, int32_t *out)
{
    __m512i acc[2 * NV];
#pragma GCC unroll 6
    for (int v = 0; v < 2 * NV; v++)
        acc[v] = _mm512_set1_epi32(bias);
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *x = src + 4 * (int64_t)offset[i];
        const __m512i wm = _mm512_set1_epi32(w[i]);
#pragma GCC unroll 6
        for (int v = 0; v < 2 * NV; v++)
            acc[v] = _mm512_dpbusd_epi32(acc[v], _mm512_loadu_si512(x + 64 * v), wm);
    }
#pragma GCC unroll 6
    for (int v = 0; v < 2 * NV; v++)
        _mm512_storeu_si512(out + v * LANES, acc[v]);
}

/* rows x step accumulators to codes; the constants of a row are made once */
static void to_codes(const int32_t *tile, int64_t rows, int64_t step, const isobit_scale *scale, const ib_epilogue *e,
                     int8_t *out, int64_t ld)
{
    const __m512i zero = _mm512_set1_epi32(*e->zero), least = _mm512_set1_epi32(*e->lo - *e->zero),
                  most = _mm512_set1_epi32(*e->hi - *e->zero);
    const int profile = e->profile;
    for (int64_t m = 0; m < rows; m++) {
        const __m512i mult = _mm512_set1_epi32(scale[m].mult), exp = _mm512_set1_epi32(scale[m].exp);
        const union {
            uint32_t u;
            float f;
        } power = {(uint32_t)(scale[m].exp + 23 + 127) << 23};
        /* exact: 24 bits times a power */
        const __m512 factor =
            _mm512_set1_ps((float)scale[m].mult * 0x1p-23f * (profile == ISOBIT_FP32_RNE ? power.f : 1.0f));
        for (int64_t v = 0; v < step; v += LANES) {
            const __m512i acc = _mm512_loadu_si512(tile + m * step + v);
            const __m512i x = profile == ISOBIT_FP32_RNE
                                  ? _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(acc), factor))
                                  : ib_requant16(acc, mult, exp, profile);
            _mm_storeu_si128(
                (__m128i *)(void *)(out + m * ld + v),
                _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_max_epi32(least, _mm512_min_epi32(most, x)), zero)));
        }
    }
}

/* Output channels of a panel, and positions at a time. */
static int64_t panel_rows(const ib_window *s)
{
    return s->oc == s->groups ? 1 : MB;
}
static int64_t step_of(const ib_window *s)
{
    return s->oc == s->groups ? 2 * STEP : STEP;
}

int ib_vnni_conv_fits(const ib_window *s, const ib_qweights *w)
{
    const int64_t n = s->ic / s->groups * s->kh * s->kw;
    return !w->group_size && n <= MAX_QUADS;
}

int64_t ib_vnni_packed_words(const ib_window *s)
{
    const quads q = quads_of(s);
    return s->groups * (s->oc / s->groups) * (q.n + 1) + s->groups * MB * (q.n + 1);
}

/* Panels of MB output channels (or one): [quads][MB] int32 of four weights, then MB biases; by groups. */
void ib_vnni_conv_pack(const ib_window *s, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed)
{
    const quads q = quads_of(s);
    const int64_t ocg = s->oc / s->groups, mb = panel_rows(s);
    int32_t offset[MAX_QUADS], index[4 * MAX_QUADS];
    list(s, &q, offset, index);
    for (int64_t g = 0; g < s->groups; g++)
        for (int64_t m0 = 0; m0 < ocg; m0 += mb, packed += (q.n + 1) * mb)
            for (int64_t m = 0; m < mb; m++) {
                const int8_t *row = w->codes + (g * ocg + m0 + m) * q.k;
                int32_t sum = 0;
                const int valid = m0 + m < ocg;
                for (int64_t i = 0; i < q.n; i++) {
                    int8_t four[4] = {0};
                    for (int j = 0; valid && j < 4; j++)
                        if (index[4 * i + j] >= 0)
                            sum += four[j] = row[index[4 * i + j]];
                    memcpy(packed + i * mb + m, four, 4);
                }
                packed[q.n * mb + m] = valid ? ib_raised_bias(bias[g * ocg + m0 + m], 128 + in_zero, sum) : 0;
            }
}

static int64_t room_words(const quads *q)
{
    const int64_t step = (q->t.positions + 2 * STEP - 1) / STEP * STEP;
    return q->planes * q->t.plane + IB_TAP_SLACK + 4 * (q->t.plane + IB_TAP_SLACK) / 4 + 64 + MB * step + 32;
}

int64_t ib_vnni_conv_room(const ib_window *s)
{
    const quads q = quads_of(s);
    return room_words(&q);
}

/* What the panels of one sample need. */
typedef struct sample {
    const ib_window *s;
    const quads *q;
    const int32_t *packed, *offset;
    int32_t *acc;
    const ib_epilogue *r;
    int64_t i, g;
} sample;

/* One panel of output channels over all positions; out: work space [rows][positions rounded up]. */
static void run_panel(const sample *a, int64_t b, const uint8_t *src, int32_t *out)
{
    const ib_window *s = a->s;
    const quads *q = a->q;
    const ib_epilogue *r = a->r;
    const int64_t ocg = s->oc / s->groups, mb = panel_rows(s), step = step_of(s), pixels = s->oh * s->ow,
                  panels = (ocg + mb - 1) / mb;
    const int64_t ld = (q->t.positions + step - 1) / step * step, rows = ocg - b * mb < mb ? ocg - b * mb : mb,
                  first = a->g * ocg + b * mb;
    const int32_t *w = a->packed + (a->g * panels + b) * (q->n + 1) * mb;
    for (int64_t p = 0; p < q->t.positions; p += step) {
        int32_t tile[MB * STEP];
        if (mb == 1)
            block_of_one(src + 4 * p, a->offset, q->n, w, w[q->n], r ? tile : out + p);
        else
            block(src + 4 * p, a->offset, q->n, w, w + q->n * MB, r ? tile : out + p, r ? STEP : ld);
        if (r)
            to_codes(tile, rows, step, r->scale + first, r, (int8_t *)out + p, ld);
    }
    for (int64_t m = 0; m < rows; m++)
        for (int64_t y = 0; y < s->oh; y++) {
            const int64_t to = (a->i * s->oc + first + m) * pixels + y * s->ow, from = m * ld + y * q->t.wide;
            if (!r)
                memcpy(a->acc + to, out + from, (size_t)s->ow * sizeof *out);
            /* the next row overwrites what is too much */
            else if (s->ow <= 64 && to + 64 <= (a->i * s->oc + first + rows) * pixels)
                _mm512_storeu_si512(r->codes + to, _mm512_loadu_si512((int8_t *)out + from));
            else
                memcpy(r->codes + to, (int8_t *)out + from, (size_t)s->ow);
        }
}

/* Codes, if r is given, else accumulators. Threads share out the samples, or a single sample's panels. */
void ib_vnni_conv_run(const ib_window *s, const ib_qproduct *p)
{
    enum { WORTH = 1 << 20 }; /* products of one sample that a second thread is worth */
    const int8_t *x = p->x;
    const uint8_t border = (uint8_t)(ib_zero_of(p->in_zero) + 128);
    float *scratch = p->scratch;
    const quads q = quads_of(s);
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, mb = panel_rows(s), panels = (ocg + mb - 1) / mb,
                  each = room_words(&q);
    const int64_t planes = 4 * (q.planes * q.t.plane + IB_TAP_SLACK), bytes = 4 * (q.t.plane + IB_TAP_SLACK),
                  before = (planes + bytes + 63) / 64 * 64 + 64;
    const int shared =
        s->n == 1 && panels > 1 && omp_get_max_threads() > 1 && !omp_in_parallel() && q.k * ocg * q.t.positions > WORTH;
    int32_t offset[MAX_QUADS], index[4 * MAX_QUADS];
    list(s, &q, offset, index);
    if (shared) { /* a region of its own: one within another would make its threads anew each time */
        sample a = {s, &q, p->packed, offset, p->acc, p->r, 0, 0};
        uint8_t *src = (uint8_t *)scratch;
        for (a.g = 0; a.g < s->groups; a.g++) {
            gather(s, &q, x + a.g * icg * s->ih * s->iw, border, src + planes, src);
#pragma omp parallel for schedule(static)
            for (int64_t b = 0; b < panels; b++)
                run_panel(&a, b, src, (int32_t *)(void *)((uint8_t *)(scratch + omp_get_thread_num() * each) + before));
        }
        return;
    }
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        uint8_t *room = (uint8_t *)(scratch + (s->n > 1 ? omp_get_thread_num() : 0) * each);
        sample a = {s, &q, p->packed, offset, p->acc, p->r, i, 0};
        for (a.g = 0; a.g < s->groups; a.g++) {
            gather(s, &q, x + (i * s->ic + a.g * icg) * s->ih * s->iw, border, room + planes, room);
            for (int64_t b = 0; b < panels; b++)
                run_panel(&a, b, room, (int32_t *)(void *)(room + before));
        }
    }
}
