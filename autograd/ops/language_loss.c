/* language_loss.c - cross-entropy over a vocabulary, in chunks of 256 rows: no logits outlive their chunk. Training
 * makes dx in the forward pass while a chunk's logits are at hand; the backward pass only scales it. */
#include <math.h>

#include "autograd/coded_product.h"
#include "base/argument.h"
#include "base/assert.h"

enum { CHUNK = 256 };
enum { X, W };
enum { DX, DW }; /* saved: gradients for an upstream gradient of 1 */

typedef struct loss_attrs {
    const ib_matrix *head; /* frozen [vocabulary, d], or NULL: input W */
    const int32_t *target; /* [n], -1: no target */
    float scale;
    float *nll;  /* the host's, [n], or NULL: each row's loss */
    int integer; /* logits of a frozen head in integers, where it has such products */
    float cap;   /* logits l become cap tanh(l / cap); 0: they stay */
} loss_attrs;

static ib_status loss_shape(ib_node *n, ib_tensor *out)
{
    const loss_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X];
    const int64_t d = a->head ? ib_matrix_cols(a->head) : n->in[W]->shape[1],
                  vocabulary = a->head ? ib_matrix_rows(a->head) : n->in[W]->shape[0];
    if (x->ndim != 2 || x->shape[1] != d)
        return ib_op_fail(n, "rows of %lld for a head of %lld", (long long)x->shape[x->ndim - 1], (long long)d);
    for (int64_t i = 0; i < x->shape[0]; i++)
        if (a->target[i] < -1 || a->target[i] >= vocabulary)
            return ib_op_fail(n, "target %d at %lld, but there are %lld tokens", a->target[i], (long long)i,
                              (long long)vocabulary);
    return ib_tensor_set_shape(out, 1, (int64_t[]){1});
}

/* Whether a row of rows i .. i + m has a target. */
static int any_target(const loss_attrs *a, int64_t i, int64_t m)
{
    int any = 0;
    for (int64_t j = i; j < i + m; j++)
        any |= a->target[j] >= 0;
    return any;
}

static ib_status loss_forward(ib_graph *g, ib_node *n)
{
    const loss_attrs *a = n->attrs;
    const ib_tensor *x = n->in[X], *w = n->in[W];
    const int64_t rows = x->shape[0], d = x->shape[1], vocabulary = a->head ? ib_matrix_rows(a->head) : w->shape[0];
    const int train = g->mode == IB_TRAIN && !g->no_tape, dx_wanted = train && x->needs_grad,
              dw_wanted = train && w && w->needs_grad, coded = a->integer && ib_is_coded(a->head);
    float *dx = dx_wanted ? n->saved[DX] = ib_graph_numbers(g, (size_t)x->size * sizeof *dx) : NULL;
    float *dw = dw_wanted ? n->saved[DW] = ib_graph_numbers(g, (size_t)w->size * sizeof *dw) : NULL;
    const ib_mark mark = ib_graph_mark(g);
    const int64_t most = a->cap > 0 && (dx || dw) ? CHUNK / 2 : CHUNK; /* capped ones are needed for their gradient */
    float *logits = ib_graph_numbers(g, (size_t)(CHUNK * vocabulary) * sizeof *logits), *capped = logits;
    float *scratch =
        a->head ? ib_graph_numbers(g, (size_t)V(g)->frozen_words(g->dev, a->head, CHUNK) * sizeof *scratch) : NULL;
    float *nll = ib_graph_numbers(g, (size_t)rows * sizeof *nll);
    const int32_t *target = ib_graph_uploaded(g, a->target, (size_t)rows * sizeof *target);
    if ((dx_wanted && !dx) || (dw_wanted && !dw) || !logits || (a->head && !scratch) || !nll || !target)
        return IB_ENOMEM;
    if (dx)
        V(g)->fill(g->dev, dx, 0, (size_t)x->size * sizeof *dx);
    if (dw)
        V(g)->fill(g->dev, dw, 0, (size_t)w->size * sizeof *dw);
    for (int64_t i = 0; i < rows; i += most) {
        const int64_t m = rows - i < most ? rows - i : most;
        const float *xi = ib_f32(x) + i * d;
        if (!any_target(a, i, m)) { /* a chunk of prompts costs nothing */
            V(g)->fill(g->dev, nll + i, 0, (size_t)m * sizeof *nll);
            continue;
        }
        ib_shared_codes codes = {0};
        const ib_mark chunk = ib_graph_mark(g);
        if (coded && ib_coded_product(g, n, a->head, &(ib_coded_rows){m, d, xi, &codes}, logits))
            return IB_ENOMEM;
        ib_graph_release(g, chunk);
        if (a->head && !coded)
            K(g)->frozen_mul(g->dev, a->head, m, xi, 0, logits, scratch);
        else if (!a->head)
            K(g)->gemm(g->dev, 0, 1, m, vocabulary, d, xi, ib_f32(w), 0.0f, logits);
        if (a->cap > 0)
            K(g)->soft_cap(g->dev, logits, m * vocabulary, a->cap);
        if (a->cap > 0 && (dx || dw))
            V(g)->copy(g->dev, capped = logits + most * vocabulary, logits, (size_t)(m * vocabulary) * sizeof *logits);
        K(g)->nll_rows(g->dev, logits, target + i, m, vocabulary, a->scale, dx || dw, nll + i);
        if (a->cap > 0 && (dx || dw))
            K(g)->soft_cap_grad(g->dev, capped, m * vocabulary, a->cap, logits);
        if (dx && a->head)
            K(g)->frozen_mul_grad(g->dev, a->head, m, logits, dx + i * d, scratch);
        else if (dx)
            K(g)->gemm(g->dev, 0, 0, m, d, vocabulary, logits, ib_f32(w), 0.0f, dx + i * d);
        if (dw)
            K(g)->gemm(g->dev, 1, 0, vocabulary, d, m, logits, xi, 1.0f, dw);
    }
    K(g)->nll_sum(g->dev, nll, rows, a->scale, ib_f32(n->out));
    if (a->nll)
        V(g)->download(g->dev, a->nll, nll, (size_t)rows * sizeof *nll);
    ib_graph_release(g, mark);
    return IB_OK;
}

