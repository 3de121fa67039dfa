/* normalization.c - batch norm and layer norm layers. */
#include "base/argument.h"
#include "layers/layer.h"

typedef struct norm_context {
    ib_tensor *gamma, *beta, *mean, *var;
} norm_context;

static ib_tensor *batch_norm_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    const norm_context *c = l->context;
    return ib_batch_norm(g, x, c->gamma, c->beta, c->mean, c->var, 0, 0);
}

static ib_tensor *batch_norm_forward_relu(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    const norm_context *c = l->context;
    return ib_batch_norm_relu(g, x, c->gamma, c->beta, c->mean, c->var, 0, 0);
}

static ib_tensor *layer_norm_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    const norm_context *c = l->context;
    return ib_layer_norm(g, x, c->gamma, c->beta, 0);
}

static const ib_layer_class batch_norm_class = {"bn", batch_norm_forward, batch_norm_forward_relu};
static const ib_layer_class layer_norm_class = {"ln", layer_norm_forward};

static ib_layer *norm_new(const ib_layer_class *cls, int size, int running)
{
    ib_layer *l = ib_layer_new(cls, sizeof(norm_context));
    if (!l)
        return NULL;
    norm_context *c = l->context;
    const int64_t shape[] = {size};
    if ((c->gamma = ib_layer_param(l, "gamma", 1, shape, IB_INIT_ONES, size, 1)) &&
        (c->beta = ib_layer_param(l, "beta", 1, shape, IB_INIT_ZEROS, size, 1)) &&
        (!running || ((c->mean = ib_layer_param(l, "running_mean", 1, shape, IB_INIT_ZEROS, size, 0)) &&
                      (c->var = ib_layer_param(l, "running_var", 1, shape, IB_INIT_ONES, size, 0)))))
        return l;
    ib_layer_free(l);
    return NULL;
}

ib_layer *ib_batch_norm_layer(int channels)
{
    IB_TAKE_OR(channels, channels > 0, NULL, "is %d", channels);
    return norm_new(&batch_norm_class, channels, 1);
}

ib_layer *ib_layer_norm_layer(int size)
{
    IB_TAKE_OR(size, size > 0, NULL, "is %d", size);
    return norm_new(&layer_norm_class, size, 0);
}
