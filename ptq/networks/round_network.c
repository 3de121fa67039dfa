/* round_network.c - a network's layers, one behind the other. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/names.h"
#include "base/number.h"
#include "ptq/networks/rounding.h"

static const ib_rounding_method methods[] = {
#define ROUNDING(name, chooses, summary) {#name, summary, chooses, ib_round_##name},
#include "ptq/networks/rounding.def"
#undef ROUNDING
};
enum { METHODS = sizeof methods / sizeof *methods };

const ib_rounding_method *ib_rounding_method_find(const char *name)
{
    const int i = IB_NAME_FIND(name, methods, IB_EINVAL, "method of networks: none is named");
    return i < 0 ? NULL : &methods[i];
}

const char *ib_rounding_method_at(int i)
{
    return i >= 0 && i < METHODS ? methods[i].name : NULL;
}

const char *ib_rounding_summary_at(int i)
{
    return i >= 0 && i < METHODS ? methods[i].summary : NULL;
}

/* A layer under way. */
typedef struct layer {
    ib_rounding *k;
    const ib_rounding_method *method;
    ib_step *step;
    ib_layer_rows rows;
    ib_layer_weights w;
    float *y; /* [rows][outs] of a group */
    double power, nearest, chosen;
    int64_t moved, kept; /* kept: the nearest codes stay, as they err less */
    ib_rounding_notes notes;
    int has_bias, corrected;
} layer;

ib_rounding_task ib_rounding_group(const ib_rounding *k, const ib_step *s, const ib_layer_rows *r,
                                   const ib_layer_weights *w, int64_t group)
{
    const int64_t out = group * r->outs;
    return (ib_rounding_task){.k = k,
                              .g = k->g,
                              .o = k->o,
                              .group = group,
                              .groups = r->groups,
                              .rows = r->rows,
                              .cols = r->cols,
                              .outs = r->outs,
                              .x = r->x + group * r->rows * r->cols,
                              .z = r->z + group * r->rows * r->outs,
                              .w = w->w + out * r->cols,
                              .bias = w->bias + out,
                              .scale = w->scale + out,
                              .qmax = w->qmax,
                              .act = s->act,
                              .code = w->code + out * r->cols};
}

ib_status ib_rounding_tell(const ib_rounding_task *t, double share)
{
    const ib_rounding *k = t->k;
    const double weights = (double)(t->cols * t->outs);
    if (!t->o->progress)
        return IB_OK;
    const int stop =
        t->o->progress(t->o->user, (int64_t)(k->done + weights * ((double)t->group + share)), (int64_t)k->total);
    return stop ? ib_fail(IB_ESTOPPED, "rounding was stopped") : IB_OK;
}

/* f(z) - f(q) of all groups. */
static ib_status measure(layer *l, double *error)
{
    ib_status status = IB_OK;
    *error = l->power = 0;
    for (int64_t g = 0; !status && g < l->rows.groups; g++) {
        const ib_rounding_task t = ib_rounding_group(l->k, l->step, &l->rows, &l->w, g);
        status = ib_rows_error(&t, l->y, error, &l->power);
    }
    return status;
}

static ib_status choose(layer *l)
{
    const size_t size = (size_t)(l->w.outs * l->w.cols);
    int8_t *nearest = ib_copy(l->w.code, size);
    ib_status status = nearest ? IB_OK : IB_ENOMEM;
    for (int64_t g = 0; !status && g < l->rows.groups; g++) {
        const ib_rounding_task t = ib_rounding_group(l->k, l->step, &l->rows, &l->w, g);
        status = l->method->round(&t, &l->notes);
        if (!status)
            status = ib_rounding_tell(&t, 1);
    }
    if (!status)
        status = measure(l, &l->chosen);
    for (size_t i = 0; !status && i < size; i++)
        l->moved += l->w.code[i] != nearest[i];
    if (!status && l->chosen > l->nearest) {
        l->kept = 1;
        l->moved = 0;
        l->chosen = l->nearest;
        memcpy(l->w.code, nearest, size);
    }
    if (!status && l->moved)
        status = ib_layer_weights_write(&l->w, l->k, l->step);
    ib_free(nearest);
    return status;
}

