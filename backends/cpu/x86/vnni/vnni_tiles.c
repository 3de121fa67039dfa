/* vnni_tiles.c - the inner loop of products with vpdpbusd: rows of raised codes, broadcast four at a time, by panels
 * of 16 outputs. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/vnni/vnni.h"

enum { LANES = 16, MOST = 12 };
typedef void tile(const ib_walk *k, const uint8_t *x, int64_t ldx, const int32_t *w, int64_t step, int32_t *out);

/* One quad: the rows' codes by the panels, added to one way's sums. Rows are addressed from every third one. */
#define QUAD(rows, panels, way, i)                                                                                     \
    {                                                                                                                  \
        __m512i b[panels];                                                                                             \
        _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++) b[v] = _mm512_loadu_si512(w + v * step + (i)*LANES);  \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                        \
        {                                                                                                              \
            int32_t four;                                                                                              \
            memcpy(&four, third[r / 3] + r % 3 * ldx + 4 * (i), 4);                                                    \
            const __m512i a = _mm512_set1_epi32(four);                                                                 \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++) acc[way][r][v] =                                  \
                _mm512_dpbusd_epi32(acc[way][r][v], a, b[v]);                                                          \
        }                                                                                                              \
    }

/* One function for each number of rows and panels, so that the sums stay in registers: at most 24 of them. Where they
 * are too few to hide the instruction's latency, quads take turns in several `ways`. */
#define TILE(rows, panels, ways)                                                                                       \
    static __attribute__((noinline)) void tile_##rows##_##panels(const ib_walk *k, const uint8_t *x, int64_t ldx,      \
                                                                 const int32_t *w, int64_t step, int32_t *out)         \
    {                                                                                                                  \
        __m512i acc[ways][rows][panels];                                                                               \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
                _Pragma("GCC unroll 4") for (int j = 0; j < ways; j++) acc[j][r][v] =                                  \
                    j ? _mm512_setzero_si512() : _mm512_loadu_si512(w + v * step + k->segments * k->quads * LANES);    \
        for (int64_t s = 0; s < k->segments; s++, x += k->jump, w += k->quads * LANES) {                               \
            const uint8_t *third[4] = {x, x + 3 * ldx, x + 6 * ldx, x + 9 * ldx};                                      \
            int64_t i = 0;                                                                                             \
            for (; i + ways <= k->quads; i += ways)                                                                    \
                _Pragma("GCC unroll 4") for (int j = 0; j < ways; j++)                                                 \
                    QUAD(rows, panels, j, i + j) for (; ways > 1 && i < k->quads; i++) QUAD(rows, panels, 0, i)        \
        }                                                                                                              \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
        {                                                                                                              \
            __m512i sum = acc[0][r][v];                                                                                \
            _Pragma("GCC unroll 4") for (int j = 1; j < ways; j++) sum = _mm512_add_epi32(sum, acc[j][r][v]);          \
            _mm512_storeu_si512(out + r * IB_TILE_LD + v * LANES, sum);                                                \
        }                                                                                                              \
    }
TILE(1, 1, 4)
TILE(1, 2, 4)
TILE(1, 3, 4)
TILE(1, 4, 3)
TILE(2, 1, 4)
TILE(2, 2, 3)
TILE(2, 3, 2) TILE(2, 4, 2) TILE(3, 1, 4) TILE(3, 2, 2) TILE(3, 3, 2) TILE(3, 4, 1) TILE(4, 1, 3) TILE(4, 2, 2)
    TILE(4, 3, 1) TILE(4, 4, 1) TILE(5, 1, 2) TILE(5, 2, 1) TILE(5, 3, 1) TILE(5, 4, 1) TILE(6, 1, 2) TILE(6, 2, 1)
        TILE(6, 3, 1) TILE(6, 4, 1) TILE(7, 1, 2) TILE(7, 2, 1) TILE(7, 3, 1) TILE(8, 1, 2) TILE(8, 2, 1) TILE(8, 3, 1)
            TILE(9, 1, 2) TILE(9, 2, 1) TILE(10, 1, 2) TILE(10, 2, 1) TILE(11, 1, 2) TILE(11, 2, 1) TILE(12, 1, 2)
                TILE(12, 2, 1)

#define ROW4(rows)                                                                                                     \
    {                                                                                                                  \
        tile_##rows##_1, tile_##rows##_2, tile_##rows##_3, tile_##rows##_4                                             \
    }
#define ROW3(rows)                                                                                                     \
    {                                                                                                                  \
        tile_##rows##_1, tile_##rows##_2, tile_##rows##_3                                                              \
    }
#define ROW2(rows)                                                                                                     \
    {                                                                                                                  \
        tile_##rows##_1, tile_##rows##_2                                                                               \
    }
                    static tile *const tiles[MOST][IB_TILE_PANELS] = {ROW4(1), ROW4(2),  ROW4(3),  ROW4(4),
                                                                      ROW4(5), ROW4(6),  ROW3(7),  ROW3(8),
                                                                      ROW2(9), ROW2(10), ROW2(11), ROW2(12)};

static int64_t rows_of(int64_t panels)
{
    return 24 / panels < MOST ? 24 / panels : MOST;
}

static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    (void)blocks;
    tiles[t->rows - 1][t->panels - 1](&t->k, *x, t->ldx, t->w, t->step, t->out);
}

const ib_multiplier ib_vnni_multiplier = {
    .unit = 1, .raise = 128, .blocks = 1, .rows = rows_of, .run = run, .finish = ib_vnni_finish};
