/* configure.c - from options and rules to the bits, observers and learned parameters of each step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/names.h"
#include "qat/plan.h"
#include "tensor/format.h"

static const char *const profiles[] = {"tflite_double", "tflite_single", "fp32_rne", "xnnpack"};
enum { PROFILES = sizeof profiles / sizeof *profiles };
static const char *const phases[] = {"float", "calibrate", "learn", "frozen", "exported"};

ib_status ib_profile_parse(const char *text, ib_profile *out)
{
    IB_NEED(text);
    IB_NEED(out);
    const int i = IB_NAME_FIND(text, profiles, IB_EINVAL, "no rounding profile is named");
    if (i < 0)
        return IB_EINVAL;
    *out = (ib_profile)i;
    return IB_OK;
}

const char *ib_profile_name(ib_profile p)
{
    return (int)p >= 0 && (int)p < PROFILES ? profiles[p] : "?";
}

const char *ib_phase_name(ib_phase p)
{
    return p >= 0 && p < 5 ? phases[p] : "?";
}

ib_status ib_qat_bits_parse(const char *text, ib_qat_opts *opts)
{
    IB_NEED(text);
    IB_NEED(opts);
    const int whole = strlen(text) == 4 && text[0] == 'w' && text[2] == 'a', w = whole ? text[1] - '0' : 0,
              a = whole ? text[3] - '0' : 0;
    if (!ib_format_has_width(w) || !ib_format_has_width(a))
        return ib_fail(IB_EINVAL, "'%s' is no pair of widths: w8a8, w4a8, w2a8, w4a4, w2a2, ... are", text);
    opts->weight_bits = w;
    opts->act_bits = a;
    return IB_OK;
}

static void set_bits(const ib_plan *p, ib_quantizer *q, int bits)
{
    q->bits = bits;
    q->qmin = -(1 << (bits - 1));
    q->qmax = (1 << (bits - 1)) - 1;
    q->profile = (int)p->opts.profile;
    ib_quantizer_write(p->dev, q, &(ib_quantizer_state){.scale = 1.0f});
}

ib_status ib_qat_set_profile(ib_layer *net, ib_profile profile)
{
    IB_NEED(net);
    IB_TAKE(profile, profile >= IB_TFLITE_DOUBLE && profile <= IB_XNNPACK, "is %d, which is no ib_profile",
            (int)profile);
    ib_plan *p = ib_plan_of(net);
    if (!p || p->phase == IB_EXPORTED)
        return ib_fail(IB_ESTATE, "profile: the network is in phase %s", ib_phase_name(ib_qat_phase(net)));
    p->opts.profile = profile;
    p->input.out.profile = (int)profile;
    for (int i = 0; i < p->n_steps; i++)
        p->steps[i].out.profile = (int)profile;
    return IB_OK;
}

/* Sets up observer and learned parameter of an activation. */
static ib_status configure_activation(ib_plan *p, ib_step *s, int bits)
{
    const char *name = p->opts.observer;
    if (!strcmp(name, "auto"))
        name = bits == 8 ? "ema" : "lsq";
    set_bits(p, &s->out, bits);
    const ib_observer_row *row = ib_observer_row_of(name);
    if (!row)
        return IB_EINVAL;
    s->out.learned = !row->cls || s->act == IB_ACT_RELU ? row->learned : IB_NOT_LEARNED;
    /* Learned scales start from the range of least error. */
    s->observer.cls = s->out.learned ? &ib_observer_mse : row->cls;
    s->observer.symmetric = p->opts.symmetric;
    s->observer.percentile = p->opts.percentile;
    s->observer.averaging = p->opts.averaging_constant;
    s->out.symmetric = p->opts.symmetric;
    s->out.averaging = ib_observer_averaging(&s->observer);
    if (s->out.learned) {
        char *param = ib_format_text("%s.%s", s->name, row->parameter);
        s->out.param = param ? ib_layer_param_new(p->net, param, 1, (int64_t[]){1}, IB_INIT_ZEROS, 1, 1) : NULL;
        ib_free(param);
        if (!s->out.param)
            return IB_ENOMEM;
    }
    return IB_OK;
}

static ib_status configure_weight(ib_plan *p, ib_step *s)
{
    const ib_qat_opts *o = &p->opts;
    const char *name = o->weight_observer;
    if (!strcmp(name, "auto"))
        name = s->weight.bits == 8 || o->granularity == IB_PER_GROUP ? "absmax" : "lsq";
    static const char *const observers[] = {"absmax", "mse", "lsq"};
    if (IB_NAME_FIND(name, observers, IB_EINVAL, "weight_observer: none is named") < 0)
        return IB_EINVAL;
    if (o->granularity == IB_PER_GROUP && strcmp(name, "absmax"))
        return ib_fail(IB_EINVAL, "weight scales in groups are by absmax, not by %s", name);
    s->weight.per_channel = o->granularity != IB_PER_TENSOR;
    s->weight.group_size = o->granularity == IB_PER_GROUP ? o->group_size : 0;
    s->weight.mse = strcmp(name, "absmax") != 0;
    if (!strcmp(name, "lsq") && !o->dynamic) {
        char *param = ib_format_text("%s.weight.ln_scale", s->name);
        const int64_t shape[] = {s->weight.per_channel ? s->leaf[1]->shape[0] : 1};
        s->ln_scale = param ? ib_layer_param_new(p->net, param, 1, shape, IB_INIT_ZEROS, 1, 1) : NULL;
        ib_free(param);
        if (!s->ln_scale)
            return IB_ENOMEM;
    }
    return IB_OK;
}

