/* resnet8.c - MLPerf Tiny's image classification network (Banbury et al., arXiv:2106.07597): a 3x3 convolution, three
 * residual blocks of 16, 32 and 64 channels, average pooling, one linear layer. */
#include "layers/model.h"

static ib_layer *block(int in, int out, int stride)
{
    ib_layer *body = ib_named("body", ib_sequential(ib_named("a", ib_conv_bn(in, out, 3, stride, 1)),
                                                    ib_named("b", ib_conv_bn(out, out, 3, 1, 0))));
    ib_layer *residual =
        stride == 1 && in == out
            ? ib_residual_layer(body)
            : ib_residual_projected_layer(
                  body, ib_named("shortcut", ib_conv2d_layer(&(ib_conv2d_config){
                                                 .in = in, .out = out, .kernel_h = 1, .stride = stride})));
    return ib_sequential(ib_named("add", residual), ib_named("relu", ib_relu_layer()));
}

ib_layer *ib_model_resnet8(int c, int h, int w, int classes)
{
    (void)h, (void)w;
    return ib_sequential(ib_named("stem", ib_conv_bn(c, 16, 3, 1, 1)), ib_named("block1", block(16, 16, 1)),
                         ib_named("block2", block(16, 32, 2)), ib_named("block3", block(32, 64, 2)),
                         ib_named("pool", ib_global_avg_pool_layer()), ib_named("flatten", ib_flatten_layer()),
                         ib_named("fc", ib_linear_layer(64, classes)));
}
