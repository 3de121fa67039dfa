/* iq1_m.c - 256 elements: 32 bytes that are the low bits of points of 2048, 16 bytes with 3 high bits and a sign for
 * each of two points, which moves its eight elements by 1 / 8, and four words of 16 bits: four scales of 3 bits, one
 * for 16 elements, and in their highest 4 bits a part of the half d, the lowest first;
 * x = d / 8 (2 scale + 1) (point +- 1). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq1_m)
{
    const uint8_t d[2] = {(uint8_t)(b[49] >> 4 | (b[51] & 0xf0)), (uint8_t)(b[53] >> 4 | (b[55] & 0xf0))};
    y->d = half_at(d) / 8;
    y->m = 0;
    for (int g = 0; g < 16; g++)
        y->scale[g] = (int8_t)(2 * (word_at(b + 48 + 2 * (g / 4)) >> 3 * (g & 3) & 7) + 1);
    for (int l = 0; l < 32; l++) {
        const int rest = b[32 + l / 2] >> 4 * (l & 1) & 15;
        const int8_t *point = ib_iq1_grid[b[l] | (rest & 7) << 8];
        for (int i = 0; i < 8; i++)
            y->code[8 * l + i] = (int8_t)(point[i] + (rest & 8 ? -1 : 1));
    }
}
