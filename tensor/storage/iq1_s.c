/* iq1_s.c - 256 elements in 8 groups: half d, 32 bytes that are the low bits of points of 2048, and of each group 16
 * bits: 3 high bits for each of 4 points, a scale of 3 bits, and a sign, which moves all of the group by 1 / 8;
 * x = d / 8 (2 scale + 1) (point +- 1). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq1_s)
{
    y->d = half_at(b) / 8;
    y->m = 0;
    for (int j = 0; j < 8; j++) {
        const unsigned rest = word_at(b + 34 + 2 * j);
        y->scale[2 * j] = y->scale[2 * j + 1] = (int8_t)(2 * (rest >> 12 & 7) + 1);
        for (int l = 0; l < 4; l++) {
            const int8_t *point = ib_iq1_grid[b[2 + 4 * j + l] | (rest >> 3 * l & 7) << 8];
            for (int i = 0; i < 8; i++)
                y->code[32 * j + 8 * l + i] = (int8_t)(point[i] + (rest >> 15 ? -1 : 1));
        }
    }
}
