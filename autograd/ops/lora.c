/* lora.c - products with frozen matrices, with low-rank adapters: LoRA (arXiv:2106.09685), rsLoRA (arXiv:2312.03732),
 * DoRA (arXiv:2402.09353).
 *
 *   y = c (x W' + s drop(x) A' B') + bias,   c = 1, or m / ||W + s B A||_row with the norm taken as a constant
 *   (DoRA) */
#include <math.h>

#include "autograd/coded_product.h"
#include "autograd/tap.h"
#include "base/argument.h"

enum { X, A, B, M, BIAS };
enum { HS, MASK, C }; /* saved: s h = s drop(x) A' [n,r]; dropout's bits; c [rows] */

typedef struct lora_attrs {
    const ib_matrix *w, *forward; /* forward: what the product runs on, W or its requantized merge with the adapter */
    float scale, dropout;
    int keep, no_output, integer;
    ib_shared_codes *shared; /* of x, or NULL */
} lora_attrs;

static ib_status lora_shape(ib_node *n, ib_tensor *out)
{
    const lora_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X], *la = n->in[A], *lb = n->in[B];
    if (x->ndim != 2 || x->shape[1] != ib_matrix_cols(a->w))
        return ib_op_fail(n, "rows of %lld x [%lld,%lld]'", (long long)x->shape[x->ndim - 1],
                          (long long)ib_matrix_rows(a->w), (long long)ib_matrix_cols(a->w));
    if ((la == NULL) != (lb == NULL) || (la && (la->shape[1] != ib_matrix_cols(a->w) ||
                                                lb->shape[0] != ib_matrix_rows(a->w) || la->shape[0] != lb->shape[1])))
        return ib_op_fail(n, "the adapter does not fit [%lld,%lld]", (long long)ib_matrix_rows(a->w),
                          (long long)ib_matrix_cols(a->w));
    if ((n->in[M] && n->in[M]->size != ib_matrix_rows(a->w)) ||
        (n->in[BIAS] && n->in[BIAS]->size != ib_matrix_rows(a->w)))
        return ib_op_fail(n, "magnitude or bias is not one of %lld rows", (long long)ib_matrix_rows(a->w));
    return ib_tensor_set_shape(out, 2, (int64_t[]){x->shape[0], ib_matrix_rows(a->w)});
}

/* An adapter's factor runs through the products of frozen matrices, with their arithmetic. */
static const ib_matrix *factor(ib_graph *g, const ib_tensor *t)
{
    return ib_graph_matrix(g, t->shape[0], t->shape[1], ib_f32(t));
}

/* For products with w and with its adapter's factors, which are smaller but for ranks above both sides. */
static float *scratch_of(ib_graph *g, const ib_matrix *w, int64_t rows, int64_t r)
{
    const int64_t out = ib_matrix_rows(w), in = ib_matrix_cols(w);
    const ib_matrix *all = ib_graph_matrix(g, out > r ? out : r, in > r ? in : r, NULL);
    return all ? ib_graph_numbers(g, (size_t)V(g)->frozen_words(g->dev, all, rows) * sizeof(float)) : NULL;
}

/* drop(x), or x itself */
static const float *dropped(ib_graph *g, ib_node *n)
{
    const lora_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X];
    if (!n->saved[MASK])
        return ib_f32(x);
    float *y = ib_graph_numbers(g, (size_t)x->size * sizeof *y);
    if (y) {
        V(g)->fill(g->dev, y, 0, (size_t)x->size * sizeof *y);
        K(g)->masked_add(g->dev, ib_f32(x), n->saved[MASK], y, x->size, 1.0f / (1.0f - a->dropout));
    }
    return y;
}

