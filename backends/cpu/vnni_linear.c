/* vnni_linear.c - y = x W' of codes with vpdpbusd: inputs raised by 128 are broadcast four at a time, panels of 16 outputs are loaded.
 *   panel [ceil(k/4)][16][4] int8, then 16 biases that make up for the raise (vnni_conv.c) */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/requant16.h"
#include "backends/cpu/vnni.h"

enum { LANES = 16, ROWS = 6, PANELS = 4 };

static int64_t quads(int64_t k)
{
    return (k + 3) / 4;
}

int64_t ib_vnni_linear_words(int64_t k, int64_t out)
{
    return (out + LANES - 1) / LANES * LANES * (quads(k) + 1);
}

void ib_vnni_linear_pack(int64_t k, int64_t out, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed)
{
    const int64_t n = quads(k), step = (n + 1) * LANES, panels = (out + LANES - 1) / LANES;
#pragma omp parallel for schedule(static) if (k * out > 65536)
    for (int64_t b = 0; b < panels; b++) {
        int32_t *to = packed + b * step;
        for (int64_t l = 0; l < LANES; l++) {
            const int64_t o = b * LANES + l;
            int32_t sum = 0;
            if (o >= out) {
                for (int64_t i = 0; i <= n; i++)
                    to[i * LANES + l] = 0;
                continue;
            }
            const int8_t *row = w->codes + o * k;
            for (int64_t i = 0; i < k; i++)
                sum += row[i];
            for (int64_t i = 0; i < k / 4; i++)
                memcpy(to + i * LANES + l, row + 4 * i, 4);
            if (k % 4) {
                int8_t four[4] = {0};
                memcpy(four, row + k / 4 * 4, (size_t)(k % 4));
                memcpy(to + k / 4 * LANES + l, four, 4);
            }
            to[n * LANES + l] = bias[o] - (128 + in_zero) * sum;
        }
    }
}

int64_t ib_vnni_linear_room(int64_t rows, int64_t k)
{
    return rows * quads(k) + 16;
}

/* out[rows][PANELS 16] = rows x panels of accumulators; w: the first panel, `step` words between panels. One function for each number
 * of rows and panels, so that the accumulators stay in registers. */
typedef void tile(int64_t n, const uint8_t *x, int64_t ldx, const int32_t *w, int64_t step, int32_t *out);
#define TILE(rows, panels)                                                                                             \
    static __attribute__((noinline)) void tile_##rows##_##panels(int64_t n, const uint8_t *x, int64_t ldx, const int32_t *w, int64_t step, int32_t *out) \
    {                                                                                                                  \
        __m512i acc[rows][panels];                                                                                     \
        _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)                                                         \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
                acc[r][v] = _mm512_loadu_si512(w + v * step + n * LANES);                                              \
        for (int64_t i = 0; i < n; i++, w += LANES, x += 4) {                                                          \
            __m512i b[panels];                                                                                         \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
                b[v] = _mm512_loadu_si512(w + v * step);                                                               \
            _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)                                                     \
            {                                                                                                          \
                int32_t four;                                                                                          \
                memcpy(&four, x + r * ldx, 4);                                                                         \
                const __m512i a = _mm512_set1_epi32(four);                                                             \
                _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                               \
                    acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], a, b[v]);                                               \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)                                                         \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
                _mm512_storeu_si512(out + (r * PANELS + v) * LANES, acc[r][v]);                                        \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#define ROW(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3, tile_##rows##_4}
static tile *const tiles[ROWS][PANELS] = {ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6)};

static void finish(int64_t rows, int64_t panels, const int32_t *acc, int64_t row, int64_t o, int64_t out, int32_t *to, const ib_epilogue *e)
{
    for (int64_t v = 0; v < panels; v++) {
        const int64_t first = o + v * LANES, count = out - first < LANES ? out - first : LANES;
        const __mmask16 live = (__mmask16)((1u << count) - 1);
        __m512i mult, exp;
        if (e && count == LANES)
            ib_load_scales(e->scale + first, &mult, &exp);
        else if (e) {
            isobit_scale own[LANES] = {{0, -24}};
            memcpy(own, e->scale + first, (size_t)count * sizeof *own);
            ib_load_scales(own, &mult, &exp);
        }
        for (int64_t r = 0; r < rows; r++) {
            const int64_t at = (row + r) * out + first;
            const __m512i a = _mm512_loadu_si512(acc + (r * PANELS + v) * LANES);
            __mmask16 inside;
            if (e)
                _mm_mask_storeu_epi8(e->codes + at, live, ib_codes16(ib_requant16(a, mult, exp, e->profile), e->zero, e->lo, e->hi, &inside));
            else
                _mm512_mask_storeu_epi32(to + at, live, a);
        }
    }
}

void ib_vnni_linear_run(int64_t rows, int64_t k, int64_t out, const int8_t *x, const int32_t *packed, int32_t *to, const ib_epilogue *e, float *scratch)
{
    const int64_t n = quads(k), step = (n + 1) * LANES, panels = (out + LANES - 1) / LANES, groups = (panels + PANELS - 1) / PANELS;
    uint8_t *raised = (uint8_t *)scratch; /* [rows][4 n] */
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    for (int64_t i = 0; i < rows; i++) {
        int64_t j = 0;
        for (; j + 64 <= k; j += 64)
            _mm512_storeu_si512(raised + i * 4 * n + j, _mm512_xor_si512(_mm512_loadu_si512(x + i * k + j), flip));
        for (; j < k; j++)
            raised[i * 4 * n + j] = (uint8_t)x[i * k + j] ^ 0x80;
        for (; j < 4 * n; j++)
            raised[i * 4 * n + j] = 0; /* meets weights of 0 */
    }
#pragma omp parallel for schedule(static) if (rows * k * out > 131072 && groups > 1)
    for (int64_t g = 0; g < groups; g++) {
        const int32_t *w = packed + g * PANELS * step;
        const int64_t p = panels - g * PANELS < PANELS ? panels - g * PANELS : PANELS;
        for (int64_t i = 0; i < rows; i += ROWS) {
            int32_t acc[ROWS * PANELS * LANES];
            const int64_t r = rows - i < ROWS ? rows - i : ROWS;
            tiles[r - 1][p - 1](n, raised + i * 4 * n, 4 * n, w, step, acc);
            finish(r, p, acc, i, g * PANELS * LANES, out, to, e);
        }
    }
}
