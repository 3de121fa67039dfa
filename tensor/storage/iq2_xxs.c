/* iq2_xxs.c - 256 elements in 8 groups: half d, and of each group 8 bytes: 4 points of 256, then 32 bits of 4 times 7
 * signs and a scale of 4 bits; x = d / 8 (2 scale + 1) (+-point). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq2_xxs)
{
    y->d = half_at(b) / 8;
    y->m = 0;
    for (int j = 0; j < 8; j++) {
        const uint8_t *at = b + 2 + 8 * j;
        const uint32_t rest = dword_at(at + 4);
        y->scale[2 * j] = y->scale[2 * j + 1] = (int8_t)(2 * (rest >> 28) + 1);
        for (int l = 0; l < 4; l++)
            put_signed(ib_iq2_xxs_grid[at[l]], 8, even_signs(rest >> 7 * l & 127), y->code + 32 * j + 8 * l);
    }
}
