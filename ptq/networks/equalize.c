/* equalize.c - cross-layer equalization (Nagel et al., arXiv:1906.04721, section 4.1): where a product's channel c goes
 * through what scales pass, a ReLU among it, into products alone, it is divided by s_c and their weights of c are
 * multiplied by it, s_c = sqrt(r1_c / r2_c) of the largest magnitudes r1 before and r2 behind, which then are the same.
 * Here s_c is the nearest power of two: fp32 results stay in every bit. */
#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "autograd/attrs.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "ptq/networks/rounding.h"

enum { MOST_READERS = 8, SWEEPS = 24 };

/* A product and those that read its channels. */
typedef struct pair {
    const ib_plan *plan;
    const ib_step *from, *to[MOST_READERS];
    int n;
    const char *barrier; /* why it stays as it is, or NULL */
    int64_t channels;
    float *before, *behind; /* [channels] largest folded magnitudes */
    int *power;             /* [channels] of two that divides */
} pair;

static int is_product(const ib_step *s)
{
    return !s->keep_float && !s->is_constant && (s->form == &ib_form_linear || s->form == &ib_form_conv2d);
}

static int shares(const ib_plan *p, const ib_step *s, const ib_tensor *t)
{
    for (int i = 0; t && i < p->n_steps; i++) {
        const ib_step *o = &p->steps[i];
        if (o != s && (o->gamma == t || o->beta == t))
            return 1;
        for (int j = 0; o != s && j < o->n_in; j++)
            if (o->leaf[j] == t)
                return 1;
    }
    return 0;
}

/* Whether its channels can be scaled: of parameters that are its own. */
static const char *scales_itself(const ib_plan *p, const ib_step *s)
{
    const ib_tensor *of[] = {s->leaf[1], s->n_in > 2 ? s->leaf[2] : NULL, s->gamma, s->beta};
    for (int i = 0; i < 4; i++)
        if (of[i] && (!of[i]->name || shares(p, s, of[i])))
            return "its parameters are not its own";
    return s->act == IB_ACT_RELU6 ? "ReLU6 clips at 6 whatever the scale" : NULL;
}

static int passes_scale(const ib_step *s)
{
    const ib_op *op = s->op;
    if (op == &ib_op_reshape && ((const ib_reshape_attrs *)s->attrs)->ndim != 2) /* channels may go elsewhere */
        return 0;
    return s->form && !s->keep_float &&
           (op == &ib_op_max_pool || op == &ib_op_avg_pool || op == &ib_op_relu || op == &ib_op_reshape ||
            op == &ib_op_dropout);
}

/* Readers of value v, through what passes scales. */
static void follow(pair *k, int v)
{
    const ib_plan *p = k->plan;
    if (v == p->result)
        k->barrier = "it gives the network's results";
    for (int i = 0; i < p->n_steps && !k->barrier; i++) {
        const ib_step *s = &p->steps[i];
        for (int j = 0; j < s->n_in && !k->barrier; j++) {
            if (s->value[j] != v)
                continue;
            if (passes_scale(s))
                follow(k, i + 1);
            else if (s->op == &ib_op_relu6)
                k->barrier = "ReLU6 clips at 6 whatever the scale";
            else if (j || !is_product(s))
                k->barrier = "not products alone read it";
            else if (!s->leaf[1]->name || shares(p, s, s->leaf[1]))
                k->barrier = "the weights behind it are not one layer's own";
            else if (k->n == MOST_READERS)
                k->barrier = "too many layers read it";
            else
                k->to[k->n++] = s;
        }
    }
    if (!k->n && !k->barrier)
        k->barrier = "nothing reads it";
}

/* The place of channel c's weights in the reader's row o: *first and *count of its columns, or count 0. */
static void columns_of(const ib_step *s, int64_t channels, int64_t o, int64_t c, int64_t *first, int64_t *count)
{
    const ib_tensor *w = s->leaf[1];
    const int64_t outs = w->shape[0], cols = w->size / outs;
    const int conv = s->op == &ib_op_conv2d;
    const int64_t groups =
                      conv && ((const ib_conv_opts *)s->attrs)->groups ? ((const ib_conv_opts *)s->attrs)->groups : 1,
                  of_group = channels / groups;
    *count = o / (outs / groups) == c / of_group ? cols / of_group : 0;
    *first = c % of_group * *count;
}

