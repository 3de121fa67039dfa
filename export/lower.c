/* lower.c - walks the tape of one evaluation and writes down the integer operators that ran. */
#include <stdio.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "export/program.h"

static const ib_instr_class *const classes[] = {
#define INSTR(name) &ib_instr_##name,
#include "export/instructions.def"
#undef INSTR
};

const ib_instr_class *ib_instr_class_of(const ib_op *op)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (classes[i]->op == op)
            return classes[i];
    return NULL;
}

void *ib_copy(const void *from, size_t bytes)
{
    void *p = from ? ib_alloc(bytes) : NULL;
    return p ? memcpy(p, from, bytes) : NULL;
}

void ib_tape_codes(const ib_graph *g, void (*see)(void *, int, const ib_node *), void *context)
{
    for (int i = 0, k = 0; i < g->n_nodes; i++)
        if (ib_instr_class_of(g->nodes[i].op))
            see(context, k++, &g->nodes[i]);
}

static int new_value(ib_program *p, const ib_tensor *t, int first)
{
    ib_value *v = &p->values[p->n_values];
    *v = (ib_value){.size = t->size / t->shape[0], .ndim = t->ndim, .scale = t->q.scale[0], .zero = t->q.zero_point,
                    .bits = t->q.bits, .first = first, .last = first};
    memcpy(v->shape, t->shape, sizeof v->shape);
    return p->n_values++;
}

/* Operators that only prepare weights. */
static int is_weight_op(const ib_op *op)
{
    return op == &ib_op_fold_weight || op == &ib_op_fold_bias || op == &ib_op_quantize_weight;
}

static ib_status lower_node(ib_program *p, const ib_node *n, int *value_of, int at)
{
    const ib_instr_class *cls = ib_instr_class_of(n->op);
    if (!cls)
        return ib_fail(IB_EUNSUPPORTED, "layer '%s': %s has no integer form, so the network is no integer program",
                       n->scope ? n->scope : "", n->op->name);
    ib_instr *i = &p->instrs[p->n_instrs];
    i->cls = cls;
    if (!(i->name = ib_strdup(n->scope ? n->scope : n->op->name)))
        return IB_ENOMEM;
    p->n_instrs++;
    i->n_in = cls == &ib_instr_add || cls == &ib_instr_mul ? 2 : cls == &ib_instr_concat ? n->n_in : 1;
    for (int j = 0; j < i->n_in; j++) {
        i->in[j] = value_of[n->in[j]->node];
        p->values[i->in[j]].last = p->n_instrs - 1;
    }
    i->out = value_of[at] = new_value(p, n->out, p->n_instrs - 1);
    return cls->lower(p, i, n);
}

ib_program *ib_program_of(ib_layer *net, ib_graph *g)
{
    const ib_plan *plan = ib_plan_of(net);
    if (!plan || plan->phase < IB_FROZEN || plan->opts.dynamic)
        return ib_fail_null(IB_ESTATE, "lower: the network is in phase %s%s, not frozen", ib_phase_name(ib_qat_phase(net)),
                            plan && plan->opts.dynamic ? " and dynamically quantized" : "");
    const ib_input_info *in = &net->input;
    ib_program *p = ib_alloc(sizeof *p);
    float *zeros = ib_alloc((size_t)in->c * (size_t)in->h * (size_t)in->w * sizeof *zeros);
    int *value_of = NULL;
    if (!p || !zeros)
        goto fail;
    ib_graph_begin(g, IB_TRACE);
    if (!ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, in->c, in->h, in->w}, zeros)))
        goto fail;
    p->profile = (int)plan->opts.profile;
    p->input = *in;
    const size_t n = (size_t)g->n_nodes + 1;
    if (!(value_of = ib_alloc(n * sizeof *value_of)) || !(p->values = ib_alloc(n * sizeof *p->values)) || !(p->instrs = ib_alloc(n * sizeof *p->instrs)))
        goto fail;
    int end = g->n_nodes; /* the float tail: the last step's dequantize and what follows */
    if (plan->result_float)
        for (int i = g->n_nodes - 1; i >= 0 && g->nodes[i].out->dtype == IB_F32; i--)
            end = i;
    p->result = -1;
    for (int i = 0; i < end; i++) {
        const ib_node *node = &g->nodes[i];
        if (is_weight_op(node->op))
            continue;
        if (node->op == &ib_op_quantize && !p->n_values)
            value_of[i] = new_value(p, node->out, -1);
        else if (node->op == &ib_op_reshape || node->op == &ib_op_qdropout)
            value_of[i] = value_of[node->in[0]->node];
        else if (node->op == &ib_op_dequantize && i == g->n_nodes - 1)
            p->result = value_of[node->in[0]->node];
        else if (lower_node(p, node, value_of, i))
            goto fail;
    }
    if (plan->result_float) {
        p->result = value_of[g->nodes[end].in[0]->node];
        snprintf(p->note, sizeof p->note, "the last operator, %s, has no integer form: apply it to the dequantized outputs",
                 g->nodes[g->n_nodes - 1].op->name);
    }
    if (p->result <= 0) {
        ib_fail(IB_EUNSUPPORTED, "lower: the network computes nothing in integers");
        goto fail;
    }
    p->values[p->result].last = p->n_instrs;
    if (ib_plan_memory(p))
        goto fail;
    ib_free(zeros);
    ib_free(value_of);
    return p;
fail:
    ib_free(zeros);
    ib_free(value_of);
    ib_program_free(p);
    return NULL;
}

ib_program *ib_program_lower(ib_layer *net, ib_graph *g)
{
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
    ib_free(p);
}
