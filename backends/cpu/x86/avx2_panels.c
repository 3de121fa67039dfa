/* avx2_panels.c - rows of codes times panels of 16 outputs (panels.h) with AVX2: |x| as uint8 times w with x's sign.
 * Two products of at most 128 x 127 fit into the 16 bits of vpmaddubsw, so that nothing saturates; weights of -128,
 * which have no opposite, are left to the level below. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2.h"
#include "backends/cpu/x86/requant8.h"
#include "backends/formulas/windows.h"

enum { LANES = 16, MOST_ROWS = 12, TILE_ROWS = 3 };

/* out[ROWS][16 PANELS] = bias + rows times panels, in 2 ROWS PANELS registers; both are constants where it is
 * called. */
static inline __attribute__((always_inline)) void tile(const int ROWS, const int PANELS, const ib_tiles *t,
                                                       const uint8_t *x, const int32_t *panel, int32_t *out)
{
    const __m256i raised = _mm256_set1_epi8(-128), ones = _mm256_set1_epi16(1);
    const int64_t bias = t->k.segments * t->k.quads * LANES;
    __m256i acc[TILE_ROWS][4];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < 2 * PANELS; v++)
            acc[r][v] = _mm256_loadu_si256((const __m256i *)(panel + v / 2 * t->step + bias + v % 2 * 8));
    for (int64_t s = 0; s < t->k.segments; s++, x += t->k.jump)
        for (int64_t i = 0; i < t->k.quads; i++, panel += LANES)
            for (int r = 0; r < ROWS; r++) {
                int32_t four;
                memcpy(&four, x + r * t->ldx + 4 * i, sizeof four);
                const __m256i code = _mm256_xor_si256(_mm256_set1_epi32(four), raised), size = _mm256_abs_epi8(code);
                for (int v = 0; v < 2 * PANELS; v++) {
                    const __m256i w = _mm256_loadu_si256((const __m256i *)(panel + v / 2 * t->step + v % 2 * 8));
                    const __m256i two = _mm256_maddubs_epi16(size, _mm256_sign_epi8(w, code));
                    acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(two, ones));
                }
            }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < 2 * PANELS; v++)
            _mm256_storeu_si256((__m256i *)(out + r * IB_TILE_LD + 8 * v), acc[r][v]);
}

static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    (void)blocks;
    for (int64_t v = 0; v < t->panels; v += 2)
        for (int64_t r = 0; r < t->rows; r += TILE_ROWS) {
            const uint8_t *from = *x + r * t->ldx;
            const int32_t *panel = t->w + v * t->step;
            int32_t *out = t->out + r * IB_TILE_LD + v * LANES;
            switch (2 * ib_min64(TILE_ROWS, t->rows - r) + (t->panels - v > 1)) {
            case 2: tile(1, 1, t, from, panel, out); break;
            case 3: tile(1, 2, t, from, panel, out); break;
            case 4: tile(2, 1, t, from, panel, out); break;
            case 5: tile(2, 2, t, from, panel, out); break;
            case 6: tile(3, 1, t, from, panel, out); break;
            default: tile(3, 2, t, from, panel, out);
            }
        }
}

static int64_t rows_of(int64_t panels)
{
    (void)panels;
    return MOST_ROWS;
}
static void finish(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
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

const ib_multiplier ib_avx2_multiplier = {1, 0, 1, rows_of, NULL, NULL, run, finish};

int ib_avx2_panels_fit(const ib_window *s, const ib_qweights *w)
{
    return s->groups == 1 && !w->group_size && !memchr(w->codes, -128, (size_t)(s->oc * s->ic * s->kh * s->kw));
}

static int64_t nhwc_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                         void *packed)
{
    if (ib_is_depthwise_of_many(s) && !w->group_size)
        return ib_avx2_depthwise_nhwc_pack(s, in_zero, w, bias, packed);
    return ib_avx2_panels_fit(s, w) ? ib_panels_pack(&ib_avx2_multiplier, s, in_zero, w, bias, packed) : 0;
}

static void nhwc_conv2d(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    if (!p->packed)
        IB_BELOW(nhwc_conv2d)(dev, s, p, share);
    else if (ib_is_depthwise_of_many(s))
        ib_avx2_depthwise_nhwc(s, p, share);
    else
        ib_panels_conv2d(&ib_avx2_multiplier, s, p, NULL, share);
}

static int64_t qlinear_pack(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                            const int32_t *bias, void *packed)
{
    const ib_window s = ib_window_of_rows(1, k, out);
    return nhwc_pack(dev, &s, in_zero, w, bias, packed);
}

int ib_avx2_panels_linear(int64_t rows, int64_t k, int64_t out, const ib_qproduct *p, int *codes)
{
    const ib_window s = ib_window_of_rows(1, k, out);
    if (!p->packed && !ib_avx2_panels_fit(&s, p->w))
        return 0;
    *codes = ib_panels_linear(&ib_avx2_multiplier, rows, k, out, p);
    return 1;
}

void ib_avx2_panels_replace(ib_kernels *k)
{
    k->nhwc_pack = nhwc_pack;
    k->nhwc_conv2d = nhwc_conv2d;
    k->qlinear_pack = qlinear_pack;
}
