/* iq_grids.h - inside the library: what the grids of iq1, iq2 and iq3 share. Their codes are not numbers but points: of
 * eight (iq3: four) magnitudes at a time an index of one of 256 to 2048 points, and signs apart. */
#ifndef IB_TENSOR_STORAGE_IQ_GRIDS_H
#define IB_TENSOR_STORAGE_IQ_GRIDS_H

#include "tensor/storage.h"
#include "tensor/storage/integers.h"

extern const int8_t ib_iq2_xxs_grid[256][8], ib_iq2_xs_grid[512][8], ib_iq2_s_grid[1024][8]; /* 8, 25, 43 */
extern const int8_t ib_iq3_xxs_grid[256][4];                                                 /* 4, 12, .. 52, 62 */
extern const int8_t ib_iq3_s_grid[512][4];                                                   /* 1, 3, .. 15 */
extern const int8_t ib_iq1_grid[2048][8];                                                    /* -8, 0, 8 */

/* The signs of eight values, of which seven bits are stored: their number is even. */
static inline unsigned even_signs(unsigned seven)
{
    return seven | (unsigned)__builtin_parity(seven) << 7;
}
static inline void put_signed(const int8_t *restrict point, int n, unsigned signs, int8_t *restrict code)
{
    for (int j = 0; j < n; j++)
        code[j] = (int8_t)(signs >> j & 1 ? -point[j] : point[j]);
}
static inline unsigned word_at(const uint8_t *b)
{
    return (unsigned)b[0] | (unsigned)b[1] << 8;
}
static inline uint32_t dword_at(const uint8_t *b)
{
    return word_at(b) | (uint32_t)word_at(b + 2) << 16;
}

/* Products of three factors, none of which is rounded. */
static inline void whole_values(const ib_integers *restrict v, float *restrict y)
{
    for (int g = 0; g < 16; g++) {
        const float step = v->d * (float)v->scale[g];
        for (int i = 16 * g; i < 16 * g + 16; i++)
            y[i] = step * (float)v->code[i];
    }
}

/* A format whose blocks are taken apart by what follows: ib_<name>_decode_<level> and ib_<name>_integers_<level>. */
#define GRID_FORMAT(name)                                                                                              \
    static inline void take_##name(const uint8_t *restrict b, ib_integers *restrict y);                                \
    DECODE(name)                                                                                                       \
    {                                                                                                                  \
        ib_integers v;                                                                                                 \
        take_##name(b, &v);                                                                                            \
        whole_values(&v, y);                                                                                           \
    }                                                                                                                  \
    IB_INTEGERS(name);                                                                                                 \
    IB_INTEGERS(name)                                                                                                  \
    {                                                                                                                  \
        take_##name(b, y);                                                                                             \
    }                                                                                                                  \
    static inline void take_##name(const uint8_t *restrict b, ib_integers *restrict y)

#endif
