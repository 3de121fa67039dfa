/* avxvnni.c - the level's table, and rows of codes times panels of 16 outputs (panels.h) with vpdpbusd of 32 bytes:
 * raised codes as uint8 times int8, whatever the weights, summed in 32 bits. Else as AVX2 has it. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_tiles.h"
#include "backends/cpu/x86/avxvnni/avxvnni.h"

enum { ROWS = 6, PANELS = IB_TILE_PANELS };

/* Twelve sums at most, two vectors of weights and a code are 15 registers. */
static inline __attribute__((always_inline)) void tile(int rows, int panels, const ib_tiles *t, const uint8_t *x,
                                                       const int32_t *panel, int32_t *out)
{
    const int64_t bias = t->k.segments * t->k.quads * IB_LANES;
    __m256i first[ROWS * PANELS], second[ROWS * PANELS];
    for (int j = 0; j < rows * panels; j++) {
        const int32_t *from = panel + j % panels * t->step + bias;
        first[j] = _mm256_loadu_si256((const __m256i *)from);
        second[j] = _mm256_loadu_si256((const __m256i *)(from + 8));
    }
    for (int64_t s = 0; s < t->k.segments; s++, x += t->k.jump)
        for (int64_t i = 0; i < t->k.quads; i++, panel += IB_LANES)
            for (int j = 0; j < rows * panels; j++) {
                const __m256i *w = (const __m256i *)(panel + j % panels * t->step);
                int32_t four;
                memcpy(&four, x + j / panels * t->ldx + 4 * i, sizeof four);
                first[j] = _mm256_dpbusd_epi32(first[j], _mm256_set1_epi32(four), _mm256_loadu_si256(w));
                second[j] = _mm256_dpbusd_epi32(second[j], _mm256_set1_epi32(four), _mm256_loadu_si256(w + 1));
            }
    for (int j = 0; j < rows * panels; j++) {
        int32_t *to = out + j / panels * IB_TILE_LD + j % panels * IB_LANES;
        _mm256_storeu_si256((__m256i *)to, first[j]);
        _mm256_storeu_si256((__m256i *)(to + 8), second[j]);
    }
}

static inline __attribute__((always_inline)) void of_a_panel(int rows, const ib_tiles *t, const uint8_t *x,
                                                             const int32_t *panel, int32_t *out)
{
    tile(rows, 1, t, x, panel, out);
}

/* Few rows by `most` panels at a time, else the sums are too few to hide the instruction's latency. */
static inline __attribute__((always_inline)) void few(int rows, int most, const ib_tiles *t, const uint8_t *x)
{
    int64_t v = 0;
    for (; v + most <= t->panels; v += most)
        tile(rows, most, t, x, t->w + v * t->step, t->out + v * IB_LANES);
    for (; v < t->panels; v++)
        tile(rows, 1, t, x, t->w + v * t->step, t->out + v * IB_LANES);
}

static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    const int64_t tiles = (t->rows + ROWS - 1) / ROWS;
    (void)blocks;
    switch (t->rows) {
    case 1: few(1, 4, t, *x); break;
    case 2: few(2, 2, t, *x); break;
    case 3: few(3, 2, t, *x); break;
    default: ib_run_tiles(of_a_panel, (t->rows + tiles - 1) / tiles, t, *x);
    }
}

static int64_t rows_of(int64_t panels)
{
    (void)panels;
    return IB_TILE_ROWS / ROWS * ROWS;
}

/* Fewer bits are bytes all the same: sums in 16 bits (avx2_panels4.c) would take two instructions for this one. */
static const ib_multiplier by = {
    .unit = 1, .raise = 128, .blocks = 1, .rows = rows_of, .run = run, .finish = ib_avx2_finish};
static const ib_narrow narrow = {&by, ib_avxvnni_narrow_row, ib_avx2_narrow_unpack};
static const ib_products products = {&by, &by, &narrow};
IB_PRODUCTS_BY(products)

void ib_avxvnni_replace(ib_kernels *k)
{
    put_products(k);
    ib_avxvnni_coded_replace(k);
    ib_avxvnni_peaks_replace(k);
}