/* c_o = m_o / ||w_o + s b_o A||; rows of the adapted matrix are made a tile at a time */
static ib_status magnitudes(ib_graph *g, ib_node *n)
{
    enum { TILE = 32 };
    const lora_attrs *a = n->attrs;
    const int64_t rows = ib_matrix_rows(a->w), cols = ib_matrix_cols(a->w), r = n->in[A]->shape[0];
    float *c = n->saved[C] = ib_graph_numbers(g, (size_t)rows * sizeof *c);
    const ib_mark mark = ib_graph_mark(g);
    float *t = ib_graph_numbers(g, (size_t)(TILE * cols) * sizeof *t),
          *sb = ib_graph_numbers(g, (size_t)(TILE * r) * sizeof *sb);
    if (!c || !t || !sb)
        return IB_ENOMEM;
    for (int64_t o = 0; o < rows; o += TILE) {
        const int64_t m = rows - o < TILE ? rows - o : TILE;
        K(g)->decode(g->dev, a->w, o * cols, m * cols, t);
        V(g)->copy(g->dev, sb, ib_f32(n->in[B]) + o * r, (size_t)(m * r) * sizeof *sb);
        K(g)->scale(g->dev, sb, m * r, a->scale);
        K(g)->gemm(g->dev, 0, 0, m, cols, r, sb, ib_f32(n->in[A]), 1.0f, t);
        K(g)->magnitudes(g->dev, t, m, cols, ib_f32(n->in[M]) + o, c + o);
    }
    ib_graph_release(g, mark);
    return IB_OK;
}

/* y = x W' of the matrix that the forward runs on, and the adapter's (s h) B' on top of it */
static ib_status product(ib_graph *g, ib_node *n, float *y)
{
    const lora_attrs *a = n->attrs;
    const int64_t rows = n->in[X]->shape[0];
    const int coded = a->integer && ib_is_coded(a->forward);
    ib_shared_codes own = {0};
    const ib_coded_rows x = {rows, n->in[X]->shape[1], ib_f32(n->in[X]), a->shared ? a->shared : &own};
    ib_mark mark = ib_graph_mark(g);
    if (coded && ib_coded_product(g, n, a->forward, &x, y))
        return IB_ENOMEM;
    if (a->shared) /* what is shared stays */
        mark = ib_graph_mark(g);
    float *scratch = scratch_of(g, a->forward, rows, n->in[A] ? n->in[A]->shape[0] : 0);
    if (!scratch)
        return IB_ENOMEM;
    if (!coded)
        K(g)->frozen_mul(g->dev, a->forward, rows, ib_f32(n->in[X]), 0, y, scratch);
    if (n->in[A] && a->forward == a->w) {
        const ib_matrix *fb = factor(g, n->in[B]);
        if (!fb)
            return IB_ENOMEM;
        K(g)->frozen_mul(g->dev, fb, rows, n->saved[HS], 1, y, scratch);
    }
    ib_graph_release(g, mark);
    return IB_OK;
}

static ib_status lora_forward(ib_graph *g, ib_node *n)
{
    const lora_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X];
    const int64_t rows = x->shape[0], out = ib_matrix_rows(a->w);
    float *y = ib_f32(n->out);
    if (n->in[M] && magnitudes(g, n))
        return IB_ENOMEM;
    if (n->in[A]) {
        const int64_t r = n->in[A]->shape[0];
        float *hs = n->saved[HS] = ib_graph_numbers(g, (size_t)(rows * r) * sizeof *hs);
        if (!hs)
            return IB_ENOMEM;
        if (a->dropout > 0 && g->mode == IB_TRAIN) {
            if (!(n->saved[MASK] = ib_graph_numbers(g, (size_t)(x->size + 7) / 8)))
                return IB_ENOMEM;
            K(g)->dropout_mask(g->dev, n->saved[MASK], x->size, a->dropout,
                               (ib_rng){g->seed, g->step << 16 | g->draws++});
        }
        const ib_mark mark = ib_graph_mark(g);
        const float *xd = dropped(g, n);
        if (!xd)
            return IB_ENOMEM;
        const ib_matrix *fa = factor(g, n->in[A]);
        float *scratch = fa ? scratch_of(g, fa, rows, r) : NULL;
        if (!scratch)
            return IB_ENOMEM;
        K(g)->frozen_mul(g->dev, fa, rows, xd, 0, hs, scratch);
        K(g)->scale(g->dev, hs, rows * r, a->scale);
        ib_graph_release(g, mark);
    }
    if (a->no_output && !n->in[M])
        return IB_OK;
    ib_status failed = IB_OK;
    void *kept = a->keep ? ib_memo_next(g, (size_t)K(g)->kept_bytes(g->dev, n->out->size), &failed) : NULL;
    if (kept && g->replaying) {
        K(g)->recall(g->dev, kept, n->out->size, y);
        return IB_OK;
    }
    if (failed || product(g, n, y))
        return IB_ENOMEM;
    if (n->saved[C])
        K(g)->mul_rows(g->dev, y, n->saved[C], rows, out);
    if (n->in[BIAS])
        K(g)->add_rows(g->dev, y, ib_f32(n->in[BIAS]), rows, out);
    if (a->keep && !a->integer)
        K(g)->keep(g->dev, y, n->out->size, kept);
    return IB_OK;
}

