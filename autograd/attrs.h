/* attrs.h - attributes that the quantizer reads back from a traced operator. */
#ifndef IB_AUTOGRAD_ATTRS_H
#define IB_AUTOGRAD_ATTRS_H

#include "tensor/tensor.h"

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

#endif
