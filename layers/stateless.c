/* stateless.c - layers without parameters. */
#include "base/argument.h"
#include "layers/layer.h"

typedef struct pool_context {
    ib_pool_opts opts;
} pool_context;

#define STATELESS(noun, kind, call)                                                                                    \
    static ib_tensor *noun##_forward(ib_layer *l, ib_graph *g, ib_tensor *x)                                           \
    {                                                                                                                  \
        (void)l;                                                                                                       \
        return call;                                                                                                   \
    }                                                                                                                  \
    static const ib_layer_class noun##_class = {kind, noun##_forward};

STATELESS(relu, "relu", ib_relu(g, x))
STATELESS(relu6, "relu6_", ib_relu6(g, x))
STATELESS(sigmoid, "sigmoid", ib_sigmoid(g, x))
STATELESS(tanh, "tanh", ib_tanh(g, x))
STATELESS(softmax, "softmax", ib_softmax(g, x))
STATELESS(flatten, "flatten", ib_flatten(g, x))
STATELESS(global_avg_pool, "pool", ib_global_avg_pool(g, x))
STATELESS(max_pool, "pool", ib_max_pool(g, x, &((pool_context *)l->context)->opts))
STATELESS(avg_pool, "pool", ib_avg_pool(g, x, &((pool_context *)l->context)->opts))
STATELESS(dropout, "dropout", ib_dropout(g, x, *(float *)l->context))

int ib_layer_is_relu(const ib_layer *l)
{
    return l->cls == &relu_class;
}

ib_layer *ib_relu_layer(void)
{
    return ib_layer_new(&relu_class, 0);
}
ib_layer *ib_relu6_layer(void)
{
    return ib_layer_new(&relu6_class, 0);
}
ib_layer *ib_sigmoid_layer(void)
{
    return ib_layer_new(&sigmoid_class, 0);
}
ib_layer *ib_tanh_layer(void)
{
    return ib_layer_new(&tanh_class, 0);
}
ib_layer *ib_softmax_layer(void)
{
    return ib_layer_new(&softmax_class, 0);
}
ib_layer *ib_flatten_layer(void)
{
    return ib_layer_new(&flatten_class, 0);
}
ib_layer *ib_global_avg_pool_layer(void)
{
    return ib_layer_new(&global_avg_pool_class, 0);
}

static ib_layer *pool(const char *function, const ib_layer_class *cls, int kernel, int stride)
{
    IB_TAKE_FOR(function, kernel, kernel > 0, NULL, "is %d", kernel);
    IB_TAKE_FOR(function, stride, stride >= 0, NULL, "is %d", stride);
    ib_layer *l = ib_layer_new(cls, sizeof(pool_context));
    if (l)
        ((pool_context *)l->context)->opts = (ib_pool_opts){kernel, kernel, stride, stride, 0, 0};
    return l;
}

ib_layer *ib_max_pool_layer(int kernel, int stride)
{
    return pool(__func__, &max_pool_class, kernel, stride);
}

ib_layer *ib_avg_pool_layer(int kernel, int stride)
{
    return pool(__func__, &avg_pool_class, kernel, stride);
}

ib_layer *ib_dropout_layer(float p)
{
    IB_TAKE_OR(p, p >= 0 && p < 1, NULL, "is %g, which is not in [0, 1)", p);
    ib_layer *l = ib_layer_new(&dropout_class, sizeof p);
    if (l)
        *(float *)l->context = p;
    return l;
}
