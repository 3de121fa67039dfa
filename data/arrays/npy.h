/* npy.h - inside the library: an array in NumPy's format as samples and as labels. */
#ifndef IB_DATA_ARRAYS_NPY_H
#define IB_DATA_ARRAYS_NPY_H

#include "data/dataset.h"

typedef struct ib_npy {
    const char *name; /* for messages */
    const struct ib_npy_type *type;
    int big, fortran, ndim;
    int64_t dims[IB_MAX_FILE_DIMS], values;
    const uint8_t *data;
} ib_npy;

/* Reads the header of the array that stands in b[size] alone; b and the name must outlive a. */
ib_status ib_npy_read(ib_npy *a, const char *name, const uint8_t *b, size_t size);
/* All samples of `a`, of a network that is known or (NULL) not, with the labels of `y` (NULL: without any): integers
 * [N] or [N,1]; of regression numbers [N] or [N,targets]. */
ib_dataset *ib_npy_samples(const ib_npy *a, const ib_npy *y, const ib_input_info *net, ib_task task);

#endif
