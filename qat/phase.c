/* phase.c - the state machine. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "qat/plan.h"
#include "tensor/format.h"

ib_phase ib_qat_phase(const ib_layer *net)
{
    IB_NEED_OR(net, 0);
    return net->quantization.plan ? ib_plan_of(net)->phase : IB_FLOAT;
}

static ib_status check_options(const ib_qat_opts *opts)
{
    static const char function[] = "ib_qat_prepare";
#define WIDTH(field)                                                                                                   \
    IB_TAKE_FOR(function, opts->field, opts->field == 0 || ib_format_has_width(opts->field), IB_EINVAL,                \
                "is %d: %s bits are possible", opts->field, ib_format_widths())
    WIDTH(weight_bits);
    WIDTH(act_bits);
    WIDTH(input_bits);
    WIDTH(output_bits);
#undef WIDTH
    const int grouped = opts->granularity == IB_PER_GROUP, size = opts->group_size;
    IB_TAKE_FOR(function, opts->granularity, opts->granularity >= IB_PER_CHANNEL && opts->granularity <= IB_PER_GROUP,
                IB_EINVAL, "is %d, which is no ib_granularity", (int)opts->granularity);
    IB_TAKE_FOR(function, opts->group_size, size >= 0 && (!grouped || size % 4 == 0), IB_EINVAL,
                "is %d: a multiple of 4 is needed", size);
    IB_TAKE_FOR(function, opts->profile, opts->profile >= IB_TFLITE_DOUBLE && opts->profile <= IB_XNNPACK, IB_EINVAL,
                "is %d, which is no ib_profile", (int)opts->profile);
    IB_TAKE_FOR(function, opts->percentile, opts->percentile == 0 || (opts->percentile > 50 && opts->percentile <= 100),
                IB_EINVAL, "is %g, which is not in (50, 100]", opts->percentile);
    return IB_OK;
}

/* What would have no effect is not what was meant. */
static ib_status check_effect(const ib_qat_opts *opts)
{
    static const char function[] = "ib_qat_prepare";
    const char *observer = opts->observer ? opts->observer : "auto";
    const int averages = !strcmp(observer, "auto") || ib_observer_averages(observer);
    IB_TAKE_FOR(function, opts->percentile, opts->percentile == 0 || !strcmp(observer, "percentile"), IB_EINVAL,
                "is %g, which has no effect with the observer %s", opts->percentile, observer);
    IB_TAKE_FOR(function, opts->averaging_constant, opts->averaging_constant == 0 || averages, IB_EINVAL,
                "is %g, which has no effect with the observer %s", opts->averaging_constant, observer);
    IB_TAKE_FOR(function, opts->group_size, opts->group_size == 0 || opts->granularity == IB_PER_GROUP, IB_EINVAL,
                "is %d, which has no effect without IB_PER_GROUP", opts->group_size);
    const int bits = opts->weight_bits && opts->weight_bits != 8 ? opts->weight_bits : opts->act_bits;
    IB_TAKE_FOR(function, opts->dynamic, !opts->dynamic || !bits || bits == 8, IB_EINVAL,
                "is set, which has 8 bits for weights and inputs, not %d", bits);
    IB_TAKE_FOR(function, opts->dynamic, !opts->dynamic || !opts->observer, IB_EINVAL,
                "is set, which has no use for the observer %s", observer);
    return IB_OK;
}

/* Parameters that a plan which came to nothing has added. */
static void drop_params(ib_layer *net, int n)
{
    while (net->n_params > n) {
        ib_param *last = net->params[--net->n_params];
        ib_tensor_release(last->t);
        ib_free(last->name);
        ib_free(last);
    }
}

/* Takes a plan back, with the parameters behind the first n. */
static ib_status undo(ib_layer *net, ib_plan *p, int n)
{
    ib_plan_free(p);
    if (net->n_params == n)
        return IB_OK;
    drop_params(net, n);
    return ib_layer_name_new_params(net);
}

