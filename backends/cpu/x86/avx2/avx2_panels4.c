/* avx2_panels4.c - rows of codes times panels of 16 outputs (panels.h) with AVX2, weights of at most 4 bits: as uint8
 * times int8, summed in 16 bits. A pair of products is at most 2 x 255 x 8, and eight of those fit, so that vpmaddwd
 * and a sum in 32 bits come once for eight products of a lane instead of one. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_tiles.h"

enum { FIT = 8, ROWS = IB_AVX2_ROWS4 };

/* sum[rows][16] += what is in 16 bits, which is 0 then */
static inline __attribute__((always_inline)) void flush(int rows, __m256i two[ROWS][2], int32_t *sum)
{
    const __m256i ones = _mm256_set1_epi16(1);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++) {
            __m256i *at = (__m256i *)(sum + r * IB_TILE_LD + 8 * v);
            _mm256_storeu_si256(at, _mm256_add_epi32(_mm256_loadu_si256(at), _mm256_madd_epi16(two[r][v], ones)));
            two[r][v] = _mm256_setzero_si256();
        }
}

/* Twelve sums, two vectors of weights, a code and a product are the 16 registers. */
static inline __attribute__((always_inline)) void tile(int rows, const ib_tiles *t, const uint8_t *x,
                                                       const int32_t *panel, int32_t *out)
{
    const int64_t bias = t->k.segments * t->k.quads * IB_LANES;
    __m256i two[ROWS][2];
    int64_t room = FIT;
    for (int r = 0; r < rows; r++) {
        memcpy(out + r * IB_TILE_LD, panel + bias, IB_LANES * sizeof *out);
        two[r][0] = two[r][1] = _mm256_setzero_si256();
    }
    for (int64_t s = 0; s < t->k.segments; s++, x += t->k.jump)
        for (int64_t i = 0; i < t->k.quads;) {
            const int64_t end = t->k.quads - i < room ? t->k.quads : i + room;
            room -= end - i;
            for (; i < end; i++, panel += IB_LANES) {
                const __m256i first = _mm256_loadu_si256((const __m256i *)panel),
                              second = _mm256_loadu_si256((const __m256i *)(panel + 8));
                for (int r = 0; r < rows; r++) {
                    int32_t four;
                    memcpy(&four, x + r * t->ldx + 4 * i, sizeof four);
                    const __m256i code = _mm256_set1_epi32(four);
                    two[r][0] = _mm256_add_epi16(two[r][0], _mm256_maddubs_epi16(code, first));
                    two[r][1] = _mm256_add_epi16(two[r][1], _mm256_maddubs_epi16(code, second));
                }
            }
            if (!room) {
                flush(rows, two, out);
                room = FIT;
            }
        }
    if (room < FIT)
        flush(rows, two, out);
}

void ib_avx2_run4(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    (void)blocks;
    ib_run_tiles(tile, ROWS, t, *x);
}
