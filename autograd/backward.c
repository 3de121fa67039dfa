/* backward.c - the tape backwards. */
#include <math.h>

#include "autograd/op.h"
#include "autograd/trace_node.h"
#include "base/argument.h"
#include "base/assert.h"
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
        V(g)->fill(g->dev, grad, 0, (size_t)t->size * sizeof(float));
    return grad;
}

void ib_pass_inside(ib_graph *g, const ib_node *n, ib_tensor *t, ib_status *failed)
{
    int fresh;
    float *dx = ib_grad_fresh(g, t, &fresh, failed);
    if (dx)
        (fresh ? K(g)->where : K(g)->grad_where)(g->dev, n->out->grad, n->saved[0], dx, n->out->size);
}

/* "ib_backward: step 3: loss is nan", or of the step's data. */
static ib_status say(const ib_graph *g, const ib_fault *f, const char *function)
{
    char text[64] = "";
    if (f->kind == IB_FAULT_data_not_finite && f->call < g->n_calls && g->calls[f->call].data)
        ib_tensor_shape_text(g->calls[f->call].data, text, sizeof text);
    const ib_status status = ib_fault_say(f, text);
    ib_error_prefix("%s", function);
    return status;
}

/* A second pass starts from its own loss alone: gradients of results, which the first has left, would be passed on
 * again. */
static void forget_inner_gradients(ib_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        g->nodes[i].out->grad = NULL;
    g->free_grad = NULL;
}

/* One number of fp32, which this step has computed and nobody has moved. */
static ib_status check_loss(ib_graph *g, const ib_tensor *loss, const char *function)
{
    if (!loss)
        return ib_graph_failed(g) ? ib_error_status() : ib_fail_null_argument(function, "loss");
    if (ib_graph_owns(g, loss, function, "loss"))
        return ib_error_status();
    if (!loss->step)
        return ib_fail(IB_ESTATE, "%s: loss is no result of this step, but lives by itself", function);
    if (ib_check_view(loss)) {
        ib_error_prefix("%s", function);
        return ib_error_status();
    }
    IB_TAKE_FOR(function, loss, loss->size == 1 && loss->dtype == IB_F32, IB_EINVAL, "has %lld elements, not 1 of fp32",
                (long long)loss->size);
    return IB_OK;
}

/* The next one of those on a device (NULL: on any) who follow what this step has used and have not heard of this pass;
 * NULL behind the last. */
static ib_follower *next_follower(const ib_graph *g, uint64_t pass, const ib_device *on)
{
    for (int i = 0; i < g->n_leaves; i++)
        for (const ib_follow_link *l = g->leaves[i].t->followers; l; l = l->next)
            if (l->who->told != pass && (!on || l->who->dev == on)) {
                l->who->told = pass;
                return l->who;
            }
    return NULL;
}

static int concerns_others(const ib_graph *g)
{
    for (int i = 0; i < g->n_leaves; i++)
        for (const ib_follow_link *l = g->leaves[i].t->followers; l; l = l->next)
            if (l->who->dev != g->dev)
                return 1;
    return g->n_sides > 1;
}

/* Whether there are gradients, as far as is known; where other devices are concerned, it is waited for. Followers on
 * the loss's device are told by the judge, those elsewhere, and all of a fault elsewhere, by hand. */
