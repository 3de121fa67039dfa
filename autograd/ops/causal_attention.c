/* causal_attention.c - causal attention of packed sequences. */
#include <math.h>

#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/argument.h"

enum { LSE }; /* saved: log of each row's sum */

static ib_status attention_shape(ib_node *n, ib_tensor *out)
{
    const ib_attention *o = n->attrs;
    const ib_tensor *q = n->in[0], *k = n->in[1], *v = n->in[2];
    if (o->dim < 1 || o->dim > IB_MAX_HEAD_DIM || o->groups < 1 || o->heads % o->groups || o->heads / o->groups > 64)
        return ib_op_fail(n, "%d heads of %d on %d groups of keys", o->heads, o->dim, o->groups);
    if (q->ndim != 2 || k->ndim != 2 || v->size != k->size || q->shape[0] != k->shape[0] ||
        q->shape[1] != (int64_t)o->heads * o->dim || k->shape[1] != (int64_t)o->groups * o->dim)
        return ib_op_fail(n, "queries of %lld and keys of %lld for %d heads of %d on %d groups",
                          (long long)q->shape[q->ndim - 1], (long long)k->shape[k->ndim - 1], o->heads, o->dim,
                          o->groups);
    return ib_same_shape(q, out, 0);
}

static ib_qkv inputs(const ib_node *n)
{
    return (ib_qkv){.q = ib_f32(n->in[0]), .k = ib_f32(n->in[1]), .v = ib_f32(n->in[2])};
}

static ib_status attention_forward(ib_graph *g, ib_node *n)
{
    const ib_attention_attrs *o = n->attrs;
    const ib_attention a = o->a;
    const int64_t rows = n->in[0]->shape[0], size = n->out->size;
    ib_status failed = IB_OK;
    void *kept = o->keep ? ib_memo_next(g, (size_t)K(g)->kept_bytes(g->dev, size), &failed) : NULL;
    float *lse = o->keep ? ib_memo_next(g, (size_t)(rows * a.heads) * sizeof *lse, &failed) : NULL;
    n->saved[LSE] = lse = lse ? lse : ib_graph_numbers(g, (size_t)(rows * a.heads) * sizeof *lse);
    if (failed || !lse)
        return IB_ENOMEM;
    if (kept && g->replaying) {
        K(g)->recall(g->dev, kept, size, ib_f32(n->out));
        return IB_OK;
    }
    const ib_mark mark = ib_graph_mark(g);
    float *scratch = ib_graph_numbers(g, (size_t)V(g)->attention_words(g->dev, &a, rows) * sizeof *scratch);
    if (!scratch)
        return IB_ENOMEM;
    const ib_qkv x = inputs(n);
    K(g)->attention(g->dev, &a, rows, &x, ib_f32(n->out), lse, scratch);
    ib_graph_release(g, mark);
    if (o->keep)
        K(g)->keep(g->dev, ib_f32(n->out), size, kept);
    return IB_OK;
}

static ib_status attention_backward(ib_graph *g, ib_node *n)
{
    const ib_attention a = ((const ib_attention_attrs *)n->attrs)->a;
    const int64_t rows = n->in[0]->shape[0];
    ib_status failed = IB_OK;
    float *dq = ib_grad_of(g, n->in[0], &failed), *dk = ib_grad_of(g, n->in[1], &failed),
          *dv = ib_grad_of(g, n->in[2], &failed);
    const ib_mark m = ib_graph_mark(g);
    float *delta = ib_graph_numbers(g, (size_t)(rows * a.heads) * sizeof *delta);
    float *scratch = ib_graph_numbers(g, (size_t)V(g)->attention_words(g->dev, &a, rows) * sizeof *scratch);
    if (failed || !delta || !scratch)
        return IB_ENOMEM;
    const ib_qkv x = inputs(n);
    const ib_attention_grads grads = {
        .y = ib_f32(n->out), .dy = n->out->grad, .lse = n->saved[LSE], .dq = dq, .dk = dk, .dv = dv, .delta = delta};
    K(g)->attention_grad(g->dev, &a, rows, &x, &grads, scratch);
    ib_graph_release(g, m);
    return IB_OK;
}