static ib_status loss_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[X], &failed), *dw = ib_grad_of(g, n->in[W], &failed);
    if (dx && n->saved[DX])
        K(g)->axpy_by(g->dev, dx, n->saved[DX], n->in[X]->size, 1.0f, n->out->grad);
    if (dw && n->saved[DW])
        K(g)->axpy_by(g->dev, dw, n->saved[DW], n->in[W]->size, 1.0f, n->out->grad);
    return failed;
}

static const int32_t sample_target[] = {2, -1, 0, 4};
static ib_tensor *loss_sample(ib_graph *g, ib_tensor **in)
{
    return ib_language_loss(g, in[0], NULL, in[1], sample_target, 0.5f, NULL);
}
static const float sample_head[] = {0.3f, -0.7f, 0.2f, 0.9f,  -0.4f, 0.6f, -0.1f, 0.8f,
                                    0.5f, -0.9f, 0.4f, -0.2f, 0.3f,  0.1f, -0.6f};
static ib_tensor *frozen_loss_sample(ib_graph *g, ib_tensor **in)
{
    const float *head = ib_graph_uploaded(g, sample_head, sizeof sample_head);
    return ib_language_loss(g, in[0], head ? ib_graph_matrix(g, 5, 3, head) : NULL, NULL, sample_target, 0.5f, NULL);
}

static ib_tensor *capped_loss_sample(ib_graph *g, ib_tensor **in)
{
    return ib_language_loss_with(g, in[0], in[1],
                                 &(ib_language_loss_opts){.target = sample_target, .scale = 0.5f, .cap = 0.7f});
}

const ib_op ib_op_language_loss = {
    .name = "language_loss",
    .inputs = "x w",
    .attrs_bytes = sizeof(loss_attrs),
    .n_required = 1,
    .shape = loss_shape,
    .forward = loss_forward,
    .backward = loss_backward,
    .samples =
        (const ib_sample[]){{"trained head", 2, {{2, {4, 3}, -1, 1}, {2, {5, 3}, -1, 1}}, loss_sample, 0},
                            {"capped logits", 2, {{2, {4, 3}, -1, 1}, {2, {5, 3}, -1, 1}}, capped_loss_sample, 0},
                            {"frozen head", 1, {{2, {4, 3}, -1, 1}}, frozen_loss_sample, 0},
                            {0}}};

ib_tensor *ib_language_loss_with(ib_graph *g, ib_tensor *x, ib_tensor *w, const ib_language_loss_opts *o)
{
    const ib_matrix *head = o->head;
    IB_GIVEN(x);
    if (!head)
        IB_GIVEN(w);
    IB_ASSERT(g->mode != IB_TRAIN || !o->integer, "products of codes have no gradient");
    if (head && !(head = ib_matrix_on(head, ib_side_for(g, (ib_tensor *[]){x}, 1)->dev)))
        return NULL;
    return IB_APPLY(g, &ib_op_language_loss,
                    (&(loss_attrs){head, o->target, o->scale, o->nll, head && o->integer, o->cap}), x, head ? NULL : w);
}

ib_tensor *ib_language_loss(ib_graph *g, ib_tensor *x, const ib_matrix *head, ib_tensor *w, const int32_t *target,
                            float scale, float *nll)
{
    IB_GIVEN(x);
    IB_NEED_OR(target, NULL);
    if (!head)
        IB_GIVEN(w);
    IB_TAKE_OR(scale, isfinite(scale), NULL, "is %g", scale);
    return ib_language_loss_with(g, x, w,
                                 &(ib_language_loss_opts){.head = head, .target = target, .scale = scale, .nll = nll});
}