static ib_status judge(ib_graph *g, const ib_tensor *loss, const char *function)
{
    const ib_side *s = g->here;
    const ib_pass pass = {g->step, ib_graph_number()};
    const int waits = concerns_others(g);
    ib_fault f = {0};
    ib_follower *who = next_follower(g, pass.now, g->dev);
    do
        K(g)->judge(g->dev, ib_f32(loss), pass, s->fault, s->data, s->verdict, who ? who->refused : NULL);
    while (who && (who = next_follower(g, pass.now, g->dev)));
    (waits ? V(g)->download : V(g)->peek)(g->dev, &f, s->verdict, sizeof f);
    const int refused = f.kind && f.now == pass.now;
    const ib_status fault = waits && !refused ? ib_graph_fault(g, 1) : IB_OK;
    const uint64_t number = fault ? ib_graph_number() : pass.now; /* a fault's is news to all of them */
    const ib_fault why = {.kind = refused ? IB_FAULT_step_refused : IB_FAULT_step_failed, .step = g->step};
    while (waits && (refused || fault) && (who = next_follower(g, number, NULL)))
        who->dev->v.upload(who->dev, who->refused, &why, sizeof why);
    return refused ? say(g, &f, function) : fault;
}

static ib_status from_loss(ib_graph *g, ib_tensor *loss)
{
    ib_status failed = IB_OK;
    if (g->backwards++)
        forget_inner_gradients(g);
    float *seed = ib_grad_of(g, loss, &failed);
    if (!seed)
        return failed ? failed : ib_fail(IB_EINVAL, "ib_backward: nothing that loss depends on needs a gradient");
    K(g)->set(g->dev, seed, 1, 1.0f);
    return ib_backward_range(g, loss->node, 0);
}

ib_status ib_backward(ib_graph *g, ib_tensor *loss)
{
    IB_NEED(g);
    const ib_status bad = check_loss(g, loss, __func__);
    if (bad)
        return bad;
    if (g->mode != IB_TRAIN || loss->node < 0)
        return ib_fail(IB_ESTATE, "ib_backward: loss is not on a tape (begin the step with IB_TRAIN)");
    if (ib_check_used(g)) {
        ib_error_prefix("%s", __func__);
        return ib_error_status();
    }
    ib_side *was = g->here;
    ib_graph_turn(g, loss->side);
    const ib_status status = judge(g, loss, __func__), failed = status ? status : from_loss(g, loss);
    ib_graph_turn(g, was);
    return failed;
}

static int computes_late(const ib_graph *g)
{
    for (int i = 0; i < g->n_sides; i++)
        if (!g->sides[i]->dev->is_host)
            return 1;
    return 0;
}

ib_status ib_loss_value(ib_graph *g, ib_tensor *loss, float *value)
{
    IB_NEED(g);
    IB_NEED(value);
    const ib_status bad = check_loss(g, loss, __func__);
    if (bad)
        return bad;
    if (computes_late(g) && ib_graph_fault(g, 1)) /* on the host an operator has failed at once */
        return ib_error_status();
    ib_fault f;
    ib_device *dev = loss->side->dev;
    dev->v.download(dev, value, loss->data, sizeof *value);
    dev->v.download(dev, &f, loss->side->data, sizeof f);
    if (!f.kind && isfinite(*value))
        return IB_OK;
    if (!f.kind)
        f = (ib_fault){.kind = IB_FAULT_loss_not_finite, .value = {fabs(*value)}}; /* without a NaN's sign */
    f.step = g->step;
    return say(g, &f, __func__);
}

ib_status ib_backward_range(ib_graph *g, int last, int first)
{
    ib_side *was = g->here;
    ib_status fault = IB_OK;
    IB_ASSERT(first >= 0 && last < g->n_nodes, "what goes backwards stands on the tape");
    for (int i = last; i >= first && !fault; i--) {
        ib_node n = g->nodes[i]; /* a copy: a backward function may itself apply operators */
        if (!n.out->grad || !n.op->backward)
            continue;
        IB_ASSERT(n.out->node == i, "a result knows its place on the tape");
        IB_ASSERT(n.out->step == g->now, "what is on the tape is of this step");
        ib_graph_turn(g, n.out->side);
        const double began = ib_trace_begin();
        if (!(fault = n.op->backward(g, &n)))
            fault = ib_graph_fault(g, 0);
        if (!fault && began)
            ib_trace_backward(&n, began);
    }
    ib_graph_turn(g, was);
    return fault;
}
