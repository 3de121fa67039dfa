/* iq2_xs.c - 256 elements: half d, 32 words of a point of 512 and 7 signs, 8 bytes of scales of 4 bits, one for 16
 * elements, low nibbles first; x = d / 8 (2 scale + 1) (+-point). */
#include "tensor/storage/iq_grids.h"

GRID_FORMAT(iq2_xs)
{
    y->d = half_at(b) / 8;
    y->m = 0;
    for (int g = 0; g < 16; g++)
        y->scale[g] = (int8_t)(2 * (b[66 + g / 2] >> 4 * (g & 1) & 15) + 1);
    for (int l = 0; l < 32; l++) {
        const unsigned word = word_at(b + 2 + 2 * l);
        put_signed(ib_iq2_xs_grid[word & 511], 8, even_signs(word >> 9), y->code + 8 * l);
    }
}