static const int32_t sample_first[] = {0, 0, 0, 3, 3};
static ib_tensor *attention_sample(ib_graph *g, ib_tensor **in)
{
    return ib_causal_attention(g, in[0], in[1], in[2], &(ib_attention_opts){4, 2, 3, 0.7f, 0, sample_first});
}
static ib_tensor *window_sample(ib_graph *g, ib_tensor **in)
{
    return ib_causal_attention(g, in[0], in[1], in[2], &(ib_attention_opts){4, 2, 3, 0.7f, 2, sample_first});
}

static ib_tensor *capped_sample(ib_graph *g, ib_tensor **in)
{
    return ib_causal_attention(
        g, in[0], in[1], in[2],
        &(ib_attention_opts){.heads = 4, .groups = 2, .dim = 3, .scale = 0.7f, .first = sample_first, .cap = 0.4f});
}
static ib_tensor *alibi_sample(ib_graph *g, ib_tensor **in) /* three heads: one is behind the power of two */
{
    return ib_causal_attention(
        g, in[0], in[1], in[2],
        &(ib_attention_opts){
            .heads = 3, .groups = 3, .dim = 2, .scale = 0.7f, .first = sample_first, .cap = 0.9f, .alibi = 8});
}

const ib_op ib_op_attention = {
    .name = "attention",
    .inputs = "q k v",
    .attrs_bytes = sizeof(ib_attention_attrs),
    .n_required = 3,
    .shape = attention_shape,
    .forward = attention_forward,
    .backward = attention_backward,
    .samples = (const ib_sample[]){
        {"two sequences", 3, {{2, {5, 12}, -1, 1}, {2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}}, attention_sample, 0},
        {"window of 2", 3, {{2, {5, 12}, -1, 1}, {2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}}, window_sample, 0},
        {"capped scores", 3, {{2, {5, 12}, -1, 1}, {2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}}, capped_sample, 0},
        {"alibi", 3, {{2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}}, alibi_sample, 0},
        {0}}};

ib_tensor *ib_causal_attention(ib_graph *g, ib_tensor *q, ib_tensor *k, ib_tensor *v, const ib_attention_opts *opts)
{
    IB_GIVEN(q);
    IB_GIVEN(k);
    IB_GIVEN(v);
    IB_NEED_OR(opts, NULL);
    IB_NEED_OR(opts->first, NULL);
    IB_TAKE_OR(opts->heads, opts->heads > 0, NULL, "is %d", opts->heads);
    IB_TAKE_OR(opts->groups, opts->groups > 0 && opts->heads % opts->groups == 0, NULL, "is %d, for %d heads",
               opts->groups, opts->heads);
    IB_TAKE_OR(opts->dim, opts->dim > 0 && opts->dim <= IB_MAX_HEAD_DIM, NULL, "is %d, 1 to %d are possible", opts->dim,
               IB_MAX_HEAD_DIM);
    IB_TAKE_OR(opts->scale, isfinite(opts->scale), NULL, "is %g", opts->scale);
    IB_TAKE_OR(opts->window, opts->window >= 0, NULL, "is %lld", (long long)opts->window);
    IB_TAKE_OR(opts->cap, opts->cap >= 0 && isfinite(opts->cap), NULL, "is %g", opts->cap);
    IB_TAKE_OR(opts->alibi, opts->alibi >= 0 && isfinite(opts->alibi), NULL, "is %g", opts->alibi);
    for (int64_t i = 0; i < q->shape[0]; i++)
        IB_TAKE_OR(opts->first, opts->first[i] >= 0 && opts->first[i] <= i, NULL, "is %d for row %lld", opts->first[i],
                   (long long)i);
    ib_side *was = IB_FOLLOW(g, q, k, v);
    const int32_t *first = ib_graph_uploaded(g, opts->first, (size_t)q->shape[0] * sizeof *first);
    ib_graph_turn(g, was);
    if (!first)
        return NULL;
    const ib_attention a = {.heads = opts->heads,
                            .groups = opts->groups,
                            .dim = opts->dim,
                            .scale = opts->scale,
                            .window = opts->window,
                            .first = first,
                            .bend = {.cap = opts->cap, .alibi = opts->alibi}};
    return IB_APPLY(g, &ib_op_attention, (&(ib_attention_attrs){a, opts->keep}), q, k, v);
}
