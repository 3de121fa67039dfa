/* rows.h - networks around flattened images: two branches of one image, flattened each in its own order, and what
 * reads the rows. */
#ifndef IB_TESTS_PROGRAM_ROWS_H
#define IB_TESTS_PROGRAM_ROWS_H

#include <isobit/isobit.h>

enum {
    ROWS_OUTPUT,
    ROWS_LINEAR,
    ROWS_RELU,
    ROWS_RELU6,
    ROWS_SIGMOID,
    ROWS_TANH,
    ROWS_SOFTMAX,
    ROWS_NORM,
    ROWS_ADD,
    ROWS_MUL,
    ROWS_CONCAT,
    ROWS_POOL,
    ROWS_AGAIN,
    ROWS_ALL,
    N_ROWS
};
/* of a branch, for images of 8 by 8 */
enum { ROWS_CHANNELS = 3, ROWS_SIDE = 4, ROWS_SIZE = ROWS_CHANNELS * ROWS_SIDE * ROWS_SIDE };

typedef struct rows {
    int reader, first_hwc, second_hwc, behind; /* behind: a linear layer to 10 */
} rows;

static ib_tensor *rows_read(ib_layer *self, ib_graph *g, const rows *r, int reader, ib_tensor *f, ib_tensor *e)
{
    static const int64_t wide[] = {0, 2 * ROWS_CHANNELS, ROWS_SIDE, ROWS_SIDE / 2};
    switch (reader) {
    case ROWS_LINEAR: return ib_layer_forward_float(g, ib_layer_child(self, 3), f);
    case ROWS_RELU: return ib_relu(g, f);
    case ROWS_RELU6: return ib_relu6(g, f);
    case ROWS_SIGMOID: return ib_sigmoid(g, f);
    case ROWS_TANH: return ib_tanh(g, f);
    case ROWS_SOFTMAX: return ib_softmax(g, f);
    case ROWS_NORM: return ib_layer_forward_float(g, ib_layer_child(self, 2), f);
    case ROWS_ADD: return ib_add(g, f, e);
    case ROWS_MUL: return ib_mul(g, f, e);
    case ROWS_CONCAT: return ib_concat(g, (ib_tensor *[]){e, f}, 2, 1);
    case ROWS_POOL: /* rows as images of other channels, and those as rows again */
        f = ib_max_pool(g, ib_reshape(g, f, 4, wide), &(ib_pool_opts){.kernel_h = 2, .kernel_w = 2});
        return r->second_hwc ? ib_flatten_hwc(g, f) : ib_flatten(g, f);
    case ROWS_AGAIN: /* images of images, and three dimensions */
        f = ib_reshape(g, ib_reshape(g, f, 4, wide), 3, (int64_t[]){0, ROWS_SIZE / 4, 4});
        return r->second_hwc ? ib_flatten_hwc(g, ib_relu(g, f)) : ib_flatten(g, ib_relu(g, f));
    default: return f;
    }
}

static ib_tensor *rows_forward(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    const rows *r = ib_layer_context(self);
    ib_tensor *a = ib_layer_forward_float(g, ib_layer_child(self, 0), x),
              *b = ib_layer_forward_float(g, ib_layer_child(self, 1), x);
    ib_tensor *f = r->first_hwc ? ib_flatten_hwc(g, a) : ib_flatten(g, a),
              *e = r->second_hwc ? ib_flatten_hwc(g, b) : ib_flatten(g, b);
    ib_tensor *all[8];
    if (r->reader == ROWS_ALL) {
        static const int readers[] = {ROWS_OUTPUT, ROWS_LINEAR, ROWS_RELU6, ROWS_SIGMOID,
                                      ROWS_NORM,   ROWS_ADD,    ROWS_MUL,   ROWS_POOL};
        for (int i = 0; i < 8; i++)
            all[i] = rows_read(self, g, r, readers[i], f, e);
    }
    ib_tensor *y = r->reader == ROWS_ALL ? ib_concat(g, all, 8, 1) : rows_read(self, g, r, r->reader, f, e);
    return r->behind ? ib_layer_forward_float(g, ib_layer_child(self, 4), y) : y;
}

/* The network, or NULL. */
static inline ib_layer *rows_network(int reader, int first_hwc, int second_hwc, int behind)
{
    static const ib_layer_class cls = {"rows", rows_forward};
    const int made = reader == ROWS_LINEAR   ? 10
                     : reader == ROWS_CONCAT ? 2 * ROWS_SIZE
                     : reader == ROWS_POOL   ? ROWS_SIZE / 4
                     : reader == ROWS_ALL    ? 6 * ROWS_SIZE + ROWS_SIZE / 4 + 10
                                             : ROWS_SIZE;
    ib_layer *l = ib_layer_new(&cls, sizeof(rows));
    if (!l)
        return NULL;
    *(rows *)ib_layer_context(l) = (rows){reader, first_hwc, second_hwc, behind};
    if (ib_layer_add(l, ib_named("a", ib_conv2d_layer(&(ib_conv2d_config){
                                          .in = 1, .out = ROWS_CHANNELS, .kernel_h = 2, .stride = 2}))) ||
        ib_layer_add(
            l,
            ib_named("b", ib_conv2d_layer(&(ib_conv2d_config){
                              .in = 1, .out = ROWS_CHANNELS, .kernel_h = 3, .stride = 2, .pad_h = 1, .pad_w = 1}))) ||
        ib_layer_add(l, ib_named("norm", ib_batch_norm_layer(ROWS_SIZE))) ||
        ib_layer_add(l, ib_named("fc", ib_linear_layer(ROWS_SIZE, 10))) ||
        ib_layer_add(l, ib_named("behind", ib_linear_layer(made, 10))))
        return NULL;
    return ib_sequential(ib_named("rows", l));
}

#endif