/* out[r,cols] += small[n,r]' big[n,cols], as the gradient of a product with big for a frozen matrix */
static ib_status outer(ib_graph *g, int64_t n, int64_t r, int64_t cols, const float *small, const float *big,
                       float *out)
{
    const ib_mark mark = ib_graph_mark(g);
    const ib_matrix *w = ib_graph_matrix(g, n, cols, big);
    float *t = ib_graph_numbers(g, (size_t)(n * r) * sizeof *t), *scratch = w ? scratch_of(g, w, r, 0) : NULL;
    if (!t || !scratch)
        return IB_ENOMEM;
    const ib_strides transposed = {{1, r, n}, {0, 1, r}, {0, n, 1}};
    K(g)->copy_strided(g->dev, &transposed, small, sizeof *t, t);
    K(g)->frozen_mul_grad(g->dev, w, r, t, out, scratch);
    ib_graph_release(g, mark);
    return IB_OK;
}

/* Where to add the gradients of the inputs, NULL: nowhere. */
typedef struct grads {
    float *x, *a, *b, *m, *bias;
} grads;

/* e = c dy of DoRA's factor c, and dm; NULL if memory is out */
static const float *through_magnitudes(ib_graph *g, const ib_node *n, float *dm)
{
    const int64_t rows = n->out->shape[0], out = n->out->shape[1];
    float *e = ib_graph_numbers(g, (size_t)(rows * out) * sizeof *e);
    if (e)
        K(g)->magnitudes_grad(g->dev, rows, out,
                              &(ib_magnitude_grads){.y = ib_f32(n->out),
                                                    .dy = n->out->grad,
                                                    .m = ib_f32(n->in[M]),
                                                    .c = n->saved[C],
                                                    .bias = n->in[BIAS] ? ib_f32(n->in[BIAS]) : NULL,
                                                    .dm = dm,
                                                    .dz = e});
    return e;
}

/* dB[out,r] += e' (s h), by its transpose, which has long rows */
static ib_status b_backward(ib_graph *g, const ib_node *n, const float *e, float *db)
{
    const int64_t rows = n->out->shape[0], out = n->out->shape[1], r = n->in[A]->shape[0];
    float *t = ib_graph_numbers(g, (size_t)(r * out) * sizeof *t);
    if (!t)
        return IB_ENOMEM;
    V(g)->fill(g->dev, t, 0, (size_t)(r * out) * sizeof *t);
    if (outer(g, rows, r, out, n->saved[HS], e, t))
        return IB_ENOMEM;
    const ib_strides transposed = {{1, out, r}, {0, 1, out}, {0, r, 1}};
    K(g)->add_strided(g->dev, &transposed, t, db);
    return IB_OK;
}

/* dx += drop'(dh A) */
static ib_status dropped_backward(ib_graph *g, const ib_node *n, const float *dh, float *dx, float *scratch)
{
    const lora_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X];
    const ib_matrix *fa = factor(g, n->in[A]);
    float *t = ib_graph_numbers(g, (size_t)x->size * sizeof *t);
    if (!fa || !t)
        return IB_ENOMEM;
    V(g)->fill(g->dev, t, 0, (size_t)x->size * sizeof *t);
    K(g)->frozen_mul_grad(g->dev, fa, x->shape[0], dh, t, scratch);
    K(g)->masked_add(g->dev, t, n->saved[MASK], dx, x->size, 1.0f / (1.0f - a->dropout));
    return IB_OK;
}

