/* lattice.h - inside the library: the values that a block can hold once its scales are chosen, and the choice among
 * them.
 *
 * Element i of a block is step[i] code + offset[i], in fp32 as the format decodes it. */
#ifndef IB_TENSOR_LATTICE_H
#define IB_TENSOR_LATTICE_H

#include <isobit/matrix.h>

/* A block's, of up to 256 elements. */
typedef struct ib_lattice {
    float step[256], offset[256];
    int8_t code[256]; /* that the block holds */
} ib_lattice;

/* A format's: its codes, or NULL with ib_error() where blocks have none. */
typedef struct ib_lattice_format {
    const char *name;
    int least, most;
    void (*recode)(const int8_t *code, uint8_t *block);
} ib_lattice_format;
const ib_lattice_format *ib_lattice_of(const ib_storage *f);

void ib_lattice_read(const ib_storage *f, const uint8_t *block, ib_lattice *to);
/* The scales that a block holds as reals, times a factor, as near as they can be. */
void ib_lattice_scale(const ib_storage *f, uint8_t *block, float factor);
/* The code whose value is nearest to x. A step of 0 has one value: code 0, or the least. */
int8_t ib_lattice_nearest(const ib_lattice_format *f, float step, float offset, float x);

#endif
