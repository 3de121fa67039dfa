/* graph_checks.c - see graph_checks.h; and of op.h and graph.h what says whose a tensor is. */
#include <string.h>

#include "autograd/graph_checks.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"

int ib_graph_failed(const ib_graph *g)
{
    return ib_failures() != g->failures;
}

ib_status ib_graph_owns(const ib_graph *g, const ib_tensor *t, const char *function, const char *what)
{
    if (!t->step || t->step == g->now)
        return IB_OK;
    return ib_fail(IB_ESTATE,
                   t->graph == g ? "%s: %s is a result of an earlier step: ib_graph_begin() ended it"
                                 : "%s: %s is a result of another graph",
                   function, what);
}

int ib_graph_given(const ib_graph *g, const ib_tensor *x, const char *function, const char *argument)
{
    if (g && x)
        return !ib_graph_owns(g, x, function, argument);
    if (!g || !ib_graph_failed(g))
        ib_fail_null_argument(function, g ? argument : "g");
    return 0;
}

/* Input i as the public header calls it. */
static const char *input_name(const ib_op *op, int i, char *text, size_t size)
{
    const char *at = op->inputs;
    int length = 0;
    if (!at)
        ib_snprintf(text, size, "input %d", i);
    for (; at; at += length + 1, i--) {
        length = (int)strcspn(at, " ");
        ib_snprintf(text, size, "%.*s", length, at);
        if (!i || !at[length])
            break;
    }
    return text;
}

ib_status ib_refuse_input(ib_graph *g, const ib_node *n, int i)
{
    char text[32];
    const char *what = input_name(n->op, i, text, sizeof text);
    if (!n->in[i])
        return ib_graph_failed(g) ? ib_error_status() : ib_op_fail(n, "%s is NULL", what);
    if (ib_graph_owns(g, n->in[i], n->op->name, what))
        return ib_error_status();
    return ib_op_fail(n, "%s is not fp32, which this operator needs", what);
}

ib_status ib_check_side(const ib_graph *g, const ib_node *n, int i)
{
    char text[32];
    const ib_tensor *t = n->in[i];
    if (t && ib_check_view(t))
        return ib_op_refuse(n);
    if (!t || !t->side || t->side == g->here)
        return IB_OK;
    return ib_op_fail(n, "%s lies on %s, another input on %s: ib_to_device() copies it",
                      input_name(n->op, i, text, sizeof text), ib_device_name(t->side->dev), ib_device_name(g->dev));
}

static ib_status more_leaves(ib_graph *g)
{
    const int max = g->max_leaves ? 2 * g->max_leaves : 64;
    ib_leaf_use *leaves = ib_realloc(g->leaves, (size_t)g->max_leaves * sizeof *leaves, (size_t)max * sizeof *leaves);
    if (!leaves)
        return IB_ENOMEM;
    g->leaves = leaves;
    g->max_leaves = max;
    return IB_OK;
}

ib_status ib_graph_use(ib_graph *g, ib_tensor *t)
{
    const int here = t->dev == ib_home(g->dev);
    if (t->used == g->now && here)
        return IB_OK;
    if (t->used == g->now)
        return ib_fail(IB_EINVAL, "'%s' was used on %s in this step, and %s would move it", ib_tensor_name(t),
                       ib_home_name(t->dev), ib_device_name(g->dev));
    if (g->mode == IB_TRAIN && g->n_leaves == g->max_leaves && more_leaves(g))
        return IB_ENOMEM;
    if (!here && ib_tensor_place(t, g->dev))
        return ib_error_status();
    t->used = g->now; /* nothing fails behind this */
    if (g->mode == IB_TRAIN)
        g->leaves[g->n_leaves++] = (ib_leaf_use){t, t->moves};
    return IB_OK;
}

static ib_status moved(const ib_tensor *t)
{
    return ib_fail(IB_ESTATE,
                   "'%s', which this step has used, was moved since: another graph used it on another device",
                   ib_tensor_name(t));
}

ib_status ib_check_used(const ib_graph *g)
{
    for (int i = 0; i < g->n_leaves; i++)
        if (g->leaves[i].t->moves != g->leaves[i].moves)
            return moved(g->leaves[i].t);
    return IB_OK;
}

ib_status ib_check_view(const ib_tensor *t)
{
    return t->leaf && t->leaf->moves != t->moves ? moved(t->leaf) : IB_OK;
}

#ifdef IB_CHECKED
/* Whether codes have a scale, and are all of their width. */
static int codes_fit(const ib_tensor *t)
{
    if (t->dev)
        return 1; /* nobody waits for them */
    if (t->dtype == IB_CODES && (t->q.qmin >= t->q.qmax || t->q.n_scales < 1 || !t->q.scale))
        return 0;
    for (int64_t i = 0; t->dtype == IB_CODES && i < t->size; i++)
        if (ib_codes(t)[i] < t->q.qmin || ib_codes(t)[i] > t->q.qmax)
            return 0;
    return 1;
}

void ib_assert_result(const ib_tensor *t)
{
    int64_t size = 1;
    for (int d = 0; d < t->ndim; d++)
        size *= t->shape[d];
    IB_ASSERT(t->ndim >= 1 && t->ndim <= IB_MAX_DIMS && size == t->size, "a result's size is its shape's");
    IB_ASSERT((uintptr_t)t->data % ib_dtype_bytes(t->dtype) == 0, "a result is aligned to its elements");
}

void ib_assert_codes(const ib_tensor *t)
{
    IB_ASSERT(codes_fit(t), "an operator's codes have a scale and are within their bounds");
}
#endif