/* The step whose scale value v has: past those that pass their input's on. 0 is the input. */
static int scale_source(const ib_plan *p, int v)
{
    while (v > 0 && !(p->steps[v - 1].has_out))
        v = p->steps[v - 1].value[0];
    return v;
}

/* The input's codes follow from the normalization: code = raw level, value (level / levels - mean) / std. */
static ib_status configure_input(ib_plan *p)
{
    const ib_input_info *in = &p->net->input;
    ib_step *s = &p->input;
    if (!(s->name = ib_strdup("input")))
        return IB_ENOMEM;
    s->has_out = 1;
    set_bits(p, &s->out, p->opts.input_bits);
    s->observer.cls = &ib_observer_minmax;
    s->observer.symmetric = p->opts.symmetric;
    s->out.symmetric = p->opts.symmetric;
    if (in->std > 0 && in->raw_max > 0 && !p->opts.symmetric) {
        const int levels = in->raw_max < s->out.qmax - s->out.qmin ? in->raw_max : s->out.qmax - s->out.qmin;
        const int holds_zero = in->mean >= 0 && in->mean <= 1; /* 0 may be no value of the data, but padding has a
                                                                  code for it */
        ib_quantizer_state q = {.count = 1};
        if (holds_zero) {
            q.scale = 1.0f / (in->std * (float)levels);
            q.zero = s->out.qmin + (int)rintf(in->mean * (float)levels);
        } else {
            ib_scale_of_range(-in->mean / in->std, (1 - in->mean) / in->std, 0, s->out.qmin, s->out.qmax, &q.scale,
                              &q.zero);
        }
        if (ib_scale_check(q.scale)) {
            ib_error_prefix("layer 'input': mean %g and std %g", in->mean, in->std);
            return ib_error_status();
        }
        s->observer.lo = q.lo = q.scale * (float)(s->out.qmin - q.zero);
        s->observer.hi = q.hi = q.scale * (float)((holds_zero ? s->out.qmin + levels : s->out.qmax) - q.zero);
        s->observer.count = q.count;
        ib_quantizer_write(p->dev, &s->out, &q);
        s->observer.cls = NULL; /* known, not observed */
    }
    return IB_OK;
}

ib_status ib_plan_check_forms(const ib_plan *p, int asked)
{
    for (int i = 0; i < p->n_steps; i++) {
        const ib_step *s = &p->steps[i];
        const int left_out = i + 1 == p->result && s->op == &ib_op_softmax && !s->keep_float;
        if (!s->float_form || left_out || (s->keep_float && !asked))
            continue;
        if (s->keep_float)
            return ib_fail(IB_EUNSUPPORTED,
                           "layer '%s': a rule keeps its %s in fp32, so the network is no integer program", s->name,
                           s->op->name);
        return ib_fail(
            IB_EUNSUPPORTED,
            "layer '%s': %s of these inputs has no integer form: leave it out, or train with it in fp32 by the rule "
            "'%s=float', which makes no integer program",
            s->name, s->op->name, s->name);
    }
    return IB_OK;
}

ib_status ib_plan_configure(ib_plan *p)
{
    const ib_qat_opts *o = &p->opts;
    if (!ib_format_has_width(o->weight_bits) || !ib_format_has_width(o->act_bits) ||
        !ib_format_has_width(o->input_bits) || !ib_format_has_width(o->output_bits))
        return ib_fail(IB_EINVAL, "widths w%da%d, input %d, output %d: %s bits are possible", o->weight_bits,
                       o->act_bits, o->input_bits, o->output_bits, ib_format_widths());
    if (o->granularity == IB_PER_GROUP && (o->group_size < 4 || o->group_size % 4))
        return ib_fail(IB_EINVAL, "groups of %d weights: a multiple of 4 is needed", o->group_size);
    if (!(o->averaging_constant >= 0 && o->averaging_constant <= 1))
        return ib_fail(IB_EINVAL, "averaging_constant %g: it is above 0 and at most 1, or 0 for 0.01",
                       o->averaging_constant);
    ib_status status = configure_input(p);
    for (int i = 0; i < p->n_steps; i++)
        p->steps[i].has_out = !p->steps[i].is_constant && (!p->steps[i].form || p->steps[i].form->own_scale);
    /* An operator without integer form at the end returns fp32, and what feeds it counts as the result. */
    const ib_step *last = &p->steps[p->result - 1];
    p->result_float = !last->form;
    const int result = scale_source(p, p->result_float ? last->value[0] : p->result);
    for (int i = 0; i < p->n_steps && !status; i++) {
        ib_step *s = &p->steps[i];
        int bits = o->act_bits;
        s->weight.bits = o->weight_bits;
        if ((status = ib_apply_rules(p, s, &bits)))
            break;
        if (s->is_constant)
            continue;
        if ((!s->form || s->keep_float) && !(s->float_form = ib_format_text("float: %s", s->op->name)))
            return IB_ENOMEM;
        if (s->keep_float)
            s->has_out = 1;
        if (result == i + 1)
            bits = o->output_bits > bits ? o->output_bits : bits;
        if (s->has_out && !o->dynamic)
            status = configure_activation(p, s, bits);
        if (!status && ib_is_product(s) && !s->keep_float)
            status = configure_weight(p, s);
    }
    if (!status)
        status = ib_check_rules(p);
    return status ? status : ib_layer_name_new_params(p->net);
}
