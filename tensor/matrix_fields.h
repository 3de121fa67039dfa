/* matrix_fields.h - what a frozen matrix is, for the formats of tensor/ and for kernels; others ask tensor/matrix.h. */
#ifndef IB_TENSOR_MATRIX_FIELDS_H
#define IB_TENSOR_MATRIX_FIELDS_H

#include "tensor/matrix.h"

struct ib_matrix {
    const ib_storage *format;
    int64_t rows, cols;
#define MATRIX_PART(type, name, count) const type *name;
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
    float offset, unit;
    ib_grid_fields grid;
    int other_code;                       /* its file's table is not its format's */
    void *owned;                          /* freed with the matrix; NULL: the parts are borrowed */
    struct ib_device *home;               /* whose memory the parts lie in; NULL: the host's */
    struct ib_matrix *copy;               /* the same in the memory of a device that is no host, once one has used it */
    void (*drop)(struct ib_matrix *copy); /* frees it */
};

/* What a row of int8 is to be multiplied by, where a product does so once. */
static inline float ib_row_scale(const ib_matrix *m, int64_t row)
{
    return m->absmax[row] * m->unit;
}

#endif
