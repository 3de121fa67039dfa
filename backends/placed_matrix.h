/* placed_matrix.h - frozen matrices lie in the host's memory, often in a mapped file; other devices have a copy. */
#ifndef IB_BACKENDS_PLACED_MATRIX_H
#define IB_BACKENDS_PLACED_MATRIX_H

#include "backends/kernels.h"

/* The matrix in the memory of this device: itself, or its copy, which is made at first use and goes with it (before the
 * device is closed). NULL with ib_error(): memory is out, or the copy lies on another device. */
const ib_matrix *ib_matrix_on(const ib_matrix *m, ib_device *dev);

#endif
