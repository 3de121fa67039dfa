/* cached_attention.c - a cache takes the keys and values of rows, and rows look at all that it keeps of those before
 * them. */
#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/assert.h"

/* Whether the runs are these rows; asserted. */
__attribute__((unused)) static int are_rows(const ib_cache_run *run, int64_t n, int64_t rows)
{
    for (int64_t i = 0; i < n; i++)
        rows -= run[i].rows;
    return n > 0 && rows == 0;
}

static ib_status rows_shape(ib_node *n, ib_tensor *out)
{
    const ib_cache_rows_attrs *a = n->attrs;
    const ib_tensor *k = n->in[0], *v = n->in[1];
    const ib_kv_cache *cache = a->run->cache;
    if (k->ndim != 2 || k->shape[1] != (int64_t)cache->groups * cache->dim || v->size != k->size)
        return ib_op_fail(n, "keys of %lld for %d groups of %d", (long long)k->shape[k->ndim - 1], cache->groups,
                          cache->dim);
    out->data = k->data;
    return ib_same_shape(k, out, 0);
}

static ib_status rows_forward(ib_graph *g, ib_node *n)
{
    const ib_cache_rows_attrs *a = n->attrs;
    IB_ASSERT(g->mode == IB_EVAL, "keys that a cache keeps take no gradient");
    IB_ASSERT(are_rows(a->run, a->n, n->in[0]->shape[0]), "each row is of a run");
    const float *k = ib_f32(n->in[0]), *v = ib_f32(n->in[1]);
    for (const ib_cache_run *r = a->run; r < a->run + a->n; r++) {
        K(g)->cache_rows(g->dev, r->cache, r->before, r->rows, k, v);
        k += r->rows * n->in[0]->shape[1];
        v += r->rows * n->in[0]->shape[1];
    }
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
    const int dim = a->run->cache->dim;
    if (q->ndim != 2 || q->shape[1] != (int64_t)a->heads * dim)
        return ib_op_fail(n, "queries of %lld for %d heads of %d", (long long)q->shape[q->ndim - 1], a->heads, dim);
    return ib_same_shape(q, out, 0);
}

static ib_status cached_forward(ib_graph *g, ib_node *n)
{
    const ib_cached_attention_attrs *a = n->attrs;
    const int64_t cols = n->out->shape[1];
    const float *q = ib_f32(n->in[0]);
    float *y = ib_f32(n->out);
    IB_ASSERT(g->mode == IB_EVAL, "keys that a cache keeps take no gradient");
    IB_ASSERT(are_rows(a->run, a->n, n->out->shape[0]), "each row is of a run");
    for (const ib_cache_run *r = a->run; r < a->run + a->n; r++) {
        const ib_cached_queries of = {.heads = a->heads,
                                      .scale = a->scale,
                                      .before = r->before,
                                      .rows = r->rows,
                                      .window = a->window,
                                      .bend = a->bend};
        K(g)->attention_cached(g->dev, r->cache, &of, q, y);
        q += r->rows * cols;
        y += r->rows * cols;
    }
    return IB_OK;
}

const ib_op ib_op_cached_attention = {.name = "cached_attention",
                                      .inputs = "q",
                                      .attrs_bytes = sizeof(ib_cached_attention_attrs),
                                      .n_required = 1,
                                      .shape = cached_shape,
                                      .forward = cached_forward};
