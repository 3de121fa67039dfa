/* dscnn.c - MLPerf Tiny's keyword spotting network (Banbury et al., arXiv:2106.07597): a 10x4 convolution of stride 2
 * (5x4 and stride 1 on images too small for it), four depthwise separable blocks of 64 channels, average pooling. */
#include "layers/model.h"

enum { WIDTH = 64 };

static ib_layer *separable(void)
{
    return ib_sequential(ib_named("depthwise", ib_depthwise_layer(WIDTH, 3, 1, 1)),
                         ib_named("bn1", ib_batch_norm_layer(WIDTH)), ib_named("relu1", ib_relu_layer()),
                         ib_named("pointwise", ib_conv_bn(WIDTH, WIDTH, 1, 1, 1)));
}

ib_layer *ib_model_dscnn(int c, int h, int w, int classes)
{
    const int large = h >= 20 && w >= 8, kh = large ? 10 : 5;
    ib_layer *conv = ib_conv2d_layer(&(ib_conv2d_config){.in = c,
                                                         .out = WIDTH,
                                                         .kernel_h = kh,
                                                         .kernel_w = 4,
                                                         .stride = large ? 2 : 1,
                                                         .pad_h = kh / 2,
                                                         .pad_w = 2,
                                                         .no_bias = 1});
    return ib_sequential(ib_named("conv1", conv), ib_named("bn1", ib_batch_norm_layer(WIDTH)),
                         ib_named("relu1", ib_relu_layer()), ib_named("dropout1", ib_dropout_layer(0.2f)),
                         ib_named("ds1", separable()), ib_named("ds2", separable()), ib_named("ds3", separable()),
                         ib_named("ds4", separable()), ib_named("dropout2", ib_dropout_layer(0.4f)),
                         ib_named("pool", ib_global_avg_pool_layer()), ib_named("flatten", ib_flatten_layer()),
                         ib_named("fc", ib_linear_layer(WIDTH, classes)));
}
