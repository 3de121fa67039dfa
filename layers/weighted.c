/* weighted.c - linear and convolution layers. */
#include "base/argument.h"
#include "layers/product.h"

ib_layer *ib_product_new(const ib_layer_class *cls, int ndim, const int64_t *shape, int64_t fan_in, int no_bias)
{
    ib_layer *l = ib_layer_new(cls, sizeof(ib_product_context));
    if (!l)
        return NULL;
    ib_product_context *p = l->context;
    p->weight = ib_layer_param(l, "weight", ndim, shape, IB_INIT_KAIMING_NORMAL, fan_in, 1);
    if (p->weight && !no_bias)
        p->bias = ib_layer_param(l, "bias", 1, shape, IB_INIT_ZEROS, fan_in, 1);
    if (!p->weight || (!no_bias && !p->bias)) {
        ib_layer_free(l);
        return NULL;
    }
    return l;
}

static ib_tensor *linear_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    const ib_product_context *p = l->context;
    return ib_linear(g, x, p->weight, p->bias);
}

static const ib_layer_class linear_class = {"linear", linear_forward};

static ib_layer *linear(const char *function, int in, int out, int no_bias)
{
    IB_TAKE_FOR(function, in, in > 0, NULL, "is %d", in);
    IB_TAKE_FOR(function, out, out > 0, NULL, "is %d", out);
    return ib_product_new(&linear_class, 2, (int64_t[]){out, in}, in, no_bias);
}

ib_layer *ib_linear_layer(int in, int out)
{
    return linear(__func__, in, out, 0);
}

ib_layer *ib_linear_layer_no_bias(int in, int out)
{
    return linear(__func__, in, out, 1);
}

static ib_tensor *conv2d_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    const ib_product_context *p = l->context;
    return ib_conv2d(g, x, p->weight, p->bias, &p->conv);
}

static const ib_layer_class conv2d_class = {"conv", conv2d_forward};

ib_layer *ib_conv2d_layer(const ib_conv2d_config *config)
{
    IB_NEED_OR(config, NULL);
    const int groups = config->groups ? config->groups : 1, kw = config->kernel_w ? config->kernel_w : config->kernel_h;
    IB_TAKE_OR(config->in, config->in > 0, NULL, "is %d", config->in);
    IB_TAKE_OR(config->out, config->out > 0, NULL, "is %d", config->out);
    IB_TAKE_OR(config->kernel_h, config->kernel_h > 0, NULL, "is %d", config->kernel_h);
    IB_TAKE_OR(config->kernel_w, kw > 0, NULL, "is %d", kw);
    IB_TAKE_OR(config->stride, config->stride >= 0, NULL, "is %d", config->stride);
    IB_TAKE_OR(config->pad_h, config->pad_h >= 0, NULL, "is %d", config->pad_h);
    IB_TAKE_OR(config->pad_w, config->pad_w >= 0, NULL, "is %d", config->pad_w);
    IB_TAKE_OR(config->groups, groups > 0 && config->in % groups == 0 && config->out % groups == 0, NULL,
               "is %d for %d to %d channels", groups, config->in, config->out);
    const int64_t fan_in = (int64_t)(config->in / groups) * config->kernel_h * kw;
    ib_layer *l = ib_product_new(&conv2d_class, 4, (int64_t[]){config->out, config->in / groups, config->kernel_h, kw},
                                 fan_in, config->no_bias);
    if (l)
        ((ib_product_context *)l->context)->conv =
            (ib_conv_opts){config->stride ? config->stride : 1, config->stride ? config->stride : 1, config->pad_h,
                           config->pad_w, groups};
    return l;
}

ib_layer *ib_depthwise_layer(int channels, int kernel, int stride, int no_bias)
{
    IB_TAKE_OR(channels, channels > 0, NULL, "is %d", channels);
    IB_TAKE_OR(kernel, kernel > 0, NULL, "is %d", kernel);
    IB_TAKE_OR(stride, stride >= 0, NULL, "is %d", stride);
    const int pad = (kernel - 1) / 2;
    return ib_conv2d_layer(&(ib_conv2d_config){.in = channels,
                                               .out = channels,
                                               .kernel_h = kernel,
                                               .stride = stride,
                                               .pad_h = pad,
                                               .pad_w = pad,
                                               .groups = channels,
                                               .no_bias = no_bias});
}