/* again: a network that was trained as it is; only_ask: whether it could be done. */
static ib_status prepare(ib_layer *net, ib_graph *g, const ib_qat_opts *opts, int again, int only_ask)
{
    if (opts && (check_options(opts) || (!again && check_effect(opts))))
        return IB_EINVAL;
    if (net->quantization.plan)
        return ib_fail(IB_ESTATE, "prepare: the network is in phase %s already", ib_phase_name(ib_qat_phase(net)));
    const int params = net->n_params;
    ib_plan *p = ib_plan_new(net, g, opts ? opts : &(ib_qat_opts){0});
    ib_status status = p ? IB_OK : ib_error_status();
    if (p && !again && !p->opts.dynamic)
        status = ib_plan_check_forms(p, 0);
    if (status || only_ask) {
        const ib_status undone = undo(net, p, params);
        return undone ? undone : status;
    }
    ib_layer_settle(net);
    net->quantization.plan = p;
    net->quantization.forward = ib_plan_forward;
    net->quantization.free = ib_plan_free;
    return IB_OK;
}

ib_status ib_plan_check_batch(const ib_layer *net, const ib_batch *b, const char *function)
{
    const ib_input_info *in = &net->input;
    if (b->shape[1] == in->c && b->shape[2] == in->h && b->shape[3] == in->w)
        return IB_OK;
    return ib_fail(IB_EINVAL, "%s: loader gives samples of %lldx%lldx%lld, the network takes %dx%dx%d", function,
                   (long long)b->shape[1], (long long)b->shape[2], (long long)b->shape[3], in->c, in->h, in->w);
}

ib_status ib_qat_prepare(ib_layer *net, ib_graph *g, const ib_qat_opts *opts)
{
    IB_NEED(net);
    IB_NEED(g);
    return prepare(net, g, opts, 0, 0);
}

ib_status ib_qat_check(ib_layer *net, ib_graph *g, const ib_qat_opts *opts)
{
    IB_NEED(net);
    IB_NEED(g);
    return prepare(net, g, opts, 0, 1);
}

ib_status ib_qat_prepare_again(ib_layer *net, ib_graph *g, const ib_qat_opts *opts)
{
    return prepare(net, g, opts, 1, 0);
}

/* What prepare asked with numbers drawn at random, of data as they are. */
static ib_status check_structure(ib_layer *net, ib_graph *g, const ib_batch *b)
{
    const ib_tensor *y = ib_plan_trace(net, g);
    return y ? ib_trace_check(net, g, y, b->n, b->x) : ib_error_status();
}

ib_status ib_qat_calibrate(ib_layer *net, ib_graph *g, ib_loader *loader, int64_t batches)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(loader);
    IB_TAKE(batches, batches >= 0, "is %lld", (long long)batches);
    if (ib_qat_phase(net) != IB_CALIBRATE)
        return ib_fail(IB_ESTATE, "calibrate: the network is in phase %s", ib_phase_name(ib_qat_phase(net)));
    ib_batch b;
    ib_status status = ib_loader_start(loader, 0, 0);
    for (int64_t i = 0; !status && (!batches || i < batches) && ib_loader_next(loader, &b); i++) {
        if ((status = ib_plan_check_batch(net, &b, __func__)) || (!i && (status = check_structure(net, g, &b))))
            break;
        ib_graph_begin(g, IB_EVAL);
        if (!ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)))
            return ib_error_status();
    }
    return status ? status : ib_loader_status(loader);
}

/* Channels that one scale for all makes 0: the warning of ib_qat_layer. */
static void count_lost(ib_step *s, float scale)
{
    const ib_observer *o = &s->observer;
    float most = 0, most_lost = 0;
    s->live_channels = s->lost_channels = 0;
    s->only_zeros = o->count && o->lo == 0 && o->hi == 0;
    for (int64_t c = 0; c < o->channels; c++) {
        const float top = o->channel_top[c];
        const int lost = top > 0 && top < 0.5f * scale;
        most = fmaxf(most, top);
        most_lost = lost ? fmaxf(most_lost, top) : most_lost;
        s->live_channels += top > 0;
        s->lost_channels += lost;
    }
    s->lost_ratio = s->lost_channels ? most / most_lost : 0;
}

