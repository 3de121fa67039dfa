/* rotary_positions.c - rotary positions: pairs of values of each head turn by angles that grow with the position. */
#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/argument.h"

static ib_status rope_shape(ib_node *n, ib_tensor *out)
{
    const ib_rope_attrs *o = n->attrs;
    if (n->in[0]->ndim != 2 || n->in[0]->shape[1] != (int64_t)o->heads * o->dim || o->rotated > o->dim ||
        o->rotated % 2)
        return ib_op_fail(n, "%d heads of %d with %d rotated, but rows of %lld", o->heads, o->dim, o->rotated,
                          (long long)n->in[0]->shape[n->in[0]->ndim - 1]);
    if (o->rotated && n->in[1]->shape[n->in[1]->ndim - 1] != o->rotated)
        return ib_op_fail(n, "a table of rows of %lld for %d that turn", (long long)n->in[1]->shape[n->in[1]->ndim - 1],
                          o->rotated);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_rotation rotation_of(const ib_node *n)
{
    const ib_rope_attrs *o = n->attrs;
    return (ib_rotation){.heads = o->heads,
                         .dim = o->dim,
                         .rotated = o->rotated,
                         .pairs = o->pairs,
                         .pos = o->pos,
                         .table = ib_f32(n->in[1])};
}

static ib_status rope_forward(ib_graph *g, ib_node *n)
{
    const ib_rotation r = rotation_of(n);
    K(g)->rope(g->dev, &r, n->in[0]->shape[0], ib_f32(n->in[0]), 1.0f, 0, ib_f32(n->out));
    return IB_OK;
}

/* dx += dy turned back */
static ib_status rope_backward(ib_graph *g, ib_node *n)
{
    const ib_rotation r = rotation_of(n);
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->rope(g->dev, &r, n->in[0]->shape[0], n->out->grad, -1.0f, 1, dx);
    return failed;
}

static const int32_t sample_pos[] = {2, 0, 1};
static ib_tensor *rope_pairs_sample(ib_graph *g, ib_tensor **in)
{
    return ib_rope(g, in[0], &(ib_rope_opts){2, 5, 4, 1, sample_pos, in[1]});
}
static ib_tensor *rope_halves_sample(ib_graph *g, ib_tensor **in)
{
    return ib_rope(g, in[0], &(ib_rope_opts){2, 5, 4, 0, sample_pos, in[1]});
}

const ib_op ib_op_rope = {
    .name = "rope",
    .inputs = "x table",
    .attrs_bytes = sizeof(ib_rope_attrs),
    .n_required = 2,
    .shape = rope_shape,
    .forward = rope_forward,
    .backward = rope_backward,
    .samples = (const ib_sample[]){{"pairs", 2, {{2, {3, 10}, -1, 1}, {2, {3, 4}, -1, 1}}, rope_pairs_sample, 0, 1},
                                   {"halves", 2, {{2, {3, 10}, -1, 1}, {2, {3, 4}, -1, 1}}, rope_halves_sample, 0, 1},
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
    for (int64_t i = 0; i < x->shape[0]; i++)
        IB_TAKE_OR(opts->pos, opts->pos[i] >= 0 && opts->pos[i] < opts->table->shape[0], NULL, "is %d for row %lld",
                   opts->pos[i], (long long)i);
    ib_side *was = IB_FOLLOW(g, x, opts->table);
    const int32_t *pos = ib_graph_uploaded(g, opts->pos, (size_t)x->shape[0] * sizeof *pos);
    ib_graph_turn(g, was);
    if (!pos)
        return NULL;
    return IB_APPLY(g, &ib_op_rope, (&(ib_rope_attrs){opts->heads, opts->dim, opts->rotated, opts->pairs, pos}), x,
                    opts->table);
}
