/* transformer.c - operators of decoders without products: embedding, RMS norm, rotary positions, gated activations,
 * attention. */
#include <math.h>
#include <string.h>

#include "autograd/op.h"
#include "tensor/argument.h"

#define K(g) (&(g)->dev->k)

/* ---- embedding: y[n] = scale table[ids[n]] ---- */

typedef struct embedding_attrs {
    const ib_matrix *table; /* frozen, or NULL: the input */
    const int32_t *ids;
    int64_t n, rows, cols;
    float scale;
} embedding_attrs;

static ib_status embedding_shape(ib_node *n, ib_tensor *out)
{
    const embedding_attrs *a = n->attrs;
    for (int64_t i = 0; i < a->n; i++)
        if (a->ids[i] < 0 || a->ids[i] >= a->rows)
            return ib_op_fail(n, "ids: token %d at %lld, but there are %lld", a->ids[i], (long long)i,
                              (long long)a->rows);
    return ib_tensor_set_shape(out, 2, (int64_t[]){a->n, a->cols});
}

static ib_status embedding_forward(ib_graph *g, ib_node *n)
{
    const embedding_attrs *a = n->attrs;
    for (int64_t i = 0; i < a->n; i++) {
        float *y = ib_f32(n->out) + i * a->cols;
        if (a->table)
            K(g)->decode(a->table, a->ids[i] * a->cols, a->cols, y);
        else
            memcpy(y, ib_f32(n->in[0]) + a->ids[i] * a->cols, (size_t)a->cols * sizeof *y);
    }
    if (a->scale != 1.0f)
        K(g)->scale(ib_f32(n->out), n->out->size, a->scale);
    return IB_OK;
}

/* dtable[ids[n]] += scale dy[n] */
static ib_status embedding_backward(ib_graph *g, ib_node *n)
{
    const embedding_attrs *a = n->attrs;
    ib_status failed = IB_OK;
    float *dt = ib_grad_of(g, n->in[0], &failed);
    for (int64_t i = 0; dt && i < a->n; i++)
        K(g)->axpy(dt + a->ids[i] * a->cols, n->out->grad + i * a->cols, a->cols, a->scale);
    return failed;
}

static const int32_t sample_ids[] = {2, 0, 2, 1};
static ib_tensor *embedding_sample(ib_graph *g, ib_tensor **in)
{
    return ib_embedding(g, in[0], sample_ids, 4, 0.5f);
}

const ib_op ib_op_embedding = {
    .name = "embedding",
    .inputs = "table",
    .attrs_bytes = sizeof(embedding_attrs),
    .shape = embedding_shape,
    .forward = embedding_forward,
    .backward = embedding_backward,
    .samples = (const ib_sample[]){{"repeated token", 1, {{2, {3, 5}, -1, 1}}, embedding_sample, 0}, {0}}};

ib_tensor *ib_embedding(ib_graph *g, ib_tensor *table, const int32_t *ids, int64_t n, float scale)
{
    IB_GIVEN(table);
    IB_NEED_OR(ids, NULL);
    IB_TAKE_OR(table, table->ndim == 2, NULL, "has %d dimensions, not 2", table->ndim);
    IB_TAKE_OR(n, n > 0, NULL, "is %lld", (long long)n);
    IB_TAKE_OR(scale, isfinite(scale), NULL, "is %g", scale);
    return IB_APPLY(g, &ib_op_embedding, (&(embedding_attrs){NULL, ids, n, table->shape[0], table->shape[1], scale}),
                    table);
}

ib_tensor *ib_embedding_frozen(ib_graph *g, const ib_matrix *table, const int32_t *ids, int64_t n, float scale)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(table, NULL);
    IB_NEED_OR(ids, NULL);
    IB_TAKE_OR(n, n > 0, NULL, "is %lld", (long long)n);
    IB_TAKE_OR(scale, isfinite(scale), NULL, "is %g", scale);
    return IB_APPLY(g, &ib_op_embedding, (&(embedding_attrs){table, ids, n, table->rows, table->cols, scale}), NULL);
}