/* dh = s e B    dA += dh' drop(x)    dB += e' (s h)    dx += drop'(dh A) */
static ib_status factors_backward(ib_graph *g, ib_node *n, const float *e, const grads *d, float *scratch)
{
    const lora_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X];
    const int64_t rows = x->shape[0], r = n->in[A]->shape[0];
    const ib_matrix *fa = factor(g, n->in[A]), *fb = factor(g, n->in[B]);
    float *dh = ib_graph_numbers(g, (size_t)(rows * r) * sizeof *dh);
    const float *xd = dropped(g, n);
    if (!fa || !fb || !dh || !xd)
        return IB_ENOMEM;
    V(g)->fill(g->dev, dh, 0, (size_t)(rows * r) * sizeof *dh);
    K(g)->frozen_mul_grad(g->dev, fb, rows, e, dh, scratch);
    K(g)->scale(g->dev, dh, rows * r, a->scale);
    if ((d->b && b_backward(g, n, e, d->b)) || (d->a && outer(g, rows, r, ib_matrix_cols(a->w), dh, xd, d->a)))
        return IB_ENOMEM;
    if (d->x && n->saved[MASK])
        return dropped_backward(g, n, dh, d->x, scratch);
    if (d->x && a->forward == a->w)
        K(g)->frozen_mul_grad(g->dev, fa, rows, dh, d->x, scratch);
    return IB_OK;
}

/* dx += e W and what passes through the factors, e = c dy */
static ib_status lora_backward(ib_graph *g, ib_node *n)
{
    const lora_attrs *a = n->attrs;
    const int64_t rows = n->out->shape[0], out = n->out->shape[1], r = n->in[A] ? n->in[A]->shape[0] : 0;
    ib_status failed = IB_OK;
    const grads d = {ib_grad_of(g, n->in[X], &failed), ib_grad_of(g, n->in[A], &failed),
                     ib_grad_of(g, n->in[B], &failed), ib_grad_of(g, n->in[M], &failed),
                     ib_grad_of(g, n->in[BIAS], &failed)};
    const ib_mark mark = ib_graph_mark(g);
    float *scratch = scratch_of(g, a->forward, rows, r);
    if (failed || !scratch)
        return IB_ENOMEM;
    if (d.bias)
        K(g)->col_sum(g->dev, n->out->grad, rows, out, d.bias);
    const float *e = n->saved[C] ? through_magnitudes(g, n, d.m) : n->out->grad;
    if (!e || (r && factors_backward(g, n, e, &d, scratch)))
        return IB_ENOMEM;
    if (d.x)
        K(g)->frozen_mul_grad(g->dev, a->forward, rows, e, d.x, scratch);
    ib_graph_release(g, mark);
    return IB_OK;
}

static const float sample_values[] = {0.3f, -0.7f, 0.2f, 0.9f, -0.4f, 0.6f, -0.1f, 0.8f, 0.5f, -0.9f, 0.4f, -0.2f};
static const ib_matrix *sample_matrix(ib_graph *g)
{
    const float *values = ib_graph_uploaded(g, sample_values, sizeof sample_values);
    return values ? ib_graph_matrix(g, 3, 4, values) : NULL;
}
static ib_tensor *frozen_sample(ib_graph *g, ib_tensor **in)
{
    return ib_frozen_linear(g, in[0], sample_matrix(g), in[1]);
}
static ib_tensor *lora_sample(ib_graph *g, ib_tensor **in)
{
    return ib_lora_linear(g, in[0], sample_matrix(g), NULL, &(ib_lora_opts){.a = in[1], .b = in[2], .scale = 0.5f});
}
static ib_tensor *lora_dropout_sample(ib_graph *g, ib_tensor **in)
{
    return ib_lora_linear(g, in[0], sample_matrix(g), NULL,
                          &(ib_lora_opts){.a = in[1], .b = in[2], .scale = 0.5f, .dropout = 0.4f});
}
/* the norm is a constant to the gradient, so only the magnitude's can be compared with differences */
static ib_tensor *dora_sample(ib_graph *g, ib_tensor **in)
{
    static const float small[] = {0.1f, -0.2f, 0.3f, 0.1f,  0.2f, 0.1f, -0.3f,
                                  0.2f, 0.1f,  0.3f, -0.2f, 0.1f, 0.2f, 0.1f};
    ib_tensor *a = ib_input(g, 2, (int64_t[]){2, 4}, small), *b = ib_input(g, 2, (int64_t[]){3, 2}, small + 8);
    return ib_lora_linear(g, in[0], sample_matrix(g), in[2],
                          &(ib_lora_opts){.a = a, .b = b, .m = in[1], .scale = 0.5f});
}

