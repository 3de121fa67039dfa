/* cached_attention.c - a cache takes the keys and values of rows, and rows look at all that it keeps of those before
 * them. */
#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/assert.h"

static ib_status rows_shape(ib_node *n, ib_tensor *out)
{
    const ib_cache_rows_attrs *a = n->attrs;
    const ib_tensor *k = n->in[0], *v = n->in[1];
    if (k->ndim != 2 || k->shape[1] != (int64_t)a->cache->groups * a->cache->dim || v->size != k->size)
        return ib_op_fail(n, "keys of %lld for %d groups of %d", (long long)k->shape[k->ndim - 1], a->cache->groups,
                          a->cache->dim);
    out->data = k->data;
    return ib_same_shape(k, out, 0);
}

static ib_status rows_forward(ib_graph *g, ib_node *n)
{
    const ib_cache_rows_attrs *a = n->attrs;
    IB_ASSERT(g->mode == IB_EVAL, "keys that a cache keeps take no gradient");
    K(g)->cache_rows(g->dev, a->cache, a->at, n->in[0]->shape[0], ib_f32(n->in[0]), ib_f32(n->in[1]));
    return IB_OK;
}

const ib_op ib_op_cache_rows = {.name = "cache_rows",
                                .inputs = "k v",
                                .attrs_bytes = sizeof(ib_cache_rows_attrs),
                                .n_required = 2,
                                .shape = rows_shape,
                                .forward = rows_forward};

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