/* ---- RMS norm over groups of w's size: rows of x, or heads within them ---- */

static ib_status rms_norm_shape(ib_node *n, ib_tensor *out)
{
    if (n->in[0]->shape[n->in[0]->ndim - 1] % n->in[1]->size)
        return ib_op_fail(n, "rows of %lld, but %lld weights", (long long)n->in[0]->shape[n->in[0]->ndim - 1],
                          (long long)n->in[1]->size);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status rms_norm_forward(ib_graph *g, ib_node *n)
{
    const int64_t cols = n->in[1]->size, rows = n->in[0]->size / cols;
    float *rstd = n->saved[0] = ib_graph_alloc(g, (size_t)rows * sizeof *rstd);
    if (!rstd)
        return IB_ENOMEM;
    K(g)->rms_norm(ib_f32(n->in[0]), rows, cols, *(float *)n->attrs, ib_f32(n->in[1]), ib_f32(n->out), rstd);
    return IB_OK;
}

static ib_status rms_norm_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const int64_t cols = n->in[1]->size, rows = n->in[0]->size / cols;
    float *dx = ib_grad_of(g, n->in[0], &failed), *dw = ib_grad_of(g, n->in[1], &failed);
    K(g)->rms_norm_grad(ib_f32(n->in[0]), n->out->grad, rows, cols, n->saved[0], ib_f32(n->in[1]), dx, dw);
    return failed;
}

static ib_tensor *rms_norm_sample(ib_graph *g, ib_tensor **in)
{
    return ib_rms_norm(g, in[0], in[1], 1e-5f);
}

const ib_op ib_op_rms_norm = {
    .name = "rms_norm",
    .inputs = "x w",
    .attrs_bytes = sizeof(float),
    .n_required = 2,
    .shape = rms_norm_shape,
    .forward = rms_norm_forward,
    .backward = rms_norm_backward,
    .samples = (const ib_sample[]){{"rows of 19", 2, {{2, {3, 19}, -1, 1}, {1, {19}, 0.5f, 1}}, rms_norm_sample, 0},
                                   {"heads of 4", 2, {{2, {3, 8}, -1, 1}, {1, {4}, 0.5f, 1}}, rms_norm_sample, 0},
                                   {0}}};

ib_tensor *ib_rms_norm(ib_graph *g, ib_tensor *x, ib_tensor *w, float eps)
{
    IB_TAKE_OR(eps, eps >= 0 && isfinite(eps), NULL, "is %g", eps);
    return IB_APPLY(g, &ib_op_rms_norm, &eps, x, w);
}

/* ---- rotary positions ---- */