/* Channels of the reader's input: a linear layer behind pixels has several columns for each. */
static int fits(const ib_step *s, int64_t channels)
{
    const ib_tensor *w = s->leaf[1];
    const int64_t groups = s->op == &ib_op_conv2d && ((const ib_conv_opts *)s->attrs)->groups
                               ? ((const ib_conv_opts *)s->attrs)->groups
                               : 1;
    return s->op == &ib_op_conv2d ? w->shape[1] * groups == channels : w->shape[1] % channels == 0;
}

/* |w gain| of the step, [outs][cols]; yours to ib_free. */
static float *folded(const ib_step *s)
{
    void *a = NULL, *b = NULL;
    const ib_tensor *t = s->leaf[1];
    const int64_t cols = t->size / t->shape[0];
    float *w = ib_alloc_raw((size_t)t->size * sizeof *w);
    if (!w || ib_tensor_read(t, w)) {
        ib_free(w);
        return NULL;
    }
    const float *gamma = s->gamma ? ib_tensor_look(s->gamma, &a) : NULL,
                *var = gamma ? ib_tensor_look(s->var, &b) : NULL;
    for (int64_t i = 0; i < t->size; i++)
        w[i] = fabsf(var ? w[i] * gamma[i / cols] / sqrtf(var[i / cols] + s->eps) : w[i]);
    ib_free(a);
    ib_free(b);
    return w;
}

static ib_status measure(pair *k)
{
    float *w = folded(k->from);
    const int64_t cols = k->from->leaf[1]->size / k->channels;
    for (int64_t i = 0; w && i < k->channels; i++)
        k->before[i] = k->behind[i] = 0;
    for (int64_t i = 0; w && i < k->channels * cols; i++)
        k->before[i / cols] = fmaxf(k->before[i / cols], w[i]);
    for (int r = 0; w && r < k->n; r++) {
        ib_free(w);
        const ib_tensor *t = k->to[r]->leaf[1];
        const int64_t outs = t->shape[0], width = t->size / outs;
        if (!(w = folded(k->to[r])))
            break;
        for (int64_t o = 0; o < outs; o++)
            for (int64_t c = 0; c < k->channels; c++) {
                int64_t first, count;
                columns_of(k->to[r], k->channels, o, c, &first, &count);
                for (int64_t i = first; i < first + count; i++)
                    k->behind[c] = fmaxf(k->behind[c], w[o * width + i]);
            }
    }
    const ib_status status = w ? IB_OK : IB_ENOMEM;
    ib_free(w);
    return status;
}

/* Values of t by channel, divided by 2^power. */
static ib_status divide(const pair *k, ib_tensor *t)
{
    float *x = t ? ib_alloc_raw((size_t)t->size * sizeof *x) : NULL;
    ib_status status = !t ? IB_OK : x ? ib_tensor_read(t, x) : IB_ENOMEM;
    for (int64_t i = 0; t && !status && i < t->size; i++)
        x[i] = ldexpf(x[i], -k->power[i / (t->size / k->channels)]);
    if (t && !status)
        status = ib_tensor_write(t, x);
    ib_free(x);
    return status;
}

static ib_status multiply(const pair *k, const ib_step *s)
{
    ib_tensor *t = s->leaf[1];
    const int64_t outs = t->shape[0], width = t->size / outs;
    float *x = ib_alloc_raw((size_t)t->size * sizeof *x);
    ib_status status = x ? ib_tensor_read(t, x) : IB_ENOMEM;
    for (int64_t o = 0; !status && o < outs; o++)
        for (int64_t c = 0; c < k->channels; c++) {
            int64_t first, count;
            columns_of(s, k->channels, o, c, &first, &count);
            for (int64_t i = first; i < first + count; i++)
                x[o * width + i] = ldexpf(x[o * width + i], k->power[c]);
        }
    if (!status)
        status = ib_tensor_write(t, x);
    ib_free(x);
    return status;
}

