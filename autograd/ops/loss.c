/* loss.c - sums and losses, all [1]. */
#include <math.h>

#include "autograd/op.h"
#include "base/argument.h"

static ib_status one(ib_node *n, ib_tensor *out)
{
    (void)n;
    return ib_tensor_set_shape(out, 1, (int64_t[]){1});
}

static float divisor(const ib_node *n)
{
    return n->op == &ib_op_mean ? (float)n->in[0]->size : 1.0f;
}

static ib_status sum_forward(ib_graph *g, ib_node *n)
{
    K(g)->sum(g->dev, ib_f32(n->in[0]), n->in[0]->size, divisor(n), ib_f32(n->out));
    return IB_OK;
}

/* dx += dy (/ size) */
static ib_status sum_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->add_share(g->dev, dx, n->in[0]->size, n->out->grad, divisor(n));
    return failed;
}

static ib_tensor *sum_sample(ib_graph *g, ib_tensor **in)
{
    return ib_sum(g, in[0]);
}
static ib_tensor *mean_sample(ib_graph *g, ib_tensor **in)
{
    return ib_mean(g, in[0]);
}

const ib_op ib_op_sum = {.name = "sum",
                         .inputs = "x",
                         .n_required = 1,
                         .shape = one,
                         .forward = sum_forward,
                         .backward = sum_backward,
                         .samples = (const ib_sample[]){{"2d", 1, {{2, {3, 4}, -1, 1}}, sum_sample, 0}, {0}}};
const ib_op ib_op_mean = {.name = "mean",
                          .inputs = "x",
                          .n_required = 1,
                          .shape = one,
                          .forward = sum_forward,
                          .backward = sum_backward,
                          .samples = (const ib_sample[]){{"2d", 1, {{2, {3, 4}, -1, 1}}, mean_sample, 0}, {0}}};

ib_tensor *ib_sum(ib_graph *g, ib_tensor *x)
{
    return IB_APPLY(g, &ib_op_sum, NULL, x);
}

ib_tensor *ib_mean(ib_graph *g, ib_tensor *x)
{
    return IB_APPLY(g, &ib_op_mean, NULL, x);
}

/* ---- cross-entropy ---- */

enum { PROB, LABELS, WEIGHTS }; /* saved: the probabilities, and the caller's labels and weights on the device */

typedef struct xent_attrs {
    const int32_t *labels; /* the host's, as weights: `shape` looks at them */
    const float *weights;  /* [O], or NULL: 1 each */
    float smoothing;
    double divisor; /* of the sum of the losses: the weights of the labels */
} xent_attrs;

static ib_status xent_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *x = n->in[0];
    xent_attrs *a = n->attrs;
    char text[64];
    if (x->ndim != 2)
        return ib_op_fail(n, "logits are %s, [N,O] is needed", ib_tensor_shape_text(x, text, sizeof text));
    if (!(a->smoothing >= 0 && a->smoothing < 1))
        return ib_op_fail(n, "label smoothing %g is not in [0, 1)", a->smoothing);
    for (int64_t i = 0; i < x->shape[0]; i++)
        if (a->labels[i] < 0 || a->labels[i] >= x->shape[1])
            return ib_op_fail(n, "labels: label %d of sample %lld is not in 0..%lld", a->labels[i], (long long)i,
                              (long long)x->shape[1] - 1);
    for (int64_t j = 0; a->weights && j < x->shape[1]; j++)
        if (!(a->weights[j] >= 0 && isfinite(a->weights[j])))
            return ib_op_fail(n, "weights: that of class %lld is %g", (long long)j, a->weights[j]);
    for (int64_t i = 0; i < x->shape[0]; i++)
        a->divisor += a->weights ? a->weights[a->labels[i]] : 1;
    if (!(a->divisor > 0))
        return ib_op_fail(n, "weights: those of all %lld samples' classes are 0", (long long)x->shape[0]);
    return one(n, out);
}

static ib_class_loss classes_of(const ib_node *n)
{
    const ib_tensor *x = n->in[0];
    const xent_attrs *a = n->attrs;
    return (ib_class_loss){.rows = x->shape[0],
                           .cols = x->shape[1],
                           .label = n->saved[LABELS],
                           .weight = n->saved[WEIGHTS],
                           .smooth = a->smoothing,
                           .divisor = a->divisor};
}

static ib_status xent_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0];
    const xent_attrs *a = n->attrs;
    n->saved[PROB] = ib_graph_numbers(g, (size_t)x->size * sizeof(float));
    n->saved[LABELS] = ib_graph_uploaded(g, a->labels, (size_t)x->shape[0] * sizeof *a->labels);
    if (a->weights)
        n->saved[WEIGHTS] = ib_graph_uploaded(g, a->weights, (size_t)x->shape[1] * sizeof *a->weights);
    if (!n->saved[PROB] || !n->saved[LABELS] || (a->weights && !n->saved[WEIGHTS]))
        return IB_ENOMEM;
    const ib_class_loss classes = classes_of(n);
    K(g)->cross_entropy(g->dev, &classes, ib_f32(x), n->saved[PROB], ib_f32(n->out));
    return IB_OK;
}

