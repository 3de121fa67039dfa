/* attrs.h - attributes of operators that others know too: the quantizer, which reads them back from a traced operator,
 * and the decoder. */
#ifndef IB_AUTOGRAD_ATTRS_H
#define IB_AUTOGRAD_ATTRS_H

#include "backends/operands.h"
#include "autograd/tensor.h"

/* batch_norm: inputs x, gamma, beta */
typedef struct ib_bn_attrs {
    ib_tensor *mean, *var; /* [C], running statistics */
    float momentum, eps;
    int relu; /* behind it */
} ib_bn_attrs;

typedef struct ib_reshape_attrs {
    int ndim;
    int64_t shape[IB_MAX_DIMS]; /* shape[0] = 0: the batch */
} ib_reshape_attrs;

typedef struct ib_concat_attrs {
    int axis;
} ib_concat_attrs;

typedef struct ib_dropout_attrs {
    float p;
} ib_dropout_attrs;

/* Rows one behind the other of one sequence, and the layer's cache of it, which has `before` others already. */
typedef struct ib_cache_run {
    const ib_kv_cache *cache;
    int64_t rows, before;
} ib_cache_run;

/* cache_rows: inputs k, v [rows][groups][dim], the rows of `n` runs, which become those of their caches; its result is
 * k */
typedef struct ib_cache_rows_attrs {
    const ib_cache_run *run; /* [n], as long as the result */
    int64_t n;
} ib_cache_rows_attrs;

/* attention: inputs q, k, v */
typedef struct ib_attention_attrs {
    ib_attention a; /* first [rows]: the device's */
    int keep;
} ib_attention_attrs;

/* rope: inputs x, table */
typedef struct ib_rope_attrs {
    int heads, dim, rotated, pairs;
    const int32_t *pos; /* [rows] the device's, each of a row of the table */
} ib_rope_attrs;

/* columns: input x; `count` runs of `size` columns, `step` apart, from `offset` on */
typedef struct ib_columns_attrs {
    int64_t offset, size, step, count;
} ib_columns_attrs;

/* cached_attention: input q [rows][heads][dim], the rows of `n` runs, whose own keys and values their caches have */
typedef struct ib_cached_attention_attrs {
    const ib_cache_run *run; /* [n], as long as the result */
    int64_t n;
    int heads;
    float scale;
    int64_t window; /* 0: unlimited */
    ib_score_bend bend;
} ib_cached_attention_attrs;

#endif
