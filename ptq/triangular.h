/* triangular.h - triangular factors of symmetric matrices, in double, in one order at any number of threads. */
#ifndef IB_PTQ_TRIANGULAR_H
#define IB_PTQ_TRIANGULAR_H

#include <stdint.h>

#include <isobit/status.h>

/* h [n][n], symmetric, becomes U, upper triangular with a positive diagonal, of h^-1 = U'U; below the diagonal it is 0.
 * IB_ENUMERIC, naming the column, where h is not positive definite. */
ib_status ib_upper_inverse(double *h, int64_t n);

#endif
