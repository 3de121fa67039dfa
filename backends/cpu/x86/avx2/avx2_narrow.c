/* avx2_narrow.c - rows times narrow weights (narrow.h), and these as panels. Of 4 bits a pair of products is at most
 * 2 x 255 x 15 and four fit 16 bits, of 2 bits sixteen do. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/avx2/avx2.h"

enum { LANES = 16, AHEAD = 40 };

/* sum[halves] += `steps` of the panels, whose pairs fit 16 bits */
static inline __attribute__((always_inline)) void add_steps(int bits, int halves, int steps, const uint8_t *x,
                                                            const int32_t *w, int64_t step, __m256i *sum)
{
    const int per = 8 / bits;
    const __m256i low = _mm256_set1_epi8((char)((1 << bits) - 1));
    __m256i pairs[4];
#pragma GCC unroll 4
    for (int i = 0; i < steps; i++)
#pragma GCC unroll 4
        for (int h = 0; h < halves; h++) {
            __m256i all = _mm256_loadu_si256((const __m256i *)(w + h / 2 * step + i * LANES + h % 2 * 8));
#pragma GCC unroll 4
            for (int j = 0; j < per; j++, all = _mm256_srli_epi16(all, bits)) {
                int32_t four;
                memcpy(&four, x + 4 * (i * per + j), sizeof four);
                const __m256i p = _mm256_maddubs_epi16(_mm256_set1_epi32(four), _mm256_and_si256(all, low));
                pairs[h] = i + j ? _mm256_add_epi16(pairs[h], p) : p;
                __asm__("" : "+x"(pairs[h])); /* else gcc 12 adds them up in trees, which registers do not hold */
            }
        }
    for (int h = 0; h < halves; h++)
        sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(pairs[h], _mm256_set1_epi16(1)));
}

static inline __attribute__((always_inline)) void tile(int bits, int panels, int64_t n, const uint8_t *x, int32_t less,
                                                       const int32_t *w, int32_t *out)
{
    const int per = 8 / bits, halves = 2 * panels, fit = bits == 4 ? 2 : 4;
    const int64_t step = (n + 1) * LANES;
    __m256i sum[4];
    for (int h = 0; h < halves; h++)
        sum[h] = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(w + h / 2 * step + n * LANES + h % 2 * 8)),
                                  _mm256_set1_epi32(less));
    int64_t i = 0;
    for (; i + fit <= n; i += fit) {
        for (int v = 0; v < panels; v++) /* of what is read once: the processor's own foresight stops at pages */
            for (int j = 0; j < fit; j++)
                _mm_prefetch((const char *)(w + v * step + (i + j + AHEAD) * LANES), _MM_HINT_T0);
        add_steps(bits, halves, fit, x + 4 * per * i, w + i * LANES, step, sum);
    }
    for (; i < n; i++)
        add_steps(bits, halves, 1, x + 4 * per * i, w + i * LANES, step, sum);
    for (int h = 0; h < halves; h++)
        _mm256_storeu_si256((__m256i *)(out + 8 * h), sum[h]);
}

void ib_avx2_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t less, const int32_t *w,
                        int32_t *out)
{
    const int64_t n = ib_narrow_quads(k, bits), step = (n + 1) * LANES;
    int64_t v = 0;
    for (; v + 2 <= panels; v += 2)
        if (bits == 4)
            tile(4, 2, n, x, less, w + v * step, out + v * LANES);
        else
            tile(2, 2, n, x, less, w + v * step, out + v * LANES);
    for (; v < panels; v++)
        if (bits == 4)
            tile(4, 1, n, x, less, w + v * step, out + v * LANES);
        else
            tile(2, 1, n, x, less, w + v * step, out + v * LANES);
}

void ib_avx2_narrow_unpack(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to)
{
    const int64_t n = ib_narrow_quads(k, bits), per = 8 / bits;
    const __m256i low = _mm256_set1_epi8((char)((1 << bits) - 1)), half = _mm256_set1_epi8((char)(1 << (bits - 1)));
    for (int64_t v = 0; v < panels; v++) {
        for (int64_t i = 0; i < n; i++, w += LANES) {
            __m256i first = _mm256_loadu_si256((const __m256i *)w),
                    second = _mm256_loadu_si256((const __m256i *)(w + 8));
            for (int64_t j = 0; j < per; j++, to += LANES) {
                _mm256_storeu_si256((__m256i *)to, _mm256_sub_epi8(_mm256_and_si256(first, low), half));
                _mm256_storeu_si256((__m256i *)(to + 8), _mm256_sub_epi8(_mm256_and_si256(second, low), half));
                first = _mm256_srli_epi16(first, bits);
                second = _mm256_srli_epi16(second, bits);
            }
        }
        memcpy(to, w, LANES * sizeof *to);
        w += LANES;
        to += LANES;
    }
}
