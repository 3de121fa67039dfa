/* matrix.h - inside the library: matrices over numbers that are there already. */
#ifndef IB_TENSOR_MATRIX_H
#define IB_TENSOR_MATRIX_H

#include <isobit/matrix.h>

/* fp32 values as a matrix, for the products with frozen ones. */
ib_matrix ib_matrix_view(const float *x, int64_t rows, int64_t cols);

#endif
