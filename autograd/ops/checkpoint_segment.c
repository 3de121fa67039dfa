/* checkpoint_segment.c - gradient checkpointing (arXiv:1604.06174): a segment keeps its input alone and runs again,
 * with a tape of its own, when its gradient is wanted. */
#include <string.h>

#include "autograd/op.h"
#include "base/argument.h"

typedef struct segment {
    ib_segment_fn run;
    void *context;
    int remember;
    uint64_t draws;       /* random masks drawn before it: the second run draws the same */
    struct ib_memo *memo; /* the first of its memos */
} segment;

#define NOT_ITS_OWN "a segment must return the result of an operator that it applies"

static ib_status segment_shape(ib_node *n, ib_tensor *out)
{
    return ib_same_shape(n->in[0], out, 0);
}

/* Whether y, which a run on x has made, can be the node's result. */
static ib_status check(const ib_graph *g, const ib_node *n, const ib_tensor *x, const ib_tensor *y)
{
    const ib_tensor *out = n->out;
    if (!y)
        return ib_error_status() ? ib_error_status() : IB_EINVAL;
    if (y->step != g->now || y == x)
        return ib_op_fail(n, NOT_ITS_OWN);
    if (y->side != out->side)
        return ib_op_fail(n, "the segment begins on %s and ends on %s: ib_to_device() copies back",
                          ib_device_name(out->side->dev), ib_device_name(y->side->dev));
    if (y->dtype != IB_F32 || y->ndim != x->ndim || memcmp(y->shape, x->shape, (size_t)x->ndim * sizeof *x->shape))
        return ib_op_fail(n, "a segment must keep its input's shape, in fp32");
    return ib_check_view(y) ? ib_op_refuse(n) : IB_OK;
}

static ib_status take(ib_graph *g, const ib_node *n, const ib_tensor *y)
{
    const ib_status bad = check(g, n, n->in[0], y);
    if (!bad)
        V(g)->copy(g->dev, n->out->data, y->data, (size_t)y->size * sizeof(float));
    return bad;
}

static ib_status segment_forward(ib_graph *g, ib_node *n)
{
    segment *s = n->attrs;
    const ib_mark mark = ib_graph_mark(g);
    const int outer = g->no_tape;
    s->draws = g->draws;
    g->no_tape = 1;
    g->memo = s->remember ? &s->memo : NULL;
    const ib_tensor *y = s->run(g, s->context, n->in[0]);
    g->memo = NULL;
    g->no_tape = outer;
    const ib_status status = take(g, n, y);
    n->out->needs_grad = 1; /* of the parameters inside, if not of the input */
    ib_graph_release(g, mark);
    return status;
}

static ib_status segment_backward(ib_graph *g, ib_node *n)
{
    segment *s = n->attrs;
    ib_status status = IB_OK;
    ib_tensor leaf = *n->in[0];
    ib_tensor *x = n->in[0];
    /* a chain of segments needs two gradients */
    if (x->needs_grad && !x->grad && g->free_grad && g->free_grad_size == x->size) {
        x->grad = g->free_grad;
        V(g)->fill(g->dev, x->grad, 0, (size_t)x->size * sizeof(float));
        g->free_grad = NULL;
    }
    leaf.node = -1;
    leaf.grad = ib_grad_of(g, x, &status); /* the segment adds to it in place */
    const ib_mark mark = ib_graph_mark(g);
    const uint64_t draws = g->draws;
    const int first = g->n_nodes;
    const int outer = g->replaying;
    g->draws = s->draws;
    g->replaying = 1;
    g->memo = s->remember ? &s->memo : NULL;
    ib_tensor *y = status ? NULL : s->run(g, s->context, &leaf);
    g->memo = NULL;
    g->replaying = outer;
    g->draws = draws;
    if (!status)
        status = check(g, n, &leaf, y);
    if (!status && y->node < first)
        status = ib_op_fail(n, NOT_ITS_OWN);
    if (!status) {
        y->grad = n->out->grad;
        status = ib_backward_range(g, y->node, first);
    }
    g->n_nodes = first;
    ib_graph_release(g, mark);
    g->free_grad = n->out->grad;
    g->free_grad_size = n->out->size;
    return status;
}

static ib_tensor *sample_segment(ib_graph *g, void *context, ib_tensor *x)
{
    (void)context;
    return ib_mul(g, ib_tanh(g, ib_dropout(g, x, 0.3f)), x);
}
static ib_tensor *segment_sample(ib_graph *g, ib_tensor **in)
{
    return ib_checkpoint_segment(g, sample_segment, NULL, 1, ib_checkpoint_segment(g, sample_segment, NULL, 0, in[0]));
}

const ib_op ib_op_checkpoint_segment = {
    .name = "checkpoint_segment",
    .inputs = "x",
    .attrs_bytes = sizeof(segment),
    .n_required = 1,
    .shape = segment_shape,
    .forward = segment_forward,
    .backward = segment_backward,
    .samples = (const ib_sample[]){{"two segments", 1, {{2, {3, 4}, -1, 1}}, segment_sample, 0}, {0}}};

/* Nothing that the segment made stays but its result. */
static ib_tensor *evaluated(ib_graph *g, ib_segment_fn run, void *context, ib_tensor *x)
{
    ib_side *was = IB_FOLLOW(g, x);
    ib_node n = {.op = &ib_op_checkpoint_segment, .in = {x}, .n_in = 1, .scope = g->scope};
    n.out = ib_graph_tensor(g, x->ndim, x->shape);
    const ib_mark mark = ib_graph_mark(g);
    const ib_status status = n.out ? take(g, &n, run(g, context, x)) : IB_ENOMEM;
    ib_graph_release(g, mark);
    ib_graph_turn(g, was);
    return status ? NULL : n.out;
}

ib_tensor *ib_checkpoint_segment(ib_graph *g, ib_segment_fn run, void *context, int remember, ib_tensor *x)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(run, NULL);
    if (!x && ib_graph_failed(g))
        return NULL;
    IB_NEED_OR(x, NULL);
    if (ib_graph_owns(g, x, __func__, "x"))
        return NULL;
    if (g->mode == IB_EVAL)
        return evaluated(g, run, context, x);
    if (g->mode != IB_TRAIN || g->no_tape)
        return run(g, context, x);
    return IB_APPLY(g, &ib_op_checkpoint_segment, (&(segment){run, context, remember, 0, NULL}), x);
}
