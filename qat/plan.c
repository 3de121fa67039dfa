/* plan.c - from one traced evaluation to a list of steps: fuse batch norms and ReLUs, name, remember what was used. */
#include "qat/plan.h"

#include <string.h>

#include "autograd/attrs.h"
#include "base/alloc.h"

/* How often each node's result is used. */
static void count_uses(const ib_graph *g, const ib_tensor *result, int *uses)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->nodes[i].n_in; j++)
            if (g->nodes[i].in[j] && g->nodes[i].in[j]->node >= 0)
                uses[g->nodes[i].in[j]->node]++;
    if (result->node >= 0)
        uses[result->node]++;
}

/* The only user of node i, if it has `op`; else -1. */
static int sole_user(const ib_graph *g, const int *uses, int i, const ib_op *op)
{
    if (uses[i] != 1)
        return -1;
    for (int j = i + 1; j < g->n_nodes; j++)
        if (g->nodes[j].in[0] && g->nodes[j].in[0]->node == i)
            return g->nodes[j].op == op ? j : -1;
    return -1;
}

static void take_batch_norm(ib_step *s, const ib_node *bn)
{
    const ib_bn_attrs *a = bn->attrs;
    s->gamma = bn->in[1];
    s->beta = bn->in[2];
    s->mean = a->mean;
    s->var = a->var;
    s->eps = a->eps;
}

/* A unique name: the layer's path, with a number where a layer applied several operators. */
static char *name_of(const ib_plan *p, const char *scope, const char *op)
{
    const char *base = scope && *scope ? scope : op;
    char *name = ib_strdup(base);
    for (int n = 2; name; n++) {
        int i = 0;
        while (i < p->n_steps && strcmp(p->steps[i].name, name))
            i++;
        if (i == p->n_steps)
            return name;
        ib_free(name);
        name = ib_format_text("%s.%d", base, n);
    }
    return NULL;
}

static ib_status fill_step(ib_plan *p, ib_graph *g, int at, const int *uses, int *value_of)
{
    const ib_node *n = &g->nodes[at];
    ib_step *s = &p->steps[p->n_steps];
    s->op = n->op;
    s->is_constant = !n->out->from_data;
    s->form = s->is_constant ? NULL : ib_form_for(n);
    s->n_in = n->n_in;
    if (!(s->name = name_of(p, n->scope, n->op->name)))
        return IB_ENOMEM;
    p->n_steps++;
    if (n->op->attrs_bytes) {
        if (!(s->attrs = ib_alloc(n->op->attrs_bytes)))
            return IB_ENOMEM;
        memcpy(s->attrs, n->attrs, n->op->attrs_bytes);
    }
    for (int i = 0; i < n->n_in; i++) {
        const ib_tensor *t = n->in[i];
        s->value[i] = !t ? -1 : t->node >= 0 ? value_of[t->node] : t->from_data ? 0 : -1;
        s->leaf[i] = !t || s->value[i] >= 0 ? NULL : t->name ? n->in[i] : ib_plan_keep_constant(p, g, at, i);
        if (t && s->value[i] < 0 && !s->leaf[i])
            return ib_error_status();
    }
    int last = at;
    if (s->op == &ib_op_batch_norm && s->form) {
        char *name = ib_format_text("%s.ones", s->name);
        const int64_t shape[] = {n->in[1]->size, 1, 1, 1};
        take_batch_norm(s, n);
        s->leaf[1] = name ? ib_layer_param_new(p->net, name, 4, shape, IB_INIT_ONES, 1, 0) : NULL;
        ib_free(name);
        if (!s->leaf[1] || ib_graph_use(g, s->leaf[1]))
            return ib_error_status();
        g->dev->k.set(g->dev, ib_f32(s->leaf[1]), shape[0], 1.0f);
        s->leaf[2] = NULL;
    } else if (s->form == &ib_form_linear || s->form == &ib_form_conv2d) {
        const int bn = sole_user(g, uses, last, &ib_op_batch_norm);
        if (bn >= 0 && ib_has_params(&g->nodes[bn])) {
            take_batch_norm(s, &g->nodes[bn]);
            last = bn;
        }
    }
    value_of[at] = value_of[last] = p->n_steps;
    if (s->form && s->form->fuses_act) {
        const int relu = sole_user(g, uses, last, &ib_op_relu), relu6 = sole_user(g, uses, last, &ib_op_relu6);
        s->act = relu >= 0 ? IB_ACT_RELU : relu6 >= 0 ? IB_ACT_RELU6 : IB_ACT_NONE;
        if (s->act)
            value_of[relu >= 0 ? relu : relu6] = p->n_steps;
    }
    return IB_OK;
}

