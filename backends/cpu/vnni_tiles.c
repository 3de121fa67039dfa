/* vnni_tiles.c - the inner loop of products with vpdpbusd: rows of raised codes, broadcast four at a time, by panels of 16 outputs. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/vnni.h"

enum { LANES = 16, MOST = 12 };
typedef void tile(const ib_walk *k, const uint8_t *x, int64_t ldx, const int32_t *w, int64_t step, int32_t *out);

/* One function for each number of rows and panels, so that the accumulators stay in registers: at most 24 of them. Rows are
 * addressed from every third one. */
#define TILE(rows, panels)                                                                                             \
    static __attribute__((noinline)) void tile_##rows##_##panels(const ib_walk *k, const uint8_t *x, int64_t ldx, const int32_t *w, int64_t step, int32_t *out) \
    {                                                                                                                  \
        __m512i acc[rows][panels];                                                                                     \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
                acc[r][v] = _mm512_loadu_si512(w + v * step + k->segments * k->quads * LANES);                         \
        for (int64_t s = 0; s < k->segments; s++, x += k->jump) {                                                      \
            const uint8_t *third[4] = {x, x + 3 * ldx, x + 6 * ldx, x + 9 * ldx};                                      \
            for (int64_t i = 0; i < k->quads; i++, w += LANES) {                                                       \
                __m512i b[panels];                                                                                     \
                _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                               \
                    b[v] = _mm512_loadu_si512(w + v * step);                                                           \
                _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                \
                {                                                                                                      \
                    int32_t four;                                                                                      \
                    memcpy(&four, third[r / 3] + r % 3 * ldx + 4 * i, 4);                                              \
                    const __m512i a = _mm512_set1_epi32(four);                                                         \
                    _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                           \
                        acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], a, b[v]);                                           \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
                _mm512_storeu_si512(out + r * IB_TILE_LD + v * LANES, acc[r][v]);                                        \
    }
#define FOUR(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
FOUR(1) FOUR(2) FOUR(3) FOUR(4) FOUR(5) FOUR(6)
#define THREE(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
THREE(7) THREE(8)
#define TWO(rows) TILE(rows, 1) TILE(rows, 2)
TWO(9) TWO(10) TWO(11) TWO(12)

#define ROW4(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3, tile_##rows##_4}
#define ROW3(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3}
#define ROW2(rows) {tile_##rows##_1, tile_##rows##_2}
static tile *const tiles[MOST][IB_TILE_PANELS] = {ROW4(1), ROW4(2), ROW4(3), ROW4(4), ROW4(5), ROW4(6), ROW3(7), ROW3(8), ROW2(9), ROW2(10), ROW2(11), ROW2(12)};

static int64_t rows_of(int64_t panels)
{
    return 24 / panels < MOST ? 24 / panels : MOST;
}

static void run(int64_t rows, int64_t panels, const ib_walk *k, const uint8_t *const *x, int blocks, int64_t ldx, const int32_t *w, int64_t step, int32_t *out)
{
    (void)blocks;
    tiles[rows - 1][panels - 1](k, *x, ldx, w, step, out);
}

static void begin(int64_t rows)
{
    (void)rows;
}
static void end(void)
{
}

const ib_multiplier ib_vnni_multiplier = {1, 1 << 20, 1, rows_of, begin, end, run};