static ib_status rope_shape(ib_node *n, ib_tensor *out)
{
    const ib_rope_opts *o = n->attrs;
    if (n->in[0]->ndim != 2 || n->in[0]->shape[1] != (int64_t)o->heads * o->dim || o->rotated > o->dim ||
        o->rotated % 2)
        return ib_op_fail(n, "%d heads of %d with %d rotated, but rows of %lld", o->heads, o->dim, o->rotated,
                          (long long)n->in[0]->shape[n->in[0]->ndim - 1]);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status rope_forward(ib_graph *g, ib_node *n)
{
    const ib_rope_opts *o = n->attrs;
    K(g)->rope(ib_f32(n->in[0]), n->in[0]->shape[0], o->heads, o->dim, o->rotated, o->pairs, o->pos, o->table, 1.0f, 0,
               ib_f32(n->out));
    return IB_OK;
}

/* dx += dy turned back */
static ib_status rope_backward(ib_graph *g, ib_node *n)
{
    const ib_rope_opts *o = n->attrs;
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->rope(n->out->grad, n->in[0]->shape[0], o->heads, o->dim, o->rotated, o->pairs, o->pos, o->table, -1.0f, 1,
                   dx);
    return failed;
}

static const float sample_table[] = {1, 0, 1, 0, 0.6f, 0.8f, 0.8f, 0.6f, 0.8f, -0.6f, 0, 1};
static const int32_t sample_pos[] = {2, 0, 1};
static ib_tensor *rope_pairs_sample(ib_graph *g, ib_tensor **in)
{
    return ib_rope(g, in[0], &(ib_rope_opts){2, 5, 4, 1, sample_pos, sample_table});
}
static ib_tensor *rope_halves_sample(ib_graph *g, ib_tensor **in)
{
    return ib_rope(g, in[0], &(ib_rope_opts){2, 5, 4, 0, sample_pos, sample_table});
}

const ib_op ib_op_rope = {.name = "rope",
                          .inputs = "x",
                          .attrs_bytes = sizeof(ib_rope_opts),
                          .n_required = 1,
                          .shape = rope_shape,
                          .forward = rope_forward,
                          .backward = rope_backward,
                          .samples = (const ib_sample[]){{"pairs", 1, {{2, {3, 10}, -1, 1}}, rope_pairs_sample, 0},
                                                         {"halves", 1, {{2, {3, 10}, -1, 1}}, rope_halves_sample, 0},
                                                         {0}}};

ib_tensor *ib_rope(ib_graph *g, ib_tensor *x, const ib_rope_opts *opts)
{
    IB_GIVEN(x);
    IB_NEED_OR(opts, NULL);
    IB_NEED_OR(opts->pos, NULL);
    IB_NEED_OR(opts->table, NULL);
    IB_TAKE_OR(opts->heads, opts->heads > 0, NULL, "is %d", opts->heads);
    IB_TAKE_OR(opts->dim, opts->dim > 0, NULL, "is %d", opts->dim);
    IB_TAKE_OR(opts->rotated, opts->rotated >= 0 && opts->rotated <= opts->dim && opts->rotated % 2 == 0, NULL,
               "is %d of %d", opts->rotated, opts->dim);
    return IB_APPLY(g, &ib_op_rope, opts, x);
}

/* ---- gated activation: y = f(gate) up ---- */

static ib_status glu_shape(ib_node *n, ib_tensor *out)
{
    const int kind = *(int *)n->attrs;
    if (kind < 0 || kind > 3)
        return ib_op_fail(n, "a gate of kind %d; there are 0 to 3", kind);
    if (n->in[0]->size != n->in[1]->size)
        return ib_op_fail(n, "a gate of %lld for %lld values", (long long)n->in[0]->size, (long long)n->in[1]->size);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status glu_forward(ib_graph *g, ib_node *n)
{
    K(g)->glu(ib_f32(n->in[0]), ib_f32(n->in[1]), n->out->size, *(int *)n->attrs, ib_f32(n->out));
    return IB_OK;
}

static ib_status glu_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dgate = ib_grad_of(g, n->in[0], &failed), *dup = ib_grad_of(g, n->in[1], &failed);
    K(g)->glu_grad(ib_f32(n->in[0]), ib_f32(n->in[1]), n->out->grad, n->out->size, *(int *)n->attrs, dgate, dup);
    return failed;
}

static ib_tensor *swiglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 0);
}
static ib_tensor *geglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 1);
}
static ib_tensor *exact_geglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 2);
}
static ib_tensor *reglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 3);
}