const ib_op ib_op_lora = {
    .name = "lora",
    .inputs = "x a b m bias",
    .attrs_bytes = sizeof(lora_attrs),
    .n_required = 1,
    .shape = lora_shape,
    .forward = lora_forward,
    .backward = lora_backward,
    .samples = (const ib_sample[]){
        {"frozen", 2, {{2, {5, 4}, -1, 1}, {1, {3}, -1, 1}}, frozen_sample, 0},
        {"frozen, few rows", 2, {{2, {2, 4}, -1, 1}, {1, {3}, -1, 1}}, frozen_sample, 0},
        {"lora", 3, {{2, {5, 4}, -1, 1}, {2, {2, 4}, -1, 1}, {2, {3, 2}, -1, 1}}, lora_sample, 0},
        {"dropout", 3, {{2, {5, 4}, -1, 1}, {2, {2, 4}, -1, 1}, {2, {3, 2}, -1, 1}}, lora_dropout_sample, 0},
        {"dora", 3, {{2, {5, 4}, -1, 1}, {1, {3}, 0.5f, 1}, {1, {3}, -1, 1}}, dora_sample, 0},
        {0}}};

ib_tensor *ib_lora_linear_sharing(ib_graph *g, ib_tensor *x, const ib_matrix *w, ib_tensor *bias,
                                  const ib_lora_opts *opts, ib_shared_codes *shared)
{
    IB_GIVEN(x);
    if (ib_tap_pass(g, x))
        return NULL;
    ib_tensor *const in[] = {x, opts->a, opts->b, opts->merged ? NULL : opts->m, bias};
    ib_device *dev = ib_side_for(g, in, 5)->dev;
    const ib_matrix *forward = ib_matrix_on(opts->merged ? opts->merged : w, dev);
    if (!forward || !(w = opts->merged ? ib_matrix_on(w, dev) : forward))
        return NULL;
    const lora_attrs a = {w, forward, opts->scale, opts->dropout, opts->keep, opts->no_output, opts->integer, shared};
    return IB_APPLY(g, &ib_op_lora, &a, x, opts->a, opts->b, opts->merged ? NULL : opts->m, bias);
}

ib_tensor *ib_lora_linear(ib_graph *g, ib_tensor *x, const ib_matrix *w, ib_tensor *bias, const ib_lora_opts *opts)
{
    IB_GIVEN(x);
    IB_NEED_OR(w, NULL);
    IB_NEED_OR(opts, NULL);
    IB_TAKE_OR(opts->a, !opts->a == !opts->b, NULL, "and opts->b: %s of the two is NULL", "one");
    IB_TAKE_OR(opts->m, !opts->m || opts->a, NULL, "is there without %s", "opts->a and opts->b");
    IB_TAKE_OR(opts->scale, isfinite(opts->scale), NULL, "is %g", opts->scale);
    IB_TAKE_OR(opts->dropout, opts->dropout >= 0 && opts->dropout < 1, NULL, "is %g, which is not in [0, 1)",
               opts->dropout);
    const int64_t rows = ib_matrix_rows(w), cols = ib_matrix_cols(w);
    IB_TAKE_OR(opts->merged,
               !opts->merged || (ib_matrix_rows(opts->merged) == rows && ib_matrix_cols(opts->merged) == cols), NULL,
               "is not %lldx%lld as w is", (long long)rows, (long long)cols);
    IB_TAKE_OR(opts->integer, !opts->integer || g->mode != IB_TRAIN, NULL,
               "is set in %s: products of codes have no "
               "gradient",
               "training");
    return ib_lora_linear_sharing(g, x, w, bias, opts, NULL);
}

ib_tensor *ib_frozen_linear(ib_graph *g, ib_tensor *x, const ib_matrix *w, ib_tensor *bias)
{
    IB_GIVEN(x);
    IB_NEED_OR(w, NULL);
    return ib_lora_linear(g, x, w, bias, &(ib_lora_opts){0});
}
