/* entry.h - a named tensor inside a file, as GGUF and safetensors readers hand it out. */
#ifndef IB_FILES_ENTRY_H
#define IB_FILES_ENTRY_H

#include "tensor/matrix.h"

typedef struct ib_entry {
    char *name;
    const ib_storage *format; /* NULL: a type that is not a storage format (integers) */
    char type[16];            /* as the file says it: "Q4_K", "BF16", "U8" */
    int ndim;
    int64_t shape[4];    /* row-major, slowest first, in every container */
    const uint8_t *data; /* in the mapped file */
    int64_t bytes;
    int used; /* it was asked for by name */
} ib_entry;

/* A number from a file as an int; what is none, or too large for one, is -1. */
static inline int ib_int_of(double x)
{
    return x >= -2147483648.0 && x <= 2147483647.0 ? (int)x : -1;
}

int64_t ib_entry_size(const ib_entry *e); /* elements */
/* As a matrix of shape[0] x the rest (a vector: 1 x n), which borrows its bytes; yours to ib_matrix_free, NULL with
 * ib_error(). The entry must have a format, */
ib_matrix *ib_entry_matrix(const ib_entry *e);
/* and here too: its elements from `first` on. */
void ib_entry_decode(const ib_entry *e, int64_t first, int64_t n, float *y);
/* IB_ENUMERIC names the tensor and the first element that is not finite, or the first element of a block with such a
 * scale. All of it is read once; its pages do not stay in the process. */
ib_status ib_entry_check_finite(const ib_entry *e);
/* Its whole pages go back to the file, and are read again should anybody ask. */
void ib_entry_give_back(const ib_entry *e);
/* "[49152,576]" */
char *ib_entry_shape_text(const ib_entry *e, char *buf, size_t size);

#endif
