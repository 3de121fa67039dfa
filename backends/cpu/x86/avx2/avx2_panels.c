/* avx2_panels.c - rows of codes times panels of 16 outputs (panels.h) with AVX2: both as int16, so that vpmaddwd adds
 * two exact products and nothing saturates. Weights are widened when they are packed, codes for some rows at a time. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_tiles.h"
#include "backends/cpu/x86/requant8.h"
#include "backends/formulas/windows.h"

enum { ROWS = 6, MOST_ROWS = 12 };
/* Codes of some rows in int16, which stay in the first cache; quads of each at a time where rows lie apart. */
enum { ROOM = 6144, CHUNK = ROOM / MOST_ROWS / 4 };

/* out[rows][16] += codes by a panel; ldx and jump in bytes. Twelve sums, two vectors of weights, a pair of codes and a
 * product are 16 registers: each product is added before the next one is made. */
static inline __attribute__((always_inline)) void tile(int rows, const ib_tiles *t, const uint8_t *x,
                                                       const int32_t *panel, int32_t *out)
{
    __m256i acc[ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            acc[r][v] = _mm256_loadu_si256((const __m256i *)(out + r * IB_TILE_LD + 8 * v));
    for (int64_t s = 0; s < t->k.segments; s++, x += t->k.jump) {
        const uint8_t *third[2] = {x, x + 3 * t->ldx};
        for (int64_t i = 0; i < 2 * t->k.quads; i++, panel += IB_LANES) {
            const __m256i first = _mm256_loadu_si256((const __m256i *)panel),
                          second = _mm256_loadu_si256((const __m256i *)(panel + 8));
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++) {
                int32_t two;
                memcpy(&two, third[r / 3] + r % 3 * t->ldx + 4 * i, sizeof two);
                __m256i code = _mm256_set1_epi32(two), p = _mm256_madd_epi16(first, code);
                __asm__("" : "+x"(p));
                acc[r][0] = _mm256_add_epi32(acc[r][0], p);
                __asm__("" : "+x"(acc[r][0]));
                code = _mm256_madd_epi16(second, code);
                __asm__("" : "+x"(code));
                acc[r][1] = _mm256_add_epi32(acc[r][1], code);
                __asm__("" : "+x"(acc[r][1]));
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            _mm256_storeu_si256((__m256i *)(out + r * IB_TILE_LD + 8 * v), acc[r][v]);
}

/* n raised codes as they are, in int16; up to 16 more are read and written. */
static inline void widen(const uint8_t *x, int64_t n, int16_t *codes)
{
    const __m128i raised = _mm_set1_epi8(-128);
    for (int64_t b = 0; b < n; b += 16)
        _mm256_storeu_si256((__m256i *)(codes + b),
                            _mm256_cvtepi8_epi16(_mm_xor_si128(_mm_loadu_si128((const __m128i *)(x + b)), raised)));
}

/* Quads from .. from + n of a row, one behind the other. */
static void widen_row(const ib_walk *k, const uint8_t *x, int64_t from, int64_t n, int16_t *codes)
{
    for (int64_t s = from / k->quads, i = from % k->quads, take; n > 0; s++, i = 0, n -= take, codes += 4 * take) {
        take = n < k->quads - i ? n : k->quads - i;
        widen(x + s * k->jump + 4 * i, 4 * take, codes);
    }
}

/* Rows that overlap or touch are widened together, as many segments at a time as there is room for. */
static int64_t widen_segments(const ib_tiles *t, const uint8_t *x, int64_t from, int16_t *codes, ib_tiles *part)
{
    const int64_t piece = (t->rows - 1) * t->ldx + 4 * t->k.quads, line = (piece + 15) / 16 * 16;
    int64_t n = t->ldx <= 4 * t->k.quads ? ROOM / line : 0;
    n = n < t->k.segments - from ? n : t->k.segments - from;
    for (int64_t s = 0; s < n; s++)
        widen(x + (from + s) * t->k.jump, piece, codes + s * line);
    part->k = (ib_walk){n, t->k.quads, 2 * line};
    part->ldx = 2 * t->ldx;
    return n;
}

static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    (void)blocks;
    const int64_t quads = t->k.segments * t->k.quads;
    _Alignas(32) int16_t codes[ROOM + 16];
    ib_tiles part = *t;
    for (int64_t v = 0; v < t->panels; v++)
        for (int64_t r = 0; r < t->rows; r++)
            memcpy(t->out + r * IB_TILE_LD + v * IB_LANES, t->w + v * t->step + quads * 2 * IB_LANES, IB_LANES * 4);
    for (int64_t from = 0, n; from < quads; from += n) {
        n = from % t->k.quads ? 0 : widen_segments(t, *x, from / t->k.quads, codes, &part) * t->k.quads;
        if (!n) {
            n = quads - from < CHUNK ? quads - from : CHUNK;
            part.k = (ib_walk){1, n, 0};
            part.ldx = 8 * CHUNK;
            for (int64_t r = 0; r < t->rows; r++)
                widen_row(&t->k, *x + r * t->ldx, from, n, codes + r * 4 * CHUNK);
        }
        part.w = t->w + from * 2 * IB_LANES;
        ib_run_tiles(tile, ROWS, &part, (const uint8_t *)codes);
    }
}

/* Whole tiles. */
static int64_t rows_of8(int64_t panels)
{
    (void)panels;
    return MOST_ROWS;
}
static int64_t rows_of4(int64_t panels)
{
    (void)panels;
    return IB_TILE_ROWS / IB_AVX2_ROWS4 * IB_AVX2_ROWS4;
}

/* Inlined with a profile that is a constant. Where a row begins behind the one before, it comes over what that stored
 * too much. */
static inline __attribute__((always_inline)) void finish(const ib_epilogue *e, int profile, const isobit_scale *scale,
                                                         int64_t count, int64_t rows, const int32_t *acc, uint8_t *y,
                                                         int64_t ldy)
{
    const int zero = *e->zero, lo = *e->lo, hi = *e->hi;
    const ib_scales8 first = ib_load_scales8(scale, profile), second = ib_load_scales8(scale + 8, profile);
    for (int64_t r = 0; r < rows; r++, acc += IB_TILE_LD, y += ldy)
        ib_store16(y,
                   ib_raised16(ib_requant8(_mm256_loadu_si256((const __m256i *)acc), &first),
                               ib_requant8(_mm256_loadu_si256((const __m256i *)(acc + 8)), &second), zero, lo, hi),
                   count == ldy ? (rows - r) * ldy : count);
}

void ib_avx2_finish(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
                    uint8_t *y, int64_t ldy)
{
    if (e->profile == ISOBIT_FP32_RNE)
        finish(e, ISOBIT_FP32_RNE, scale, count, rows, acc, y, ldy);
    else if (e->profile == ISOBIT_TFLITE_SINGLE)
        finish(e, ISOBIT_TFLITE_SINGLE, scale, count, rows, acc, y, ldy);
    else
        finish(e, e->profile, scale, count, rows, acc, y, ldy);
}

static const ib_multiplier
    by8 = {.unit = 1, .blocks = 1, .rows = rows_of8, .run = run, .finish = ib_avx2_finish, .wide = 1},
    by4 = {.unit = 1, .raise = 128, .blocks = 1, .rows = rows_of4, .run = ib_avx2_run4, .finish = ib_avx2_finish};
static const ib_narrow narrow = {&by4, ib_avx2_narrow_row, ib_avx2_narrow_unpack};
static const ib_products products = {&by8, &by4, &narrow};

/* Of weights that were packed, which are not looked through again. */
static const ib_multiplier *of_packed(const ib_products *by, const ib_qweights *w)
{
    return w->bits && w->bits <= 4 ? by->by4 : by->by8;
}

const ib_multiplier *ib_avx2_multiplier(const ib_products *by, const ib_window *s, const ib_qweights *w)
{
    if (s->groups != 1 || w->group_size)
        return NULL;
    return of_packed(by, w);
}

int64_t ib_avx2_nhwc_pack(const ib_products *by, const ib_window *s, int in_zero, const ib_qweights *w,
                          const int32_t *bias, void *packed)
{
    if (ib_is_depthwise_of_many(s) && !w->group_size)
        return ib_avx2_depthwise_nhwc_pack(s, in_zero, w, bias, packed);
    const ib_multiplier *m = ib_avx2_multiplier(by, s, w);
    return m ? ib_panels_pack(m, s, in_zero, w, bias, packed, (ib_share){0, 1}) : 0;
}

void ib_avx2_nhwc_conv2d(const ib_products *by, ib_device *dev, const ib_window *s, const ib_nhwc_product *p,
                         ib_share share)
{
    if (!p->packed)
        IB_BELOW(nhwc_conv2d)(dev, s, p, share);
    else if (ib_is_depthwise_of_many(s))
        ib_avx2_depthwise_nhwc(s, p, share);
    else
        ib_panels_conv2d(of_packed(by, p->w), s, p, NULL, share);
}

/* Of packed linear layers. */
static int narrow_bits(const ib_products *by, int64_t k, int64_t out, const ib_qweights *w)
{
    return by->narrow && !w->group_size ? ib_narrow_bits(k, out, w) : 8;
}

int64_t ib_avx2_qlinear_pack(const ib_products *by, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                             const int32_t *bias, void *packed)
{
    const ib_window s = ib_window_of_rows(1, k, out);
    const int bits = narrow_bits(by, k, out, w);
    if (bits == 8)
        return ib_avx2_nhwc_pack(by, &s, in_zero, w, bias, packed);
    if (packed)
        ib_narrow_pack(k, out, w, bits, in_zero, bias, packed);
    return 4 * ib_narrow_words(k, out, bits);
}

int ib_avx2_panels_linear(const ib_products *by, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p, int *codes)
{
    const ib_window s = ib_window_of_rows(1, k, out);
    const ib_multiplier *m = p->packed ? of_packed(by, p->w) : ib_avx2_multiplier(by, &s, p->w);
    const int bits = p->packed ? narrow_bits(by, k, out, p->w) : 8;
    if (bits < 8)
        *codes = ib_narrow_linear(by->narrow, bits, rows, k, out, p);
    else if (m)
        *codes = ib_panels_linear(m, rows, k, out, p);
    return m != NULL;
}

IB_PRODUCTS_BY(products)

void ib_avx2_panels_replace(ib_kernels *k)
{
    put_products(k);
}
