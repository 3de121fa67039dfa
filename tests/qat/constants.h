/* constants.h - networks with constants that a layer makes itself: factors, masks and summands of every shape, among
 * values and at the end. */
#ifndef IB_TESTS_QAT_CONSTANTS_H
#define IB_TESTS_QAT_CONSTANTS_H

#include <isobit/isobit.h>

enum { BY_SCALAR, BY_CHANNEL, BY_MASK, BY_ELEMENT, BY_PARAM, BY_SIGMOID, N_CONSTANTS };
enum { CONSTANT_CHANNELS = 3 };

typedef struct constants {
    int kind, is_add, first, rows; /* first: the constant is the first operand; rows: of flattened images */
    ib_tensor *param;              /* [C,1,1] or [K] */
} constants;

/* Images [N,3,8,8], or rows of them. */
static ib_tensor *constants_forward(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    const constants *c = ib_layer_context(self);
    const int64_t *s = ib_tensor_shape(x), size = ib_tensor_size(x) / s[0];
    const int64_t scalar[] = {1}, channel[] = {CONSTANT_CHANNELS, 1, 1}, mask[] = {1, 1, 8, 8}, row[] = {size};
    float v[CONSTANT_CHANNELS * 64];
    ib_tensor *k = c->param;
    for (int64_t i = 0; i < size; i++)
        v[i] = c->kind == BY_MASK ? (float)(i % 3 != 0) : 0.25f + 0.01f * (float)(i % 91);
    if (c->kind == BY_SCALAR)
        k = ib_input(g, 1, scalar, v);
    else if (c->kind == BY_CHANNEL)
        k = c->rows ? ib_input(g, 1, row, v) : ib_input(g, 3, channel, v);
    else if (c->kind == BY_MASK)
        k = c->rows ? ib_input(g, 2, (int64_t[]){1, size}, v) : ib_input(g, 4, mask, v);
    else if (c->kind == BY_ELEMENT) /* once for each sample of the batch, whatever its size */
        k = ib_add(g, ib_input(g, c->rows ? 2 : 4, (int64_t[]){1, s[1], c->rows ? 1 : s[2], c->rows ? 1 : s[3]}, v),
                   ib_input(g, 1, scalar, v));
    else if (c->kind == BY_SIGMOID)
        k = ib_sigmoid(g, k);
    return c->is_add ? c->first ? ib_add(g, k, x) : ib_add(g, x, k) : c->first ? ib_mul(g, k, x) : ib_mul(g, x, k);
}

/* conv, [flatten,] constant, and (behind) a linear layer. */
static inline ib_layer *constants_network(int kind, int is_add, int first, int rows, int behind)
{
    static const ib_layer_class cls = {"constant", constants_forward};
    ib_layer *l = ib_layer_new(&cls, sizeof(constants));
    if (!l)
        return NULL;
    constants *c = ib_layer_context(l);
    *c = (constants){kind, is_add, first, rows, NULL};
    if (kind >= BY_PARAM)
        c->param =
            rows ? ib_layer_param(l, "k", 1, (int64_t[]){CONSTANT_CHANNELS * 64}, IB_INIT_ONES, 1, 1)
                 : ib_layer_param(l, "k", 3,
                                  (int64_t[]){CONSTANT_CHANNELS, kind == BY_PARAM ? 8 : 1, kind == BY_PARAM ? 8 : 1},
                                  IB_INIT_ONES, 1, 1);
    ib_layer *conv = ib_named("conv", ib_conv2d_layer(&(ib_conv2d_config){
                                          .in = 1, .out = CONSTANT_CHANNELS, .kernel_h = 3, .pad_h = 1, .pad_w = 1}));
    ib_layer *net =
        rows ? ib_sequential(conv, ib_flatten_layer(), ib_named("by", l)) : ib_sequential(conv, ib_named("by", l));
    return behind ? ib_sequential(net, ib_flatten_layer(), ib_named("fc", ib_linear_layer(CONSTANT_CHANNELS * 64, 10)))
                  : net;
}

#endif
