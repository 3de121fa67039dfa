/* matrix.h - inside the library: making matrices of what is there already, and looking at their parts. */
#ifndef IB_TENSOR_MATRIX_H
#define IB_TENSOR_MATRIX_H

#include <isobit/matrix.h>

struct ib_device;

enum {
#define MATRIX_PART(type, name, count) IB_PART_##name,
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
    IB_N_PARTS
};

/* What the numbers in a matrix of groups mean (tensor/grid.h). */
typedef struct ib_grid_fields {
    int bits, scale;       /* of a code; type of the scales: its storage format's index */
    int zero;              /* of every group, where there is no list of them */
    int64_t group, groups; /* columns of a group, groups of a row */
} ib_grid_fields;

/* Where the parts begin; NULL: there is none. */
typedef struct ib_matrix_parts {
#define MATRIX_PART(type, name, count) const type *name;
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
    float offset, unit; /* unit 0: 1 */
    ib_grid_fields grid;
} ib_matrix_parts;

/* A matrix of these parts, yours to ib_matrix_free; `owned` (or NULL) goes with it, also when it cannot be made. */
ib_matrix *ib_matrix_new(const ib_storage *f, int64_t rows, int64_t cols, const ib_matrix_parts *parts, void *owned);
/* The parts, in the host's memory, and the bytes of one. */
ib_matrix_parts ib_matrix_parts_of(const ib_matrix *m);
size_t ib_matrix_part_bytes(const ib_matrix *m, int part);
/* A matrix over the same parts, which does not own them. */
ib_matrix *ib_matrix_borrow(const ib_matrix *m);
/* Where its parts are borrowed, their whole pages go back to the file, and are read again should anybody ask. */
void ib_matrix_give_back(const ib_matrix *m);

/* Columns of a row of codes that share a scale where it is multiplied by m in integers (tensor/integers.def); 0: the
 * format has no such products, or rows of that length have none. */
int ib_matrix_integer_block(const ib_matrix *m);

/* fp32 values in the memory of `home` (NULL: the host's) as a matrix for products with frozen ones, in room of so many
 * bytes; it is not freed. */
size_t ib_matrix_room(void);
ib_matrix *ib_matrix_view(void *room, const float *x, int64_t rows, int64_t cols, struct ib_device *home);

/* Of a row; what an ib_storage's encode() is given. */
float ib_mean_square(const float *x, int64_t n);
/* y[n] = elements first .. first + n of what a format's blocks hold. */
void ib_storage_decode(const ib_storage *f, const uint8_t *data, int64_t first, int64_t n, float *y);

#endif
