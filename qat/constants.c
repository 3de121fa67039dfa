/* constants.c - values that a layer makes itself, with ib_input() or of parameters alone: the same in every phase. */
#include "base/alloc.h"
#include "qat/plan.h"

void ib_plan_mark_data(const ib_graph *g, ib_tensor *x)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const ib_node *n = &g->nodes[i];
        n->out->from_data = 0;
        for (int j = 0; j < n->n_in; j++) {
            ib_tensor *t = n->in[j];
            if (t && t->node < 0)
                t->from_data = t == x;
            n->out->from_data |= t && t->from_data;
        }
    }
}

ib_tensor *ib_plan_keep_constant(ib_plan *p, const ib_graph *g, int node, int input)
{
    const ib_node *n = &g->nodes[node];
    const ib_tensor *t = n->in[input];
    ib_tensor **list =
        ib_realloc(p->constants, (size_t)p->n_constants * sizeof *list, (size_t)(p->n_constants + 1) * sizeof *list);
    if (!list)
        return NULL;
    p->constants = list;
    if (t->dtype != IB_F32)
        return ib_fail_null(IB_EUNSUPPORTED, "layer '%s': %s: a constant that is not fp32", n->scope ? n->scope : "",
                            n->op->name);
    ib_tensor *copy = ib_tensor_new(IB_F32, t->ndim, t->shape, 0, "constant");
    if (!copy)
        return NULL;
    ib_block_read(t->dev, copy->data, t->data, (size_t)t->size * sizeof(float));
    list[p->n_constants++] = copy;
    return copy;
}

ib_tensor *ib_constant_filled(ib_graph *g, int ndim, const int64_t *shape, float value)
{
    ib_tensor *t = ib_graph_tensor(g, ndim, shape);
    if (!t)
        return NULL;
    t->from_data = 0;
    g->dev->k.set(g->dev, ib_f32(t), t->size, value);
    return t;
}

ib_tensor *ib_constant_expanded(ib_graph *g, ib_tensor *c, int ndim, const int64_t *shape)
{
    ib_tensor *zeros = c ? ib_constant_filled(g, ndim, shape, 0) : NULL;
    return zeros ? ib_add(g, zeros, c) : NULL;
}

ib_tensor *ib_constant_codes(ib_graph *g, ib_tensor *c, int ndim, const int64_t *shape, const ib_quantizer *like)
{
    ib_tensor *wide = ib_constant_expanded(g, c, ndim, shape);
    ib_quantizer *q = ib_graph_alloc(g, sizeof *q);
    float *range = ib_graph_numbers(g, 2 * sizeof *range);
    ib_quantizer_state *state = ib_graph_numbers(g, sizeof *state);
    ib_site at;
    if (!wide || !q || !range || !state || ib_site_apart(g, g->scope ? g->scope : "", NULL, &at))
        return NULL;
    *q = (ib_quantizer){.bits = 8, .qmin = -128, .qmax = 127, .profile = like->profile, .state = state};
    g->dev->k.min_max(g->dev, ib_f32(c), c->size, range, range + 1);
    g->dev->k.constant_scale(g->dev, range, range + 1, q->qmin, q->qmax, state, at);
    return ib_quantize(g, wide, q);
}

/* Dimension d of x, from the last one, in c's shape. */
static int64_t aligned(const ib_tensor *c, const ib_tensor *x, int d)
{
    const int at = d - x->ndim + c->ndim;
    return at >= 0 ? c->shape[at] : 1;
}

int ib_is_by_channel(const ib_tensor *c, const ib_tensor *x)
{
    if (x->ndim != 2 && x->ndim != 4)
        return 0;
    for (int d = 0; d < x->ndim; d++)
        if (d != 1 && aligned(c, x, d) != 1)
            return 0;
    return c->ndim <= x->ndim;
}

ib_tensor *ib_constant_by_channel(ib_graph *g, ib_tensor *c, const ib_tensor *x, int ndim, const int64_t *shape)
{
    int64_t own[IB_MAX_DIMS] = {c->size, 1, 1, 1};
    (void)x;
    return ib_constant_expanded(g, ib_reshape(g, c, ndim, own), ndim, shape);
}
