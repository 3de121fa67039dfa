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

struct ib_integers; /* tensor/storage/integers.h */
/* A format's: its codes, or NULL with ib_error() where blocks have none. */
typedef struct ib_lattice_format {
    const char *name;
    int least, most;
    void (*recode)(const int8_t *code, uint8_t *block);
    int group, least_scale, most_scale, most_min;
    void (*rescale)(const struct ib_integers *scales, uint8_t *block);
    void (*integers)(const uint8_t *block, struct ib_integers *to);
    int uneven; /* codes are values of a table */
} ib_lattice_format;
const ib_lattice_format *ib_lattice_of(const ib_storage *f);
/* The same without an error. */
const ib_lattice_format *ib_lattice_row(const ib_storage *f);

void ib_lattice_read(const ib_storage *f, const uint8_t *block, ib_lattice *to);
/* The scales that a block holds as reals, times a factor, as near as they can be. */
void ib_lattice_scale(const ib_storage *f, uint8_t *block, float factor);
/* The block of the least squared error, weighed with `weight` (NULL: 1), that is found for x, what it holds already
 * among them: IB_SEARCH_BEST. */
void ib_lattice_best(const ib_storage *f, const float *x, const float *weight, uint8_t *block);
/* x into a block whose values they are, bit for bit (but for the sign of 0); 0 if none is found. */
int ib_lattice_exact(const ib_storage *f, const float *x, uint8_t *block);
/* The code whose value is nearest to x. A step of 0 has one value: code 0, or the least. */
int8_t ib_lattice_nearest(const ib_lattice_format *f, float step, float offset, float x);

#endif
