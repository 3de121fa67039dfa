/* integers.h - inside the library: what a block of a frozen matrix is in whole numbers. */
#ifndef IB_TENSOR_STORAGE_INTEGERS_H
#define IB_TENSOR_STORAGE_INTEGERS_H

#include <stdint.h>

/* element i = d scale[i / 16] code[i] + m min[i / 16], of blocks of 64 d wide[i]; d is to be times the scale that lies
 * apart, where the format has those. */
typedef struct ib_integers {
    float d, m; /* m 0: it has no minima, and min[] may hold anything */
    union {
        int8_t code[256];
        int16_t wide[64];
    };
    int8_t scale[16];
    uint8_t min[16];
} ib_integers;

/* A block of 64 nibbles, the first of two in the high one, that choose from value[16]; d is times the block's scale. */
static inline void take_wide(const uint8_t *restrict b, const int16_t *value, float d, ib_integers *restrict y)
{
    y->d = d;
    y->m = 0;
    for (int j = 0; j < 32; j++) {
        y->wide[2 * j] = value[b[j] >> 4];
        y->wide[2 * j + 1] = value[b[j] & 15];
    }
}

/* The functions of tensor/integers.def, a level's compilation of each; a block is of so many elements as its line says.
 */
#define IB_INTEGERS(name) void IB_STORE(name, integers, IB_LEVEL)(const uint8_t *restrict b, ib_integers *restrict y)

/* The functions of tensor/lattice.def: other codes, as IB_INTEGERS gives them, into a block whose scales stay. */
#define RECODE(name) void IB_STORE(name, recode, IB_LEVEL)(const int8_t *restrict code, uint8_t *restrict b)
/* And other scales and minima than the block has: all but its codes. */
#define RESCALE(name) void IB_STORE(name, rescale, IB_LEVEL)(const ib_integers *restrict y, uint8_t *restrict b)

#endif
