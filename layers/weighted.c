/* weighted.c - linear and convolution layers. */
#include "layers/product.h"
#include "tensor/argument.h"

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

static ib_layer *linear(int in, int out, int no_bias)
{
    if (in < 1 || out < 1)
        return ib_fail_null(IB_EINVAL, "linear layer: %d inputs, %d outputs", in, out);
    return ib_product_new(&linear_class, 2, (int64_t[]){out, in}, in, no_bias);
}

ib_layer *ib_linear_layer(int in, int out)
{
    return linear(in, out, 0);
}

ib_layer *ib_linear_layer_no_bias(int in, int out)
{
    return linear(in, out, 1);
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
    if (config->in < 1 || config->out < 1 || config->kernel_h < 1 || kw < 1 || groups < 1 || config->in % groups || config->out % groups || config->stride < 0)
        return ib_fail_null(IB_EINVAL, "convolution layer: %d to %d channels in %d groups, kernel %dx%d, stride %d", config->in, config->out,
                            groups, config->kernel_h, kw, config->stride);
    const int64_t fan_in = (int64_t)(config->in / groups) * config->kernel_h * kw;
    ib_layer *l = ib_product_new(&conv2d_class, 4, (int64_t[]){config->out, config->in / groups, config->kernel_h, kw}, fan_in, config->no_bias);
    if (l)
        ((ib_product_context *)l->context)->conv =
            (ib_conv_opts){config->stride ? config->stride : 1, config->stride ? config->stride : 1, config->pad_h, config->pad_w, groups};
    return l;
}

ib_layer *ib_depthwise_layer(int channels, int kernel, int stride, int no_bias)
{
    const int pad = (kernel - 1) / 2;
    return ib_conv2d_layer(&(ib_conv2d_config){.in = channels, .out = channels, .kernel_h = kernel, .stride = stride,
                                               .pad_h = pad, .pad_w = pad, .groups = channels, .no_bias = no_bias});
}
