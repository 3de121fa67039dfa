/* iq2_s.c - 256 elements: half d, 32 bytes that are the low bits of points of 1024, 32 bytes of signs, 8 bytes with two
 * high bits for each of 4 points, 8 bytes of scales of 4 bits, one for 16 elements, low nibbles first;
 * x = d / 8 (2 scale + 1) (+-point). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq2_s)
{
    y->d = half_at(b) / 8;
    y->m = 0;
    for (int g = 0; g < 16; g++)
        y->scale[g] = (int8_t)(2 * (b[74 + g / 2] >> 4 * (g & 1) & 15) + 1);
    for (int l = 0; l < 32; l++) {
        const int high = b[66 + l / 4] >> 2 * (l & 3) & 3;
        put_signed(ib_iq2_s_grid[b[2 + l] | high << 8], 8, b[34 + l], y->code + 8 * l);
    }
}