/* First scales of an activation, from what its observer saw. */
static ib_status fix_activation(const ib_plan *p, ib_device *dev, ib_step *s)
{
    const ib_observer *o = &s->observer;
    if (!s->has_out)
        return IB_OK;
    if (o->cls) {
        float lo, hi;
        ib_quantizer_state q = {.lo = o->lo, .hi = o->hi, .count = o->count};
        if (!o->count)
            return ib_fail(IB_ESTATE, "layer '%s': its observer saw no batch: call ib_qat_calibrate() first", s->name);
        o->cls->range(o, &s->out, o->symmetric, &lo, &hi);
        ib_scale_of_range(lo, hi, o->symmetric, s->out.qmin, s->out.qmax, &q.scale, &q.zero);
        ib_quantizer_write(p->dev, &s->out, &q);
        if (ib_scale_check(q.scale)) {
            ib_error_prefix("layer '%s': values reach from %g to %g", s->name, lo, hi);
            return ib_error_status();
        }
        count_lost(s, q.scale);
        if (s->out.param && ib_tensor_place(s->out.param, dev))
            return ib_error_status();
        ib_quantizer_learn_from(dev, &s->out);
    }
    return IB_OK;
}

/* First learned scales of weights: least squared error on the folded weight. */
static ib_status fix_weight(ib_graph *g, ib_step *s)
{
    ib_tensor *bias;
    if (!s->ln_scale)
        return IB_OK;
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *w = ib_step_weight(g, s, &bias);
    ib_weight_attrs mse = s->weight;
    mse.mse = 1;
    const ib_tensor *q = ib_quantize_weight(g, w, NULL, &mse);
    if (!q || ib_graph_use(g, s->ln_scale))
        return ib_error_status();
    g->dev->k.log_scales(g->dev, q->q.scale, ib_f32(s->ln_scale), s->ln_scale->size);
    return IB_OK;
}

/* Codes have no word for what is not finite. */
static ib_status check_params(const ib_layer *net)
{
    for (int i = 0; i < net->n_all; i++) {
        const ib_tensor *t = net->all[i]->t;
        void *copy;
        const float *values = ib_tensor_look(t, &copy);
        int64_t bad = 0;
        if (!values)
            return ib_error_status();
        while (bad < t->size && isfinite(values[bad]))
            bad++;
        if (bad < t->size)
            ib_fail(IB_ENUMERIC, "'%s' holds %g at %lld, which is not finite", ib_tensor_name(t), values[bad],
                    (long long)bad);
        ib_free(copy);
        if (bad < t->size)
            return IB_ENUMERIC;
    }
    return IB_OK;
}

/* Ranges follow, and scales learn, in IB_LEARN alone. */
static void set_moving(ib_plan *p, int moving)
{
    for (int i = -1; i < p->n_steps; i++) {
        ib_step *s = i < 0 ? &p->input : &p->steps[i];
        const int moves = moving && s->has_out && !s->out.learned && s->observer.cls;
        s->out.follows = moves ? s->observer.cls->follows : IB_STANDS_STILL;
        ib_tensor *learned[] = {s->out.param, s->ln_scale};
        for (int j = 0; j < 2; j++)
            if (learned[j])
                learned[j]->needs_grad = moving;
    }
}

static int allowed(ib_phase from, ib_phase to)
{
    return to == from + 1 || (from == IB_CALIBRATE && to == IB_FROZEN);
}

