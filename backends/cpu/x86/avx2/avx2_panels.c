/* avx2_panels.c - rows of codes times panels of 16 outputs (panels.h) with AVX2: |x| as uint8 times w with x's sign.
 * Two products of at most 128 x 127 fit into the 16 bits of vpmaddubsw, so that nothing saturates; weights of -128,
 * which have no opposite, are left to the level below. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_tiles.h"
#include "backends/cpu/x86/requant8.h"
#include "backends/formulas/windows.h"

enum { ROWS = 5 };

/* Ten sums, two vectors of weights, a code, its size and a product are 15 registers. */
static inline __attribute__((always_inline)) void tile(int rows, const ib_tiles *t, const uint8_t *x,
                                                       const int32_t *panel, int32_t *out)
{
    const __m256i raised = _mm256_set1_epi8(-128), ones = _mm256_set1_epi16(1);
    const int64_t bias = t->k.segments * t->k.quads * IB_LANES;
    __m256i acc[ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            acc[r][v] = _mm256_loadu_si256((const __m256i *)(panel + bias + 8 * v));
    for (int64_t s = 0; s < t->k.segments; s++, x += t->k.jump)
        for (int64_t i = 0; i < t->k.quads; i++, panel += IB_LANES) {
            const __m256i w[2] = {_mm256_loadu_si256((const __m256i *)panel),
                                  _mm256_loadu_si256((const __m256i *)(panel + 8))};
            for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, x + r * t->ldx + 4 * i, sizeof four);
                const __m256i code = _mm256_xor_si256(_mm256_set1_epi32(four), raised), size = _mm256_abs_epi8(code);
                for (int v = 0; v < 2; v++) {
                    const __m256i two = _mm256_maddubs_epi16(size, _mm256_sign_epi8(w[v], code));
                    acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(two, ones));
                }
            }
        }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            _mm256_storeu_si256((__m256i *)(out + r * IB_TILE_LD + 8 * v), acc[r][v]);
}

static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    (void)blocks;
    ib_run_tiles(tile, ROWS, t, *x);
}

/* Whole tiles. */
static int64_t rows_of8(int64_t panels)
{
    (void)panels;
    return IB_TILE_ROWS / ROWS * ROWS;
}
static int64_t rows_of4(int64_t panels)
{
    (void)panels;
    return IB_TILE_ROWS / IB_AVX2_ROWS4 * IB_AVX2_ROWS4;
}

void ib_avx2_finish(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
                    uint8_t *y, int64_t ldy)
{
    const int zero = *e->zero, lo = *e->lo, hi = *e->hi;
    const ib_scales8 first = ib_load_scales8(scale, e->profile), second = ib_load_scales8(scale + 8, e->profile);
    for (int64_t r = 0; r < rows; r++, acc += IB_TILE_LD, y += ldy)
        ib_store16(y,
                   ib_raised16(ib_requant8(_mm256_loadu_si256((const __m256i *)acc), &first),
                               ib_requant8(_mm256_loadu_si256((const __m256i *)(acc + 8)), &second), zero, lo, hi),
                   count);
}

static const ib_multiplier by8 = {1, 0, 1, rows_of8, NULL, NULL, run, ib_avx2_finish},
                           by4 = {1, 128, 1, rows_of4, NULL, NULL, ib_avx2_run4, ib_avx2_finish};
static const ib_products products = {&by8, &by4, 0, NULL};

/* Of weights that were packed, which are not looked through again. */
static const ib_multiplier *of_packed(const ib_products *by, const ib_qweights *w)
{
    return w->bits && w->bits <= 4 ? by->by4 : by->by8;
}

const ib_multiplier *ib_avx2_multiplier(const ib_products *by, const ib_window *s, const ib_qweights *w)
{
    if (s->groups != 1 || w->group_size)
        return NULL;
    const ib_multiplier *m = of_packed(by, w);
    return m == by->by8 && !by->takes_least && memchr(w->codes, -128, (size_t)(s->oc * s->ic * s->kh * s->kw)) ? NULL
                                                                                                               : m;
}

int64_t ib_avx2_nhwc_pack(const ib_products *by, const ib_window *s, int in_zero, const ib_qweights *w,
                          const int32_t *bias, void *packed)
{
    if (ib_is_depthwise_of_many(s) && !w->group_size)
        return ib_avx2_depthwise_nhwc_pack(s, in_zero, w, bias, packed);
    const ib_multiplier *m = ib_avx2_multiplier(by, s, w);
    return m ? ib_panels_pack(m, s, in_zero, w, bias, packed) : 0;
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