static ib_status copy_options(ib_plan *p, const ib_qat_opts *o)
{
    p->opts = *o;
    p->opts.observer = p->opts.weight_observer = p->opts.rules = NULL;
    if (!(p->opts.observer = ib_strdup(o->observer ? o->observer : "auto")) ||
        !(p->opts.weight_observer = ib_strdup(o->weight_observer ? o->weight_observer : "auto")) ||
        !(p->opts.rules = ib_strdup(o->rules ? o->rules : "")))
        return IB_ENOMEM;
    ib_qat_opts *q = &p->opts;
    q->weight_bits = q->weight_bits ? q->weight_bits : 8;
    q->act_bits = q->act_bits ? q->act_bits : 8;
    q->input_bits = q->input_bits ? q->input_bits : q->act_bits;
    q->output_bits = q->output_bits ? q->output_bits : 8;
    if (q->granularity == IB_PER_GROUP && !q->group_size)
        q->group_size = 32;
    return IB_OK;
}

static void share_states(ib_plan *p)
{
    p->input.out.state = p->states;
    for (int i = 0; i < p->n_steps; i++)
        p->steps[i].out.state = p->states + 1 + i;
}

ib_status ib_plan_place(ib_plan *p, ib_device *dev)
{
    ib_device *home = ib_home(dev);
    if (p->dev == home)
        return IB_OK;
    if (ib_block_can_move(p->dev, home, "quantizer", "input"))
        return IB_EUNSUPPORTED;
    ib_quantizer_state *states = ib_block_copied(p->dev, home, p->states, (size_t)(1 + p->n_steps) * sizeof *states);
    if (!states)
        return IB_ENOMEM;
    ib_block_free(p->dev, p->states);
    p->states = states;
    p->dev = home;
    share_states(p);
    return IB_OK;
}

ib_plan *ib_plan_new(ib_layer *net, ib_graph *g, const ib_qat_opts *opts)
{
    int *uses = NULL, *value_of = NULL;
    ib_plan *p = ib_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->net = net;
    p->phase = IB_CALIBRATE;
    if (copy_options(p, opts))
        goto fail;
    const ib_tensor *y = ib_plan_trace(net, g);
    if (!y || ib_trace_check_drawn(net, g, y))
        goto fail;
    const size_t n = (size_t)g->n_nodes;
    if (!(uses = ib_alloc(n * sizeof *uses)) || !(value_of = ib_alloc(n * sizeof *value_of)) ||
        !(p->steps = ib_alloc(n * sizeof *p->steps)))
        goto fail;
    count_uses(g, y, uses);
    for (int i = 0; i < g->n_nodes; i++)
        if (!value_of[i] && fill_step(p, g, i, uses, value_of))
            goto fail;
    p->result = value_of[y->node];
    if (!(p->states = ib_alloc((size_t)(1 + p->n_steps) * sizeof *p->states)))
        goto fail;
    share_states(p);
    if (ib_plan_configure(p))
        goto fail;
    ib_free(uses);
    ib_free(value_of);
    return p;
fail:
    ib_free(uses);
    ib_free(value_of);
    ib_plan_free(p);
    return NULL;
}

void ib_plan_free(void *plan)
{
    ib_plan *p = plan;
    if (!p)
        return;
    for (int i = 0; i < p->n_steps; i++) {
        ib_free(p->steps[i].name);
        ib_free(p->steps[i].attrs);
        ib_free(p->steps[i].float_form);
        ib_free(p->steps[i].observer.bins);
        ib_free(p->steps[i].observer.channel_top);
    }
    for (int i = 0; i < p->n_constants; i++)
        ib_tensor_free(p->constants[i]);
    ib_free(p->constants);
    ib_block_free(p->dev, p->states);
    ib_free(p->steps);
    ib_free(p->input.observer.bins);
    ib_free(p->input.observer.channel_top);
    ib_free(p->input.name);
    ib_free((char *)p->opts.observer);
    ib_free((char *)p->opts.weight_observer);
    ib_free((char *)p->opts.rules);
    ib_free(p);
}