ib_status ib_qat_set_phase(ib_layer *net, ib_graph *g, ib_phase phase)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_TAKE(phase, phase >= IB_FLOAT && phase <= IB_EXPORTED, "is %d, which is no ib_phase", (int)phase);
    const ib_phase now = ib_qat_phase(net);
    ib_plan *p = ib_plan_of(net);
    if (!p || !allowed(now, phase))
        return ib_fail(IB_ESTATE, "phase %s cannot follow phase %s%s", ib_phase_name(phase), ib_phase_name(now),
                       p ? "" : ": call ib_qat_prepare() first");
    if (now == IB_CALIBRATE && !p->opts.dynamic) {
        ib_device *dev = ib_graph_device(g);
        ib_status status = check_params(net);
        if (!status)
            status = ib_plan_place(p, dev);
        if (!status)
            status = fix_activation(p, dev, &p->input);
        for (int i = 0; i < p->n_steps && !status; i++) {
            status = fix_activation(p, dev, &p->steps[i]);
            if (!status)
                status = fix_weight(g, &p->steps[i]);
        }
        if (status)
            return status;
    }
    if (phase == IB_EXPORTED && p->opts.dynamic)
        return ib_fail(IB_EUNSUPPORTED,
                       "a dynamically quantized network computes in fp32 between its layers: it is no integer program");
    p->phase = phase;
    set_moving(p, phase == IB_LEARN);
    return IB_OK;
}

ib_status ib_plan_restore_phase(ib_layer *net, ib_phase phase)
{
    ib_plan *p = ib_plan_of(net);
    p->phase = phase;
    for (int i = 0; i < p->n_steps && phase == IB_CALIBRATE; i++)
        if (ib_observer_has_bins(&p->steps[i].observer)) /* no file holds bins */
            p->steps[i].observer.count = 0;
    set_moving(p, phase == IB_LEARN);
    return IB_OK;
}

ib_status ib_qat_begin(ib_layer *net, ib_graph *g, ib_loader *loader, const ib_qat_opts *opts)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(loader);
    ib_status status = ib_qat_prepare(net, g, opts);
    if (!status)
        status = ib_qat_calibrate(net, g, loader, 10);
    return status ? status : ib_qat_set_phase(net, g, IB_LEARN);
}

ib_quantizer_state ib_step_state(const ib_plan *p, const ib_step *s)
{
    ib_quantizer_state q = ib_quantizer_read(p->dev, &s->out);
    if (p->phase == IB_CALIBRATE) { /* the observer's own until a scale comes of them */
        q.lo = s->observer.lo;
        q.hi = s->observer.hi;
        q.count = s->observer.count;
    }
    return q;
}

int ib_qat_layer_count(const ib_layer *net)
{
    IB_NEED_OR(net, 0);
    return net->quantization.plan ? ib_plan_of(net)->n_steps + 1 : 0;
}

ib_qat_layer ib_qat_layer_at(const ib_layer *net, int i)
{
    IB_NEED_OR(net, (ib_qat_layer){0});
    IB_TAKE_OR(i, i >= 0 && i < ib_qat_layer_count(net), (ib_qat_layer){0}, "is %d of %d layers", i,
               ib_qat_layer_count(net));
    const ib_plan *p = ib_plan_of(net);
    const ib_step *s = i ? &p->steps[i - 1] : &p->input;
    const int integer = !i || (s->form && !s->keep_float);
    const ib_quantizer_state q = ib_step_state(p, s);
    return (ib_qat_layer){.name = s->name,
                          .form = !i               ? "input"
                                  : s->is_constant ? "constant"
                                  : integer        ? s->form->name
                                                   : s->float_form,
                          .observer = !s->has_out       ? NULL
                                      : s->out.learned  ? ib_learned_name(s->out.learned)
                                      : s->observer.cls ? s->observer.cls->name
                                                        : "known",
                          .weight_bits = i && integer && ib_is_product(s) ? s->weight.bits : 0,
                          .act_bits = s->has_out ? s->out.bits : 0,
                          .scale = s->has_out ? q.scale : 0,
                          .zero_point = q.zero,
                          .channels = s->live_channels,
                          .lost_channels = s->lost_channels,
                          .lost_ratio = s->lost_ratio,
                          .only_zeros = s->only_zeros};
}
