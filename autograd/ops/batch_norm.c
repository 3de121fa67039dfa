/* batch_norm.c - batch norm, with a ReLU behind it or without. */
#include <math.h>

#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/argument.h"

static ib_planes planes_of(const ib_tensor *x)
{
    const int64_t n = x->shape[0], c = x->shape[1];
    return (ib_planes){.n = n, .c = c, .hw = x->size / (n * c)};
}

static ib_status batch_norm_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *x = n->in[0];
    const ib_bn_attrs *a = n->attrs;
    char text[64];
    if (x->ndim != 2 && x->ndim != 4)
        return ib_op_fail(n, "input is %s, N,C or N,C,H,W is needed", ib_tensor_shape_text(x, text, sizeof text));
    const int64_t c = x->shape[1];
    if (n->in[1]->size != c || n->in[2]->size != c || a->mean->size != c || a->var->size != c)
        return ib_op_fail(n, "input %s but parameters of %lld channels", ib_tensor_shape_text(x, text, sizeof text),
                          (long long)n->in[1]->size);
    return ib_same_shape(x, out, 0);
}

/* y = (x - mean) / sqrt(var + eps) gamma + beta; saved: mean, rstd. Running statistics are leaves, no inputs. */
static ib_status batch_norm_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0];
    const ib_bn_attrs *a = n->attrs;
    const ib_planes s = planes_of(x);
    const int64_t c = s.c;
    ib_status status = IB_OK;
    if ((status = ib_graph_use(g, a->mean)) || (status = ib_graph_use(g, a->var)))
        return status;
    float *mean = n->saved[0] = ib_graph_numbers(g, (size_t)c * sizeof(float));
    float *rstd = n->saved[1] = ib_graph_numbers(g, (size_t)c * sizeof(float));
    if (!mean || !rstd)
        return IB_ENOMEM;
    if (g->mode == IB_TRAIN) {
        const int64_t count = x->size / c;
        if (count < 2)
            return ib_op_fail(n, "a batch of one value a channel has no variance to train with");
        K(g)->bn_stats(g->dev, &s, ib_f32(x), mean, rstd);
        K(g)->bn_track(g->dev, c, count, a->momentum, mean, rstd, ib_f32(a->mean), ib_f32(a->var));
        K(g)->bn_rstd(g->dev, c, rstd, a->eps, rstd);
    } else {
        V(g)->copy(g->dev, mean, a->mean->data, (size_t)c * sizeof(float));
        K(g)->bn_rstd(g->dev, c, ib_f32(a->var), a->eps, rstd);
    }
    K(g)->bn_apply(g->dev, &s,
                   &(ib_norm){.x = ib_f32(x),
                              .gamma = ib_f32(n->in[1]),
                              .beta = ib_f32(n->in[2]),
                              .relu = a->relu,
                              .mean = mean,
                              .rstd = rstd,
                              .y = ib_f32(n->out)});
    return IB_OK;
}

static ib_status batch_norm_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const ib_planes s = planes_of(n->in[0]);
    int fresh;
    float *dx = ib_grad_fresh(g, n->in[0], &fresh, &failed), *dgamma = ib_grad_of(g, n->in[1], &failed);
    float *dbeta = ib_grad_of(g, n->in[2], &failed);
    const ib_bn_attrs *a = n->attrs;
    K(g)->bn_grad(g->dev, &s,
                  &(ib_norm_grads){.x = ib_f32(n->in[0]),
                                   .dy = n->out->grad,
                                   .mean = n->saved[0],
                                   .rstd = n->saved[1],
                                   .gamma = ib_f32(n->in[1]),
                                   .dx = dx,
                                   .dgamma = dgamma,
                                   .dbeta = dbeta,
                                   .relu = a->relu ? ib_f32(n->out) : NULL,
                                   .batch = g->mode == IB_TRAIN,
                                   .sets_dx = fresh});
    return failed;
}

/* Running statistics of a sample are two more leaves, whose values do not matter to a training forward. */
static ib_tensor *bn_sample(ib_graph *g, ib_tensor **in)
{
    return ib_batch_norm(g, in[0], in[1], in[2], in[2], in[3], 1e-20f, 0);
}

static ib_tensor *bn_relu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_batch_norm_relu(g, in[0], in[1], in[2], in[2], in[3], 1e-20f, 0);
}

const ib_op ib_op_batch_norm = {
    .name = "batch_norm",
    .inputs = "x gamma beta",
    .attrs_bytes = sizeof(ib_bn_attrs),
    .n_required = 3,
    .shape = batch_norm_shape,
    .forward = batch_norm_forward,
    .backward = batch_norm_backward,
    .samples = (const ib_sample[]){
        {"4d", 4, {{4, {3, 2, 3, 2}, -1, 1}, {1, {2}, 0.5f, 1}, {1, {2}, -1, 1}, {1, {2}, 1, 2}}, bn_sample, 0, 1},
        {"4d, relu",
         4,
         {{4, {3, 2, 3, 2}, -1, 1}, {1, {2}, 0.5f, 1}, {1, {2}, -1, 1}, {1, {2}, 1, 2}},
         bn_relu_sample,
         0,
         1},
        {"2d", 4, {{2, {6, 3}, -1, 1}, {1, {3}, 0.5f, 1}, {1, {3}, -1, 1}, {1, {3}, 1, 2}}, bn_sample, 0, 1},
        {0}}};

static ib_tensor *apply(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, ib_tensor *mean, ib_tensor *var,
                        float momentum, float eps, int relu)
{
    const ib_bn_attrs a = {mean, var, momentum > 0 ? momentum : 0.1f, eps > 0 ? eps : 1e-5f, relu};
    return IB_APPLY(g, &ib_op_batch_norm, &a, x, gamma, beta);
}

/* Of both public functions, so that each names itself. */
#define GIVEN()                                                                                                        \
    do {                                                                                                               \
        IB_GIVEN(x);                                                                                                   \
        IB_GIVEN(gamma);                                                                                               \
        IB_GIVEN(beta);                                                                                                \
        IB_GIVEN(running_mean);                                                                                        \
        IB_GIVEN(running_var);                                                                                         \
        IB_TAKE_OR(momentum, momentum >= 0 && momentum <= 1, NULL, "is %g, which is not in [0, 1]", momentum);         \
        IB_TAKE_OR(eps, eps >= 0 && isfinite(eps), NULL, "is %g", eps);                                                \
    } while (0)

ib_tensor *ib_batch_norm(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, ib_tensor *running_mean,
                         ib_tensor *running_var, float momentum, float eps)
{
    GIVEN();
    return apply(g, x, gamma, beta, running_mean, running_var, momentum, eps, 0);
}

ib_tensor *ib_batch_norm_relu(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, ib_tensor *running_mean,
                              ib_tensor *running_var, float momentum, float eps)
{
    GIVEN();
    return apply(g, x, gamma, beta, running_mean, running_var, momentum, eps, 1);
}
