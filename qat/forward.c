/* forward.c - running a plan. */
#include <string.h>

#include "autograd/tap.h"
#include "base/argument.h"
#include "base/assert.h"
#include "qat/plan.h"

/* What is joined to values has to be there for each sample. */
static int repeat_constants(ib_graph *g, const ib_step *s, ib_tensor **in)
{
    int64_t batch = 1;
    for (int i = 0; i < s->n_in; i++)
        batch = in[i] && in[i]->from_data ? in[i]->shape[0] : batch;
    for (int i = 0; i < s->n_in; i++) {
        int64_t shape[IB_MAX_DIMS];
        if (!in[i] || in[i]->shape[0] == batch)
            continue;
        memcpy(shape, in[i]->shape, sizeof shape);
        shape[0] = batch;
        if (!(in[i] = ib_constant_expanded(g, in[i], in[i]->ndim, shape)))
            return 0;
    }
    return 1;
}

/* The step in fp32: fold, apply, activation. */
static ib_tensor *run_float(ib_graph *g, ib_step *s, ib_tensor **in)
{
    ib_tensor *y;
    if (s->op == &ib_op_batch_norm && s->gamma) {
        y = ib_batch_norm(g, in[0], s->gamma, s->beta, s->mean, s->var, 0, s->eps);
    } else {
        ib_tensor *args[IB_MAX_INPUTS];
        memcpy(args, in, sizeof args);
        if (s->gamma) {
            args[1] = ib_step_weight(g, s, &args[2]);
            if (!args[1])
                return NULL;
        }
        if (s->op == &ib_op_concat && !repeat_constants(g, s, args))
            return NULL;
        y = ib_apply(g, s->op, args, s->gamma ? 3 : s->n_in, s->attrs);
    }
    return s->act == IB_ACT_RELU ? ib_relu(g, y) : s->act == IB_ACT_RELU6 ? ib_relu6(g, y) : y;
}

/* Codes in, fp32 between, codes out; the network's last step may stay fp32. */
static ib_tensor *run_island(ib_graph *g, ib_step *s, ib_tensor **in, int stay_float)
{
    ib_tensor *args[IB_MAX_INPUTS] = {0};
    for (int i = 0; i < s->n_in; i++) {
        args[i] = in[i] && in[i]->dtype == IB_CODES ? ib_dequantize(g, in[i]) : in[i];
        if (in[i] && !args[i])
            return NULL;
    }
    ib_tensor *y = run_float(g, s, args);
    return stay_float ? y : ib_quantize(g, y, &s->out);
}

/* Dynamic quantization: linear layers with int8 weights, the rest in fp32. */
static ib_tensor *run_dynamic(ib_graph *g, ib_step *s, ib_tensor **in)
{
    if (s->form != &ib_form_linear || s->keep_float)
        return run_float(g, s, in);
    ib_tensor *bias, *w = ib_quantize_weight(g, ib_step_weight(g, s, &bias), NULL, &s->weight);
    ib_tensor *y = ib_qlinear_dynamic(g, in[0], w, bias);
    return s->act == IB_ACT_RELU ? ib_relu(g, y) : s->act == IB_ACT_RELU6 ? ib_relu6(g, y) : y;
}

/* Shows y to the observer of the step that is named so. */
static ib_status observe(const ib_tap *tap, ib_graph *g, const char *layer, const ib_tensor *y)
{
    ib_plan *p = tap->context;
    ib_step *s = &p->input;
    for (int i = 0; i < p->n_steps && layer != s->name; i++)
        s = &p->steps[i];
    IB_ASSERT(layer == s->name, "what passes is a step's");
    if (!s->has_out || !s->observer.cls)
        return IB_OK;
    const ib_status bad = ib_observer_see_batch(&s->observer, g->dev, ib_f32(y), y->size, s->name);
    if (bad || y->ndim < 2)
        return bad;
    const ib_mark mark = ib_graph_mark(g);
    const int64_t n = y->shape[0], channels = y->shape[1];
    float *room = ib_graph_numbers(g, (size_t)(n * channels) * sizeof *room);
    const ib_status status =
        room ? ib_observer_see_channels(&s->observer, g->dev, ib_f32(y), n, channels, y->size / (n * channels), room)
             : IB_ENOMEM;
    ib_graph_release(g, mark);
    return status;
}