/* Each channel's mean of z - q is added to its bias, or where a batch norm is folded to that one's beta. */
static ib_status correct(layer *l)
{
    ib_tensor *bias = l->step->gamma ? l->step->beta : l->step->n_in > 2 ? l->step->leaf[2] : NULL;
    l->has_bias = bias && bias->name != NULL;
    if (!l->has_bias)
        return IB_OK;
    const int64_t outs = l->rows.outs, rows = l->rows.rows;
    float *b = ib_alloc_raw((size_t)l->w.outs * sizeof *b);
    ib_status status = b ? ib_tensor_read(bias, b) : IB_ENOMEM;
    for (int64_t g = 0; !status && g < l->rows.groups; g++) {
        const ib_rounding_task t = ib_rounding_group(l->k, l->step, &l->rows, &l->w, g);
        double error = 0, power = 0;
        status = ib_rows_error(&t, l->y, &error, &power);
        for (int64_t o = 0; !status && o < outs; o++) {
            double mean = 0;
            for (int64_t i = 0; i < rows; i++)
                mean += (double)t.z[i * outs + o] - (double)l->y[i * outs + o];
            b[g * outs + o] += (float)(mean / (double)rows);
            l->w.bias[g * outs + o] += (float)(mean / (double)rows);
        }
    }
    if (!status)
        status = ib_tensor_write(bias, b);
    if (!status)
        status = measure(l, &l->chosen);
    l->corrected = 1;
    ib_free(b);
    return status;
}

/* A line about what was out of the ordinary; NULL: nothing was. */
static const char *note_of(const layer *l, char *text, size_t room)
{
    size_t at = 0;
#define SAY(when, ...)                                                                                                 \
    if ((when) && at < room)                                                                                           \
    at += (size_t)ib_snprintf(text + at, room - at, __VA_ARGS__)
    text[0] = 0;
    SAY(l->notes.dead, "%s%lld of %lld inputs are always 0", at ? "; " : "", (long long)l->notes.dead,
        (long long)(l->rows.groups * l->rows.cols));
    SAY(l->method->chooses && l->rows.rows < l->rows.cols, "%s%lld rows for %lld columns: more samples say more",
        at ? "; " : "", (long long)l->rows.rows, (long long)l->rows.cols);
    SAY(l->notes.damping > 0, "%sthe Hessian needed damping %g", at ? "; " : "", l->notes.damping);
    SAY(l->kept, "%sthe nearest codes stay: those of %s err more", at ? "; " : "", l->method->name);
    SAY(l->k->o->bias_correction && !l->has_bias, "%shas no bias to correct", at ? "; " : "");
    SAY(!(l->power > 0), "%sits results are always 0", at ? "; " : "");
#undef SAY
    return at ? text : NULL;
}

static ib_status tell(const layer *l)
{
    char text[240];
    const ib_rounding_opts *o = l->k->o;
    const ib_rounding_report r = {.layer = l->step->name,
                                  .note = note_of(l, text, sizeof text),
                                  .bits = l->step->weight.bits,
                                  .weights = l->w.outs * l->w.cols,
                                  .rows = l->rows.rows,
                                  .moved = l->moved,
                                  .nearest_error = l->power > 0 ? l->nearest / l->power : -1,
                                  .error = l->power > 0 ? l->chosen / l->power : -1};
    return o->tell && o->tell(o->user, &r) ? ib_fail(IB_ESTOPPED, "rounding was stopped") : IB_OK;
}

static ib_status round_layer(ib_rounding *k, ib_step *s, const ib_rounding_method *method)
{
    layer l = {.k = k, .method = method, .step = s};
    ib_status status = ib_layer_rows_read(&l.rows, k, s);
    if (!status && method->chooses)
        status = ib_round_scales(k, s, &l.rows);
    if (!status)
        status = ib_layer_weights_read(&l.w, k, s);
    if (!status && !(l.y = ib_alloc_raw((size_t)(l.rows.rows * l.rows.outs) * sizeof *l.y)))
        status = IB_ENOMEM;
    if (!status)
        status = measure(&l, &l.nearest);
    l.chosen = l.nearest;
    if (!status && method->chooses)
        status = choose(&l);
    if (!status && k->o->bias_correction)
        status = correct(&l);
    if (!status)
        status = tell(&l);
    k->done += (double)(l.w.outs * l.w.cols);
    ib_free(l.y);
    ib_layer_rows_release(&l.rows);
    ib_layer_weights_release(&l.w);
    return status;
}

