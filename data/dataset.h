/* dataset.h - inside the library: samples in memory and the readers of files. */
#ifndef IB_DATA_DATASET_H
#define IB_DATA_DATASET_H

#include <isobit/data.h>

#include "tensor/alloc.h"
#include "tensor/error.h"

struct ib_dataset {
    int64_t n;
    int c, h, w, classes, raw_max;
    float *x;   /* [n,c,h,w] */
    int32_t *y; /* [n] */
};

/* Reserves memory for a data set, or says that the file asks for too much. */
ib_dataset *ib_dataset_reserve(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max);
/* Checks values and labels, counts the classes; frees d and returns NULL on failure. */
ib_dataset *ib_dataset_finish(const char *file, ib_dataset *d);
/* Keeps every fifth sample (test) or the others (train). */
void ib_dataset_every_fifth(ib_dataset *d, ib_split split);

/* read_file(path, split) in a process of its own (apart.c). */
ib_dataset *ib_dataset_apart(ib_dataset *(*read_file)(const char *path, ib_split split), const char *path, ib_split split);

ib_dataset *ib_idx_open(const char *dir, ib_split split);
ib_dataset *ib_hdf5_open(const char *file, ib_split split);
ib_dataset *ib_hdf5_open_image(const void *bytes, size_t size, const char *name, ib_split split);
ib_dataset *ib_csv_open(const char *spec, ib_split split);

#endif
