/* scaled.h - what storage.c needs of scaled.c. */
#ifndef IB_TENSOR_STORAGE_SCALED_H
#define IB_TENSOR_STORAGE_SCALED_H

#include "tensor/matrix_fields.h"
#include "tensor/storage.h"

int64_t ib_scaled_bytes(const ib_storage *f, int64_t rows, int64_t cols);
/* NULL with ib_error() */
ib_matrix *ib_scaled_encode(const ib_storage *f, int64_t rows, int64_t cols, const float *x);

/* bitsandbytes' dynamic 8-bit map [256], ascending. */
void ib_dynamic_map(int is_signed, float *map);

/* Scale of block i of a 4-bit matrix. */
static inline float ib_absmax_at(const ib_matrix *m, int64_t i)
{
    return m->absmax ? m->absmax[i] : m->map[m->absmax8[i]] * m->nested[i / IB_NESTED_BLOCK] + m->offset;
}

#endif