static int is_rounded(const ib_step *s)
{
    return !s->keep_float && !s->is_constant && (s->form == &ib_form_linear || s->form == &ib_form_conv2d);
}

/* Weights that two places share, or that are no parameter, have codes that no method can choose for one place. */
static ib_status check_layers(const ib_rounding *k, const ib_rounding_method *m)
{
    const ib_plan *p = k->plan;
    for (int i = 0; i < p->n_steps; i++) {
        const ib_step *s = &p->steps[i];
        if (!is_rounded(s))
            continue;
        if (m->chooses && !s->ln_scale)
            return ib_fail(IB_EUNSUPPORTED,
                           "layer '%s': its weights' scales follow the weights: %s needs scales that are parameters "
                           "(weight_observer \"lsq\")",
                           s->name, m->name);
        if (m->chooses && !s->leaf[1]->name)
            return ib_fail(IB_EUNSUPPORTED, "layer '%s': its weights are no parameters", s->name);
        for (int j = 0; j < i && (m->chooses || k->o->bias_correction); j++)
            if (is_rounded(&p->steps[j]) && p->steps[j].leaf[1] == s->leaf[1])
                return ib_fail(IB_EUNSUPPORTED, "layers '%s' and '%s' share their weights: %s", p->steps[j].name,
                               s->name, "no code suits two places");
    }
    return IB_OK;
}

static ib_status count_samples(ib_rounding *k)
{
    ib_batch b;
    const ib_status status = ib_loader_start(k->loader, 0, 0);
    while (!status && ib_loader_next(k->loader, &b))
        k->samples += b.n;
    if (!status && !k->samples && !ib_loader_status(k->loader))
        return ib_fail(IB_EINVAL, "ib_qat_round: loader has no samples");
    return status ? status : ib_loader_status(k->loader);
}

static ib_status round_layers(ib_rounding *k, const ib_rounding_method *m)
{
    ib_status status = count_samples(k);
    for (int i = 0; i < k->plan->n_steps; i++)
        k->total += is_rounded(&k->plan->steps[i]) ? (double)k->plan->steps[i].leaf[1]->size : 0;
    for (int i = 0; !status && i < k->plan->n_steps; i++)
        if (is_rounded(&k->plan->steps[i]))
            status = round_layer(k, &k->plan->steps[i], m);
    return status;
}

ib_status ib_qat_round(ib_layer *net, ib_graph *g, ib_loader *loader, const ib_rounding_opts *o)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(loader);
    IB_NEED(o);
    IB_TAKE(o->damping, o->damping >= 0 && o->damping <= 1, "is %g, which is not in [0, 1]", o->damping);
    IB_TAKE(o->iterations, o->iterations >= 0 && o->iterations <= 1 << 24, "is %lld", (long long)o->iterations);
    const ib_rounding_method *m = ib_rounding_method_find(o->method ? o->method : "nearest");
    if (!m || ib_round_check_scales(o))
        return IB_EINVAL;
    IB_TAKE(o->scales, !o->scales || m->chooses, "is %s, which has no effect with the method %s", o->scales, m->name);
    if (ib_qat_phase(net) != IB_FROZEN)
        return ib_fail(IB_ESTATE, "ib_qat_round: the network is in phase %s, not frozen",
                       ib_phase_name(ib_qat_phase(net)));
    ib_rounding k = {.net = net, .plan = ib_plan_of(net), .g = g, .loader = loader, .o = o};
    if (k.plan->opts.dynamic)
        return ib_fail(IB_EUNSUPPORTED, "ib_qat_round: a dynamically quantized network has no codes that stay");
    ib_status status = check_layers(&k, m);
    if (status || (status = ib_net_values_take(&k.real, net)))
        return status;
    status = round_layers(&k, m);
    if (status && ib_net_values_put(&k.real))
        status = ib_error_status();
    ib_net_values_release(&k.real);
    return status;
}
