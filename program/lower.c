/* lower.c - walks the tape of one evaluation and writes down the integer operators that ran. */
#include <stdio.h>
#include <string.h>

#include "arithmetic/requant.h"
#include "autograd/quantizer.h"
#include "base/argument.h"
#include "base/assert.h"
#include "program/instr.h"

static const ib_instr_class *const classes[] = {
#define INSTR(name) &ib_instr_##name,
#include "program/instructions.def"
#undef INSTR
};

const ib_instr_class *ib_instr_class_of(const ib_op *op)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (classes[i]->op == op)
            return classes[i];
    return NULL;
}

const ib_instr_class *ib_instr_class_named(const char *name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i]->name, name))
            return classes[i];
    return NULL;
}

void ib_tape_codes(const ib_program *p, const ib_graph *g, void (*see)(void *, int, const ib_node *), void *context)
{
    for (int k = 0; k < p->n_instrs; k++)
        see(context, k, &g->nodes[p->instrs[k].node]);
}

void *ib_numbers_copy(ib_device *dev, const void *numbers, size_t bytes)
{
    void *copy = ib_alloc_raw(bytes);
    if (copy)
        dev->v.download(dev, copy, numbers, bytes);
    return copy;
}

static int new_value(ib_program *p, ib_device *dev, const ib_tensor *t, int first)
{
    ib_value *v = &p->values[p->n_values];
    float scale;
    int32_t zero;
    dev->v.download(dev, &scale, t->q.scale, sizeof scale);
    dev->v.download(dev, &zero, t->q.zero, sizeof zero);
    *v = (ib_value){.size = t->size / t->shape[0],
                    .ndim = t->ndim,
                    .scale = scale,
                    .zero = zero,
                    .bits = t->q.bits,
                    .first = first,
                    .last = first};
    memcpy(v->shape, t->shape, sizeof v->shape);
    return p->n_values++;
}

/* Operators that compute nothing in an evaluation. */
static int gives_shape(const ib_op *op)
{
    return op == &ib_op_reshape || op == &ib_op_flatten_hwc || op == &ib_op_qdropout;
}

/* A program on its way out of a tape. */
typedef struct lowering {
    ib_program *p;
    const ib_graph *g;
    int *value_of; /* [n_nodes] the value that a node's result is; -1: none yet */
} lowering;

static ib_status lower_node(lowering *w, int at);

/* The value that a node's result is. What only gives other shapes becomes an instruction when it is asked for; -1
 * with ib_error(). */
static int value_of(lowering *w, const ib_tensor *t)
{
    const ib_node *n = &w->g->nodes[t->node];
    if (n->op == &ib_op_qdropout)
        return value_of(w, n->in[0]);
    if (w->value_of[t->node] < 0 && lower_node(w, t->node))
        return -1;
    return w->value_of[t->node];
}

/* What a linear layer reads: the codes themselves, whatever their shape, and an image that was turned to H,W,C as it
 * was, with the weights' columns turned instead. (Factors of groups of columns cannot be turned.) */
static const ib_tensor *behind_shapes(const ib_graph *g, const ib_tensor *x, int groups, int *turned)
{
    for (const ib_node *n; n = &g->nodes[x->node], n->op == &ib_op_qdropout || n->op == &ib_op_reshape; x = n->in[0])
        continue;
    const ib_node *n = &g->nodes[x->node];
    *turned = n->op == &ib_op_flatten_hwc && !groups;
    return *turned ? n->in[0] : x;
}

static ib_status lower_node(lowering *w, int at)
{
    ib_program *p = w->p;
    const ib_node *n = &w->g->nodes[at];
    const ib_instr_class *cls = ib_instr_class_of(n->op);
    int in[IB_MAX_INPUTS], turned = 0;
    if (!cls)
        return ib_fail(IB_EUNSUPPORTED, "layer '%s': %s has no integer form, so the network is no integer program",
                       n->scope ? n->scope : "", n->op->name);
    const int n_in = cls->inputs == IB_NO_INPUTS ? 0 : cls->inputs == IB_ANY_INPUTS ? n->n_in : cls->inputs;
    for (int j = 0; j < n_in; j++) {
        const ib_tensor *x =
            cls == &ib_instr_linear ? behind_shapes(w->g, n->in[j], n->in[1]->q.group_size, &turned) : n->in[j];
        if ((in[j] = value_of(w, x)) < 0)
            return ib_error_status();
    }
    ib_instr *i = &p->instrs[p->n_instrs];
    *i = (ib_instr){.cls = cls, .n_in = n_in, .node = at, .turned = turned};
    if (!(i->name = ib_strdup(n->scope && *n->scope ? n->scope : n->op->name)))
        return IB_ENOMEM;
    p->n_instrs++;
    for (int j = 0; j < n_in; j++) {
        i->in[j] = in[j];
        p->values[in[j]].last = p->n_instrs - 1;
    }
    i->out = w->value_of[at] = new_value(p, w->g->dev, n->out, p->n_instrs - 1);
    for (int j = 0; j < n_in; j++)
        IB_ASSERT(in[j] >= 0 && in[j] < i->out, "an instruction reads values that were made before its own");
    IB_ASSERT(n->out->dtype == IB_CODES && n->out->q.n_scales == 1, "a program's values are codes of one scale");
    return cls->lower(p, i, n, w->g->dev);
}

