/* amx_bf16.c - products with frozen matrices (bf16_frozen.c) by tiles: sixteen rows of 32 numbers in bfloat16 by
 * sixteen columns an instruction, sums in fp32. Panels are those of bf16_panel.h. */
#include "backends/cpu/level.h"
#include "backends/cpu/peaks.h"
#include "backends/cpu/x86/amx_tiles.h"
#include "backends/cpu/x86/bf16_panel.h"

void ib_amx_bf16_replace(ib_kernels *k);

enum { ROWS = 16, PAIRS = 16, BLOCK = 2 * ROWS };

/* Tiles 0..3 += 32 rows of a times sixteen pairs of a panel. */
static inline void step(const bf16 *a, int64_t lda, const bf16 *panel)
{
    _tile_loadd(4, a, lda * 2);
    _tile_loadd(6, panel, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + 32, 128);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + ROWS * lda, lda * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/* c[32][32] = a[32][2 pairs] panel; what is left of the pairs is taken from copies with zeroes behind. */
static void multiply(const bf16 *a, int64_t lda, const bf16 *panel, int64_t pairs, const bf16 *panel_rest, float *c)
{
    const int64_t whole = pairs / PAIRS * PAIRS;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t p = 0; p < whole; p += PAIRS)
        step(a + 2 * p, lda, panel + p * 64);
    if (whole < pairs) {
        _Alignas(64) bf16 rest[BLOCK * 2 * PAIRS] = {0};
        for (int64_t i = 0; i < BLOCK; i++)
            memcpy(rest + i * 2 * PAIRS, a + i * lda + 2 * whole, (size_t)(pairs - whole) * 4);
        __asm__ volatile("" ::"r"(rest) : "memory");
        step(rest, 2 * PAIRS, panel_rest);
    }
    _tile_stored(0, c, NR * 4);
    _tile_stored(1, c + 16, NR * 4);
    _tile_stored(2, c + ROWS * NR, NR * 4);
    _tile_stored(3, c + ROWS * NR + 16, NR * 4);
}

/* All n rows against one panel; the last block goes over again what the one before had, but writes it once. */
static void by_panel(const bf16 *a, int64_t lda, int64_t n, const bf16 *panel, int64_t pairs, float *c, int64_t ldc,
                     int64_t cols, int add)
{
    _Alignas(64) bf16 rest[PAIRS * 64] = {0};
    _Alignas(64) float sums[BLOCK * NR];
    if (n < BLOCK) {
        rows_by_panel(a, lda, n, panel, pairs, c, ldc, cols, add);
        return;
    }
    const __mmask16 m0 = cols >= 16 ? 0xffff : (__mmask16)((1u << cols) - 1),
                    m1 = cols >= 32  ? 0xffff
                         : cols > 16 ? (__mmask16)((1u << (cols - 16)) - 1)
                                     : 0;
    memcpy(rest, panel + pairs / PAIRS * PAIRS * 64, (size_t)(pairs % PAIRS) * 128);
    ib_amx_configure(ROWS);
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t from = min64(i, n - BLOCK);
        multiply(a + from * lda, lda, panel, pairs, rest, sums);
        for (int64_t r = i - from; r < BLOCK; r++) {
            float *ci = c + (from + r) * ldc;
            __m512 s0 = _mm512_load_ps(sums + r * NR), s1 = _mm512_load_ps(sums + r * NR + 16);
            if (add) {
                s0 = _mm512_add_ps(s0, _mm512_maskz_loadu_ps(m0, ci));
                s1 = _mm512_add_ps(s1, _mm512_maskz_loadu_ps(m1, ci + 16));
            }
            _mm512_mask_storeu_ps(ci, m0, s0);
            _mm512_mask_storeu_ps(ci + 16, m1, s1);
        }
    }
    _tile_release();
}

static void frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    if (n < BLOCK)
        IB_BELOW(frozen_mul)(dev, w, n, x, add, y, scratch);
    else
        ib_bf16_frozen_mul(dev, by_panel, w, n, x, add, y, scratch);
}

static void frozen_mul_grad(ib_device *dev, const ib_matrix *w, int64_t n, const float *dy, float *dx, float *scratch)
{
    ib_bf16_frozen_mul_grad(dev, by_panel, w, n, dy, dx, scratch);
}

/* Four independent sums of 16 x 16 by 32 products. */
static void chains(int64_t rounds)
{
    ib_amx_configure(16);
    ib_amx_zero();
    for (int64_t i = 0; i < rounds; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 6);
        _tile_dpbf16ps(2, 4, 6);
        _tile_dpbf16ps(3, 4, 6);
    }
    _tile_release();
}

static double bf16_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 4 * 16 * 16 * 32);
}

void ib_amx_bf16_replace(ib_kernels *k)
{
    k->frozen_mul = frozen_mul;
    k->frozen_mul_grad = frozen_mul_grad;
    k->bf16_peak = bf16_peak;
}
