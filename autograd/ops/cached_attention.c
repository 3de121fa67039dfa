/* cached_attention.c - rows against keys and values of all rows before them, which a cache keeps. */
#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/assert.h"

static ib_status cached_shape(ib_node *n, ib_tensor *out)
{
    const ib_cached_attention_attrs *a = n->attrs;
    const ib_tensor *q = n->in[0];
    if (q->ndim != 2 || q->shape[1] != (int64_t)a->heads * a->cache->dim)
        return ib_op_fail(n, "queries of %lld for %d heads of %d", (long long)q->shape[q->ndim - 1], a->heads,
                          a->cache->dim);
    return ib_same_shape(q, out, 0);
}

static ib_status cached_forward(ib_graph *g, ib_node *n)
{
    const ib_cached_attention_attrs *a = n->attrs;
    const int64_t rows = n->out->shape[0], cols = n->out->shape[1];
    IB_ASSERT(g->mode == IB_EVAL, "keys that a cache keeps take no gradient");
    for (int64_t i = 0; i < rows; i++) {
        const int64_t to = a->before + i + 1, from = a->window && to > a->window ? to - a->window : 0;
        K(g)->attention_cached(g->dev, a->cache, a->heads, a->scale, from, to, ib_f32(n->in[0]) + i * cols,
                               ib_f32(n->out) + i * cols);
    }
    return IB_OK;
}

const ib_op ib_op_cached_attention = {.name = "cached_attention",
                                      .inputs = "q",
                                      .attrs_bytes = sizeof(ib_cached_attention_attrs),
                                      .n_required = 1,
                                      .shape = cached_shape,
                                      .forward = cached_forward};