static ib_tensor *passed(ib_graph *g, ib_tensor *y)
{
    return y && !ib_tap_pass(g, y) ? y : NULL;
}

/* The steps one after another, where x lies; integers: in codes. */
static ib_tensor *run_steps(ib_plan *p, ib_graph *g, ib_tensor *x, int integers)
{
    ib_tensor **value = ib_graph_alloc(g, (size_t)(p->n_steps + 1) * sizeof *value);
    if (!value || ib_plan_place(p, g->dev))
        return NULL;
    g->scope = p->input.name;
    value[0] = integers ? ib_quantize(g, x, &p->input.out) : passed(g, x);
    if (!value[0])
        return NULL;
    for (int i = 0; i < p->n_steps; i++) {
        ib_step *s = &p->steps[i];
        ib_tensor *in[IB_MAX_INPUTS] = {0};
        for (int j = 0; j < s->n_in; j++)
            IB_ASSERT(s->value[j] <= i, "a step reads what a step before it made");
        for (int j = 0; j < s->n_in; j++)
            if ((in[j] = s->value[j] >= 0 ? value[s->value[j]] : s->leaf[j]) == NULL && s->value[j] >= 0)
                return NULL;
        g->scope = s->name;
        if (s->is_constant)
            value[i + 1] = run_float(g, s, in);
        else if (p->opts.dynamic)
            value[i + 1] = run_dynamic(g, s, in);
        else if (!integers)
            value[i + 1] = passed(g, run_float(g, s, in));
        else if (!s->form || s->keep_float)
            value[i + 1] = run_island(g, s, in, p->result_float && i + 1 == p->result);
        else
            value[i + 1] = s->form->run(g, s, in);
        if (!value[i + 1])
            return NULL;
    }
    g->scope = "output";
    IB_ASSERT(p->result >= 0 && p->result <= p->n_steps, "the result is a step's");
    ib_tensor *y = value[p->result];
    return y->dtype == IB_CODES ? ib_dequantize(g, y) : y;
}

static ib_tensor *run(ib_plan *p, ib_graph *g, ib_tensor *x, int integers)
{
    ib_side *was = IB_FOLLOW(g, x);
    ib_tensor *y = run_steps(p, g, x, integers);
    ib_graph_turn(g, was);
    return y;
}

ib_tensor *ib_plan_forward(ib_layer *net, ib_graph *g, ib_tensor *x)
{
    ib_plan *p = ib_plan_of(net);
    if (!x)
        return NULL;
    if (g->mode == IB_TRAIN && (p->phase == IB_CALIBRATE || p->phase == IB_EXPORTED) && !p->opts.dynamic)
        return ib_fail_null(IB_ESTATE, "training step in phase %s: only float, learn and frozen networks learn",
                            ib_phase_name(p->phase));
    const ib_tap *own = g->tap, observers = {observe, p};
    if (p->phase == IB_CALIBRATE && !p->opts.dynamic && !own)
        g->tap = &observers;
    ib_tensor *y = run(p, g, x, p->phase >= IB_LEARN && !p->opts.dynamic);
    g->tap = own;
    return y;
}

ib_tensor *ib_qat_forward_real(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(x, NULL);
    if (ib_graph_owns(g, x, __func__, "x"))
        return NULL;
    ib_plan *p = ib_plan_of(net);
    if (!p || g->mode == IB_TRAIN)
        return ib_fail_null(IB_ESTATE, p ? "is not for training steps"
                                         : "phase float has no quantized layers: call ib_qat_prepare() first");
    return run(p, g, x, 0);
}
