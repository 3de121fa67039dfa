/* product.h - weights and bias of linear and convolution layers. */
#ifndef IB_LAYERS_PRODUCT_H
#define IB_LAYERS_PRODUCT_H

#include "layers/layer.h"

typedef struct ib_product_context {
    ib_tensor *weight, *bias; /* bias may be NULL */
    ib_conv_opts conv;
} ib_product_context;

/* Makes weight and, unless no_bias, bias; frees the layer and returns NULL on failure. */
ib_layer *ib_product_new(const ib_layer_class *cls, int ndim, const int64_t *shape, int64_t fan_in, int no_bias);

#endif
