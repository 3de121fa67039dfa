/* backward.c - the tape backwards. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "autograd/trace_node.h"
#include "base/argument.h"
#include "base/assert.h"
#include "base/number.h"
#include "base/trace.h"

float *ib_grad_fresh(ib_graph *g, ib_tensor *t, int *fresh, ib_status *failed)
{
    *fresh = 0;
    if (!t || !t->needs_grad)
        return NULL;
    IB_ASSERT(!t->step || t->step == g->now, "a gradient is of this step's results, or a leaf's");
    IB_ASSERT(t->dtype != IB_I32, "indices have no gradient");
    if (!t->grad && t->passes)
        return t->grad = ib_grad_fresh(g, t->passes, fresh, failed);
    if (!t->grad) {
        if (!(t->grad = ib_graph_numbers(g, (size_t)t->size * sizeof(float)))) {
            *failed = IB_ENOMEM;
            return NULL;
        }
        *fresh = 1;
    }
    return t->grad;
}

float *ib_grad_of(ib_graph *g, ib_tensor *t, ib_status *failed)
{
    int fresh;
    float *grad = ib_grad_fresh(g, t, &fresh, failed);
    if (fresh)
        memset(grad, 0, (size_t)t->size * sizeof(float));
    return grad;
}

/* "step 3: ... is nan" of a loss, or of the step's data; IB_OK where both are finite. */
static ib_status check_finite(const ib_graph *g, const ib_tensor *loss, const char *function)
{
    char text[64], what[160] = "loss";
    const ib_tensor *x = g->bad_input;
    double value = ib_f32(loss)[0];
    if (x) {
        const int64_t row = x->size / x->shape[0];
        ib_snprintf(what, sizeof what, "value %lld of sample %lld of the input %s", (long long)(g->not_finite % row),
                    (long long)(g->not_finite / row), ib_tensor_shape_text(x, text, sizeof text));
        value = ib_f32(x)[g->not_finite];
    } else if (isfinite(value)) {
        return IB_OK;
    }
    return ib_fail(IB_ENUMERIC, "%s: step %llu: %s is %g", function, (unsigned long long)g->step, what,
                   fabs(value)); /* without a NaN's sign */
}

/* A second pass starts from its own loss alone: gradients of results, which the first has left, would be passed on
 * again. */
static void forget_inner_gradients(ib_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        g->nodes[i].out->grad = NULL;
    g->free_grad = NULL;
}

/* One number of fp32, of this step. */
static ib_status check_loss(ib_graph *g, const ib_tensor *loss, const char *function)
{
    if (!loss)
        return ib_graph_failed(g) ? ib_error_status() : ib_fail_null_argument(function, "loss");
    if (ib_graph_owns(g, loss, function, "loss"))
        return ib_error_status();
    IB_TAKE_FOR(function, loss, loss->size == 1 && loss->dtype == IB_F32, IB_EINVAL, "has %lld elements, not 1 of fp32",
                (long long)loss->size);
    return IB_OK;
}

ib_status ib_backward(ib_graph *g, ib_tensor *loss)
{
    IB_NEED(g);
    const ib_status bad = check_loss(g, loss, __func__);
    if (bad)
        return bad;
    if (g->mode != IB_TRAIN || loss->node < 0)
        return ib_fail(IB_ESTATE, "ib_backward: loss is not on a tape (begin the step with IB_TRAIN)");
    ib_status failed = check_finite(g, loss, __func__);
    if (failed) { /* there are no gradients, which the optimizer must know of */
        atomic_store(&g->dev->refused, (int64_t)g->step + 1);
        return failed;
    }
    if (g->backwards++)
        forget_inner_gradients(g);
    float *seed = ib_grad_of(g, loss, &failed);
    if (!seed)
        return failed ? failed : ib_fail(IB_EINVAL, "ib_backward: nothing that loss depends on needs a gradient");
    *seed = 1.0f;
    return ib_backward_range(g, loss->node, 0);
}

ib_status ib_loss_value(ib_graph *g, ib_tensor *loss, float *value)
{
    IB_NEED(g);
    IB_NEED(value);
    const ib_status bad = check_loss(g, loss, __func__);
    if (bad)
        return bad;
    *value = ib_f32(loss)[0];
    return check_finite(g, loss, __func__);
}

ib_status ib_backward_range(ib_graph *g, int last, int first)
{
    IB_ASSERT(first >= 0 && last < g->n_nodes, "what goes backwards stands on the tape");
    for (int i = last; i >= first; i--) {
        ib_node n = g->nodes[i]; /* a copy: a backward function may itself apply operators */
        if (!n.out->grad || !n.op->backward)
            continue;
        IB_ASSERT(n.out->node == i, "a result knows its place on the tape");
        IB_ASSERT(n.out->step == g->now, "what is on the tape is of this step");
        const double began = ib_trace_begin();
        const ib_status status = n.op->backward(g, &n), fault = status ? status : ib_graph_fault(g, 0);
        if (fault)
            return fault;
        if (began)
            ib_trace_backward(&n, began);
    }
    return IB_OK;
}