const ib_op ib_op_glu = {
    .name = "glu",
    .inputs = "gate up",
    .attrs_bytes = sizeof(int),
    .n_required = 2,
    .shape = glu_shape,
    .forward = glu_forward,
    .backward = glu_backward,
    .samples = (const ib_sample[]){{"silu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, swiglu_sample, 0},
                                   {"gelu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, geglu_sample, 0},
                                   {"exact gelu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, exact_geglu_sample, 0},
                                   {"relu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, reglu_sample, 0},
                                   {0}}};

ib_tensor *ib_glu(ib_graph *g, ib_tensor *gate, ib_tensor *up, int kind)
{
    return IB_APPLY(g, &ib_op_glu, &kind, gate, up);
}

/* ---- causal attention; saved[0]: log of each row's sum ---- */

static ib_status attention_shape(ib_node *n, ib_tensor *out)
{
    const ib_attention_opts *o = n->attrs;
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

static ib_attention kernel_opts(const ib_attention_opts *o)
{
    return (ib_attention){o->heads, o->groups, o->dim, o->scale, o->window, o->first};
}

static ib_status attention_forward(ib_graph *g, ib_node *n)
{
    const ib_attention_opts *o = n->attrs;
    const ib_attention a = kernel_opts(o);
    const int64_t rows = n->in[0]->shape[0], size = n->out->size;
    ib_status failed = IB_OK;
    void *kept = o->keep ? ib_memo_next(g, (size_t)K(g)->kept_bytes(size), &failed) : NULL;
    float *lse = o->keep ? ib_memo_next(g, (size_t)(rows * a.heads) * sizeof *lse, &failed) : NULL;
    n->saved[0] = lse = lse ? lse : ib_graph_alloc(g, (size_t)(rows * a.heads) * sizeof *lse);
    if (failed || !lse)
        return IB_ENOMEM;
    if (kept && g->replaying) {
        K(g)->recall(kept, size, ib_f32(n->out));
        return IB_OK;
    }
    const ib_mark mark = ib_graph_mark(g);
    float *scratch = ib_graph_alloc(g, (size_t)ib_attention_scratch(&a, rows) * sizeof *scratch);
    if (!scratch)
        return IB_ENOMEM;
    K(g)->attention(&a, rows, ib_f32(n->in[0]), ib_f32(n->in[1]), ib_f32(n->in[2]), ib_f32(n->out), lse, scratch);
    ib_graph_release(g, mark);
    if (o->keep)
        K(g)->keep(ib_f32(n->out), size, kept);
    return IB_OK;
}

static ib_status attention_backward(ib_graph *g, ib_node *n)
{
    const ib_attention a = kernel_opts(n->attrs);
    const int64_t rows = n->in[0]->shape[0];
    ib_status failed = IB_OK;
    float *dq = ib_grad_of(g, n->in[0], &failed), *dk = ib_grad_of(g, n->in[1], &failed),
          *dv = ib_grad_of(g, n->in[2], &failed);
    const ib_mark m = ib_graph_mark(g);
    float *delta = ib_graph_alloc(g, (size_t)(rows * a.heads) * sizeof *delta);
    float *scratch = ib_graph_alloc(g, (size_t)ib_attention_scratch(&a, rows) * sizeof *scratch);
    if (failed || !delta || !scratch)
        return IB_ENOMEM;
    K(g)->attention_grad(&a, rows, ib_f32(n->in[0]), ib_f32(n->in[1]), ib_f32(n->in[2]), ib_f32(n->out), n->saved[0],
                         n->out->grad, dq, dk, dv, delta, scratch);
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

const ib_op ib_op_attention = {
    .name = "attention",
    .inputs = "q k v",
    .attrs_bytes = sizeof(ib_attention_opts),
    .n_required = 3,
    .shape = attention_shape,
    .forward = attention_forward,
    .backward = attention_backward,
    .samples = (const ib_sample[]){
        {"two sequences", 3, {{2, {5, 12}, -1, 1}, {2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}}, attention_sample, 0},
        {"window of 2", 3, {{2, {5, 12}, -1, 1}, {2, {5, 6}, -1, 1}, {2, {5, 6}, -1, 1}}, window_sample, 0},
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
    for (int64_t i = 0; i < q->shape[0]; i++)
        IB_TAKE_OR(opts->first, opts->first[i] >= 0 && opts->first[i] <= i, NULL, "is %d for row %lld", opts->first[i],
                   (long long)i);
    return IB_APPLY(g, &ib_op_attention, opts, q, k, v);
}
