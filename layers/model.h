/* model.h - the table of ready networks. */
#ifndef IB_LAYERS_MODEL_H
#define IB_LAYERS_MODEL_H

#include <isobit/layer.h>

#define MODEL(name, description) ib_layer *ib_model_##name(int c, int h, int w, int classes);
#include "layers/models.def"
#undef MODEL

/* convolution without bias, batch norm, and (relu set) ReLU, named <name>, <name>_bn, <name>_relu */
ib_layer *ib_conv_bn(int in, int out, int kernel, int stride, int relu);
/* the mlp with n hidden layers of these sizes */
ib_layer *ib_mlp_of_sizes(int in, const int *sizes, int n, int classes);
/* hidden layers of `width` with batch norm and ReLU */
ib_layer *ib_fully_connected(int in, int width, int classes);

#endif
