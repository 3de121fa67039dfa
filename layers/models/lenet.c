/* lenet.c - two 5x5 convolutions with batch norm and pooling, after LeCun et al. 1998. Pooling stops at 1 pixel. */
#include "layers/model.h"

ib_layer *ib_model_lenet(int c, int h, int w, int classes)
{
    const int p1 = h > 1 && w > 1 ? 2 : 1, h1 = h / p1, w1 = w / p1;
    const int p2 = h1 > 1 && w1 > 1 ? 2 : 1, h2 = h1 / p2, w2 = w1 / p2;
    return ib_sequential(ib_named("conv1", ib_conv_bn(c, 8, 5, 1, 1)), ib_named("pool1", ib_max_pool_layer(p1, p1)),
                         ib_named("conv2", ib_conv_bn(8, 16, 5, 1, 1)), ib_named("pool2", ib_max_pool_layer(p2, p2)),
                         ib_named("flatten", ib_flatten_layer()), ib_named("fc1", ib_linear_layer(16 * h2 * w2, 64)),
                         ib_named("relu3", ib_relu_layer()), ib_named("fc2", ib_linear_layer(64, classes)));
}
