/* avx2_tiles.h - inside backends/cpu: a run of rows times panels (panels.h) as tiles that registers hold. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_TILES_H
#define IB_BACKENDS_CPU_X86_AVX2_TILES_H

#include "backends/cpu/panels.h"

enum { IB_LANES = 16 };

/* out[rows][16] = bias + rows times a panel, in 2 rows registers */
typedef void ib_avx2_tile(int rows, const ib_tiles *t, const uint8_t *x, const int32_t *panel, int32_t *out);

/* `tile` is inlined, with `rows` a constant: about equal numbers, at most `most`, which is 6 or less. */
static inline __attribute__((always_inline)) void ib_run_tiles(ib_avx2_tile *tile, int64_t most, const ib_tiles *t,
                                                               const uint8_t *x)
{
    const int64_t pieces = (t->rows + most - 1) / most, each = (t->rows + pieces - 1) / pieces;
    for (int64_t v = 0; v < t->panels; v++)
        for (int64_t r = 0; r < t->rows; r += each) {
            const uint8_t *from = x + r * t->ldx;
            const int32_t *panel = t->w + v * t->step;
            int32_t *out = t->out + r * IB_TILE_LD + v * IB_LANES;
            switch (t->rows - r < each ? t->rows - r : each) {
            case 1: tile(1, t, from, panel, out); break;
            case 2: tile(2, t, from, panel, out); break;
            case 3: tile(3, t, from, panel, out); break;
            case 4: tile(4, t, from, panel, out); break;
            case 5: tile(5, t, from, panel, out); break;
            default: tile(6, t, from, panel, out);
            }
        }
}

#endif
