/* iq3_xxs.c - 256 elements in 8 groups: half d, 64 bytes of points of 256, 4 elements each, and of each group 32 bits:
 * 4 times 7 signs and a scale of 4 bits; x = d / 4 (2 scale + 1) (+-point). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq3_xxs)
{
    y->d = half_at(b) / 4;
    y->m = 0;
    for (int j = 0; j < 8; j++) {
        const uint32_t rest = dword_at(b + 66 + 4 * j);
        y->scale[2 * j] = y->scale[2 * j + 1] = (int8_t)(2 * (rest >> 28) + 1);
        for (int l = 0; l < 8; l++)
            put_signed(ib_iq3_xxs_grid[b[2 + 8 * j + l]], 4, even_signs(rest >> 7 * (l / 2) & 127) >> 4 * (l & 1),
                       y->code + 32 * j + 4 * l);
    }
}