ib_program *ib_program_of(ib_layer *net, ib_graph *g)
{
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(g, NULL);
    const ib_plan *plan = ib_plan_of(net);
    if (!plan || plan->phase < IB_FROZEN || plan->opts.dynamic)
        return ib_fail_null(IB_ESTATE, "lower: the network is in phase %s%s, not frozen",
                            ib_phase_name(ib_qat_phase(net)),
                            plan && plan->opts.dynamic ? " and dynamically quantized" : "");
    if (ib_plan_check_forms(plan, 1))
        return NULL;
    const ib_input_info *in = &net->input;
    ib_program *p = ib_alloc(sizeof *p);
    float *zeros = ib_alloc((size_t)in->c * (size_t)in->h * (size_t)in->w * sizeof *zeros);
    lowering w = {p, g, NULL};
    if (!p || !zeros)
        goto fail;
    ib_graph_begin(g, IB_TRACE);
    if (!ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, in->c, in->h, in->w}, zeros)))
        goto fail;
    p->profile = (int)plan->opts.profile;
    p->rounding = ib_rounding(p->profile);
    p->input = *in;
    p->schema = ib_schema_hold(net->schema);
    const size_t n = (size_t)g->n_nodes + 1;
    if (!(w.value_of = ib_alloc(n * sizeof *w.value_of)) || !(p->values = ib_alloc(n * sizeof *p->values)) ||
        !(p->instrs = ib_alloc(n * sizeof *p->instrs)))
        goto fail;
    int end = g->n_nodes; /* the float tail: the last step's dequantize and what follows */
    if (plan->result_float)
        for (int i = g->n_nodes - 1; i >= 0 && g->nodes[i].out->dtype == IB_F32; i--)
            end = i;
    p->result = -1;
    for (int i = 0; i < g->n_nodes; i++)
        w.value_of[i] = -1;
    for (int i = 0; i < end; i++) {
        const ib_node *node = &g->nodes[i];
        if (!node->out->from_data || gives_shape(node->op))
            continue; /* made of weights and constants alone, or when it is asked for */
        if (node->op == &ib_op_quantize && !p->n_values)
            w.value_of[i] = new_value(p, g->dev, node->out, -1);
        else if (node->op == &ib_op_dequantize && i == g->n_nodes - 1)
            p->result = value_of(&w, node->in[0]);
        else if (lower_node(&w, i))
            goto fail;
    }
    if (plan->result_float) {
        p->result = value_of(&w, g->nodes[end].in[0]);
        p->leaves_softmax = 1; /* nothing else may be (ib_plan_check_forms) */
    }
    if (p->result < 0 || ib_plan_memory(p))
        goto fail;
    if (!p->values[p->result].root) {
        ib_fail(IB_EUNSUPPORTED, "lower: the network computes nothing in integers");
        goto fail;
    }
    ib_free(zeros);
    ib_free(w.value_of);
    return p;
fail:
    ib_free(zeros);
    ib_free(w.value_of);
    ib_program_free(p);
    return NULL;
}

ib_program *ib_program_lower(ib_layer *net, ib_graph *g)
{
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(g, NULL);
    ib_program *p = ib_program_of(net, g);
    if (p && ib_qat_phase(net) == IB_FROZEN && ib_qat_set_phase(net, g, IB_EXPORTED)) {
        ib_program_free(p);
        return NULL;
    }
    return p;
}

void ib_program_free(ib_program *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_instrs; i++) {
        ib_instr *n = &p->instrs[i];
        void *owned[] = {n->name, n->codes, n->packed, n->factor, n->bias, n->scale, n->weight_scale, n->table};
        for (size_t j = 0; j < sizeof owned / sizeof *owned; j++)
            ib_free(owned[j]);
    }
    ib_free(p->instrs);
    ib_free(p->values);
    ib_schema_free(p->schema);
    ib_free(p);
}
