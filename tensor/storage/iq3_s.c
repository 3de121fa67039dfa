/* iq3_s.c - 256 elements in 8 groups: half d, 64 bytes that are the low bits of points of 512, 4 elements each, 8 bytes
 * of their high bits, 32 bytes of signs, 4 bytes of scales of 4 bits, low nibbles first;
 * x = d (2 scale + 1) (+-point). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq3_s)
{
    y->d = half_at(b);
    y->m = 0;
    for (int j = 0; j < 8; j++)
        y->scale[2 * j] = y->scale[2 * j + 1] = (int8_t)(2 * (b[106 + j / 2] >> 4 * (j & 1) & 15) + 1);
    for (int l = 0; l < 64; l++)
        put_signed(ib_iq3_s_grid[b[2 + l] | (b[66 + l / 8] >> (l & 7) & 1) << 8], 4, b[74 + l / 2] >> 4 * (l & 1),
                   y->code + 4 * l);
}