/* One pair, once; *moved grows by the channels that were scaled. */
static ib_status equalize(pair *k, int64_t *moved)
{
    int64_t now = 0;
    ib_status status = measure(k);
    for (int64_t c = 0; !status && c < k->channels; c++) {
        const float a = k->before[c], b = k->behind[c];
        const double half = a > 0 && b > 0 ? 0.5 * (ib_log_double((double)a) - ib_log_double((double)b)) : 0;
        k->power[c] = (int)rint(half / 0.69314718055994531);
        now += k->power[c] != 0;
    }
    if (status || !now)
        return status;
    *moved += now;
    const ib_step *s = k->from;
    ib_tensor *const of[] = {s->gamma ? s->gamma : s->leaf[1], s->gamma ? s->beta : s->n_in > 2 ? s->leaf[2] : NULL};
    for (int i = 0; !status && i < 2; i++)
        status = divide(k, of[i]);
    for (int i = 0; !status && i < k->n; i++)
        status = multiply(k, k->to[i]);
    return status;
}

static float spread(const float *x, int64_t n)
{
    float lo = INFINITY, hi = 0;
    for (int64_t i = 0; i < n; i++)
        if (x[i] > 0) {
            lo = fminf(lo, x[i]);
            hi = fmaxf(hi, x[i]);
        }
    return hi > 0 ? hi / lo : 1;
}

static ib_status open_pair(pair *k, const ib_plan *p, const ib_step *s)
{
    *k = (pair){.plan = p, .from = s, .channels = s->leaf[1]->shape[0], .barrier = scales_itself(p, s)};
    if (!k->barrier)
        follow(k, (int)(s - p->steps) + 1);
    for (int i = 0; i < k->n && !k->barrier; i++)
        if (!fits(k->to[i], k->channels))
            k->barrier = "the layer behind it has other channels";
    const size_t n = (size_t)k->channels;
    k->before = ib_alloc(n * sizeof *k->before);
    k->behind = ib_alloc(n * sizeof *k->behind);
    k->power = ib_alloc(n * sizeof *k->power);
    return k->before && k->behind && k->power ? IB_OK : IB_ENOMEM;
}

static ib_status tell(const ib_equalize_opts *o, pair *k, float was)
{
    if (!o || !o->tell)
        return IB_OK;
    const ib_status status = k->barrier ? IB_OK : measure(k);
    const ib_equalize_report r = {.layer = k->from->name,
                                  .next = k->barrier ? NULL : k->to[0]->name,
                                  .note = k->barrier,
                                  .before = was,
                                  .after = k->barrier ? was : spread(k->before, k->channels)};
    if (!status)
        o->tell(o->user, &r);
    return status;
}

static ib_status sweep(pair *k, int n, const ib_equalize_opts *o)
{
    ib_status status = IB_OK;
    int64_t moved = 1;
    float *was = ib_alloc((size_t)(n + 1) * sizeof *was);
    if (!was)
        return IB_ENOMEM;
    for (int i = 0; !status && i < n; i++)
        if (!(status = measure(&k[i])))
            was[i] = spread(k[i].before, k[i].channels);
    for (int turn = 0; !status && moved && turn < SWEEPS; turn++) {
        moved = 0;
        for (int i = 0; !status && i < n; i++)
            if (!k[i].barrier)
                status = equalize(&k[i], &moved);
    }
    for (int i = 0; !status && i < n; i++)
        status = tell(o, &k[i], was[i]);
    ib_free(was);
    return status;
}

ib_status ib_qat_equalize(ib_layer *net, ib_graph *g, const ib_equalize_opts *o)
{
    IB_NEED(net);
    IB_NEED(g);
    if (ib_qat_phase(net) != IB_CALIBRATE)
        return ib_fail(IB_ESTATE, "ib_qat_equalize: the network is in phase %s, not calibrate",
                       ib_phase_name(ib_qat_phase(net)));
    const ib_plan *p = ib_plan_of(net);
    ib_net_values before;
    pair *pairs = ib_alloc((size_t)(p->n_steps + 1) * sizeof *pairs);
    ib_status status = pairs ? ib_net_values_take(&before, net) : IB_ENOMEM;
    int n = 0;
    if (status) {
        ib_free(pairs);
        return status;
    }
    for (int i = 0; !status && i < p->n_steps; i++)
        if (is_product(&p->steps[i]))
            status = open_pair(&pairs[n++], p, &p->steps[i]);
    if (!status)
        status = sweep(pairs, n, o);
    if (status && ib_net_values_put(&before))
        status = ib_error_status();
    for (int i = 0; i < n; i++) {
        ib_free(pairs[i].before);
        ib_free(pairs[i].behind);
        ib_free(pairs[i].power);
    }
    ib_free(pairs);
    ib_net_values_release(&before);
    return status;
}