static ib_status xent_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const ib_class_loss classes = classes_of(n);
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->cross_entropy_grad(g->dev, &classes, n->saved[PROB], n->out->grad, dx);
    return failed;
}

static const int32_t sample_labels[] = {2, 0, 4};
static ib_tensor *xent_sample(ib_graph *g, ib_tensor **in)
{
    return ib_cross_entropy(g, in[0], sample_labels, 0.1f);
}
static ib_tensor *weighted_sample(ib_graph *g, ib_tensor **in)
{
    static const float weights[] = {0.5f, 2, 3, 0, 1.25f};
    return ib_weighted_cross_entropy(g, in[0], sample_labels, weights, 0.1f);
}

const ib_op ib_op_cross_entropy = {
    .name = "cross_entropy",
    .inputs = "logits",
    .attrs_bytes = sizeof(xent_attrs),
    .n_required = 1,
    .shape = xent_shape,
    .forward = xent_forward,
    .backward = xent_backward,
    .samples = (const ib_sample[]){{"smoothing 0.1", 1, {{2, {3, 5}, -2, 2}}, xent_sample, 0}, {0}}};
const ib_op ib_op_weighted_cross_entropy = {
    .name = "weighted_cross_entropy",
    .inputs = "logits",
    .attrs_bytes = sizeof(xent_attrs),
    .n_required = 1,
    .shape = xent_shape,
    .forward = xent_forward,
    .backward = xent_backward,
    .samples = (const ib_sample[]){{"smoothing 0.1", 1, {{2, {3, 5}, -2, 2}}, weighted_sample, 0}, {0}}};

ib_tensor *ib_cross_entropy(ib_graph *g, ib_tensor *logits, const int32_t *labels, float smoothing)
{
    IB_NEED_OR(labels, NULL);
    return IB_APPLY(g, &ib_op_cross_entropy, (&(xent_attrs){labels, NULL, smoothing, 0}), logits);
}

ib_tensor *ib_weighted_cross_entropy(ib_graph *g, ib_tensor *logits, const int32_t *labels, const float *weights,
                                     float smoothing)
{
    IB_NEED_OR(labels, NULL);
    IB_NEED_OR(weights, NULL);
    return IB_APPLY(g, &ib_op_weighted_cross_entropy, (&(xent_attrs){labels, weights, smoothing, 0}), logits);
}

/* ---- mean squared error; saved: the difference ---- */

static ib_status mse_shape(ib_node *n, ib_tensor *out)
{
    char sa[64], sb[64];
    if (n->in[0]->size != n->in[1]->size)
        return ib_op_fail(n, "%s and %s differ", ib_tensor_shape_text(n->in[0], sa, sizeof sa),
                          ib_tensor_shape_text(n->in[1], sb, sizeof sb));
    return one(n, out);
}

static ib_status mse_forward(ib_graph *g, ib_node *n)
{
    const int64_t size = n->in[0]->size;
    if (!(n->saved[0] = ib_graph_numbers(g, (size_t)size * sizeof(float))))
        return IB_ENOMEM;
    K(g)->mse(g->dev, ib_f32(n->in[0]), ib_f32(n->in[1]), size, n->saved[0], ib_f32(n->out));
    return IB_OK;
}

/* da += 2 (a - b) / size dy    db -= the same */
static ib_status mse_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const float f = 2.0f / (float)n->in[0]->size;
    for (int i = 0; i < 2; i++) {
        float *d = ib_grad_of(g, n->in[i], &failed);
        if (d)
            K(g)->axpy_by(g->dev, d, n->saved[0], n->in[0]->size, i ? -f : f, n->out->grad);
    }
    return failed;
}

static ib_tensor *mse_sample(ib_graph *g, ib_tensor **in)
{
    return ib_mse(g, in[0], in[1]);
}

const ib_op ib_op_mse = {
    .name = "mse",
    .inputs = "a b",
    .n_required = 2,
    .shape = mse_shape,
    .forward = mse_forward,
    .backward = mse_backward,
    .samples = (const ib_sample[]){{"2d", 2, {{2, {3, 4}, -1, 1}, {2, {3, 4}, -1, 1}}, mse_sample, 0}, {0}}};

ib_tensor *ib_mse(ib_graph *g, ib_tensor *a, ib_tensor *b)
{
    return IB_APPLY(g, &ib_op_mse, NULL, a, b);
}
