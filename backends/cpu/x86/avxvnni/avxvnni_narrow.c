/* avxvnni_narrow.c - rows times narrow weights (narrow.h). */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/avxvnni/avxvnni.h"

enum { LANES = 16 };

/* Eight sums, whose `per` ways hide the instruction's latency, the row's quads, weights and a mask are 15 registers. */
static inline __attribute__((always_inline)) void tile(int bits, int panels, int64_t n, const uint8_t *x, int32_t less,
                                                       const int32_t *w, int32_t *out)
{
    const int per = 8 / bits, halves = 2 * panels;
    const int64_t step = (n + 1) * LANES;
    const __m256i low = _mm256_set1_epi8((char)((1 << bits) - 1));
    __m256i acc[8];
    for (int a = 0; a < per * halves; a++) {
        const int32_t *bias = w + a % halves / 2 * step + n * LANES + a % 2 * 8;
        acc[a] = a < halves ? _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)bias), _mm256_set1_epi32(less))
                            : _mm256_setzero_si256();
    }
    for (int64_t i = 0; i < n; i++, w += LANES, x += 4 * per)
        for (int h = 0; h < halves; h++) {
            __m256i all = _mm256_loadu_si256((const __m256i *)(w + h / 2 * step + h % 2 * 8));
            for (int j = 0; j < per; j++, all = _mm256_srli_epi16(all, bits)) {
                int32_t four;
                memcpy(&four, x + 4 * j, sizeof four);
                acc[j * halves + h] =
                    _mm256_dpbusd_epi32(acc[j * halves + h], _mm256_set1_epi32(four), _mm256_and_si256(all, low));
            }
        }
    for (int h = 0; h < halves; h++) {
        for (int j = 0; j < per; j++) /* else gcc 12 adds them up within the loop too */
            __asm__("" : "+x"(acc[j * halves + h]));
        __m256i sum = acc[h];
        for (int j = 1; j < per; j++)
            sum = _mm256_add_epi32(sum, acc[j * halves + h]);
        _mm256_storeu_si256((__m256i *)(out + 8 * h), sum);
    }
}

void ib_avxvnni_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t less, const int32_t *w,
                           int32_t *out)
{
    const int64_t n = ib_narrow_quads(k, bits), step = (n + 1) * LANES;
    int64_t v = 0;
    for (; bits == 4 && v + 2 <= panels; v += 2)
        tile(4, 2, n, x, less, w + v * step, out + v * LANES);
    for (; v < panels; v++)
        if (bits == 4)
            tile(4, 1, n, x, less, w + v * step, out + v * LANES);
        else
            tile(2, 1, n, x, less, w + v * step, out + v * LANES);
}
