/* trace_values.c - numbers of a traced step: what a layer gave, and its weights in units of their scales. */
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "qat/plan.h"

float *ib_trace_output(ib_graph *g, const char *layer, int64_t *n)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(layer, NULL);
    IB_NEED_OR(n, NULL);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const ib_tensor *t = g->nodes[i].out;
        if (!g->nodes[i].scope || strcmp(g->nodes[i].scope, layer))
            continue;
        if (ib_check_view(t)) {
            ib_error_prefix("%s", __func__);
            return NULL;
        }
        const size_t bytes = (size_t)t->size * sizeof(float);
        ib_side *was = g->here;
        ib_graph_turn(g, t->side);
        const ib_mark mark = ib_graph_mark(g);
        const ib_coded codes = ib_coded_of(t);
        float *real = t->dtype == IB_CODES ? ib_graph_numbers(g, bytes) : t->data, *x = real ? ib_alloc(bytes) : NULL;
        if (x && t->dtype == IB_CODES)
            g->dev->k.dequantize(g->dev, &codes, t->size, real);
        if (x)
            g->dev->v.download(g->dev, x, real, bytes);
        ib_graph_release(g, mark);
        ib_graph_turn(g, was);
        *n = t->size;
        return x;
    }
    return ib_fail_null(IB_EINVAL, "no layer named '%s' ran", layer);
}

float *ib_trace_weights(ib_graph *g, const char *layer, int64_t *n, int *most)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(layer, NULL);
    IB_NEED_OR(n, NULL);
    IB_NEED_OR(most, NULL);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const ib_node *node = &g->nodes[i];
        if (node->op != &ib_op_quantize_weight || !node->scope || strcmp(node->scope, layer))
            continue;
        const ib_tensor *w = node->in[0];
        const ib_qparams *q = &node->out->q;
        ib_device *dev = node->out->dev;
        if (ib_check_view(w) || ib_check_view(node->out)) {
            ib_error_prefix("%s", __func__);
            return NULL;
        }
        const int64_t rows = w->shape[0], cols = w->size / rows, factors = q->group_size ? rows * q->n_groups : 0;
        float *x = ib_alloc((size_t)w->size * sizeof *x), *scale = ib_alloc((size_t)q->n_scales * sizeof *scale);
        uint8_t *factor = ib_alloc((size_t)factors + 1);
        if (!x || !scale || !factor) {
            ib_free(x), ib_free(scale), ib_free(factor);
            return NULL;
        }
        ib_block_read(w->dev, x, w->data, (size_t)w->size * sizeof *x);
        ib_block_read(dev, scale, q->scale, (size_t)q->n_scales * sizeof *scale);
        if (factors)
            ib_block_read(dev, factor, q->group_factor, (size_t)factors);
        for (int64_t k = 0; k < w->size; k++) {
            const int64_t row = k / cols;
            const int times = factors ? factor[row * q->n_groups + k % cols / q->group_size] : 1;
            x[k] /= scale[q->n_scales == 1 ? 0 : row] * (float)times;
        }
        ib_free(scale), ib_free(factor);
        *n = w->size;
        *most = q->qmax;
        return x;
    }
    return ib_fail_null(IB_EINVAL, "no layer named '%s' with quantized weights ran", layer);
}
