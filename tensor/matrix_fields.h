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
    float offset;
    int other_code;                       /* its file's table is not its format's */
    void *owned;                          /* freed with the matrix; NULL: the parts are borrowed */
    struct ib_device *home;               /* whose memory the parts lie in; NULL: the host's */
    struct ib_matrix *copy;               /* the same in the memory of a device that is no host, once one has used it */
    void (*drop)(struct ib_matrix *copy); /* frees it */
};

#endif
