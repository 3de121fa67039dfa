/* wired.c - see wired.h */
#include "layers/wired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"

enum { MAX_STEPS = 4096 };

typedef struct wire wire;

/* An operator: which attributes it takes, what parameters it has, how it is applied. */
typedef struct wired_op {
    const char *name, *takes; /* attributes, each between blanks */
    int least, most;          /* inputs */
    ib_status (*params)(ib_layer *l, wire *w);
    ib_tensor *(*apply)(ib_graph *g, const wire *w, ib_tensor *const *x);
} wired_op;

/* One line: the context of a child layer. */
struct wire {
    const wired_op *op;
    int in[IB_MAX_INPUTS], n_in;
    int64_t a[16]; /* attributes, by the enumeration below */
    float eps;
    ib_tensor *p[4];
    ib_tensor *x[IB_MAX_INPUTS]; /* while it is applied */
};

#define ATTRIBUTES(X)                                                                                                  \
    X(in, 0)                                                                                                           \
    X(out, 0) X(kh, 1) X(kw, 1) X(sh, 1) X(sw, 1) X(ph, 0) X(pw, 0) X(groups, 1) X(bias, 0) X(axis, 1) X(order, 0)
enum {
#define X(name, initial) A_##name,
    ATTRIBUTES(X)
#undef X
        N_ATTRIBUTES
};
static const char *const orders[] = {"chw", "hwc"};
static const struct {
    const char *name;
    int64_t initial;
} attributes[] = {
#define X(name, initial) {#name, initial},
    ATTRIBUTES(X)
#undef X
};

static ib_status weights(ib_layer *l, wire *w, int ndim, const int64_t *shape, int64_t fan_in)
{
    w->p[0] = ib_layer_param(l, "weight", ndim, shape, IB_INIT_KAIMING_NORMAL, fan_in, 1);
    w->p[1] = w->a[A_bias] ? ib_layer_param(l, "bias", 1, shape, IB_INIT_ZEROS, fan_in, 1) : NULL;
    return w->p[0] && (w->p[1] || !w->a[A_bias]) ? IB_OK : ib_error_status();
}

static ib_status conv_params(ib_layer *l, wire *w)
{
    const int64_t *a = w->a;
    if (a[A_in] < 1 || a[A_out] < 1 || a[A_groups] < 1 || a[A_in] % a[A_groups] || a[A_out] % a[A_groups] ||
        a[A_in] > 1 << 20 || a[A_out] > 1 << 20)
        return ib_fail(IB_EFORMAT, "%lld to %lld channels in %lld groups", (long long)a[A_in], (long long)a[A_out],
                       (long long)a[A_groups]);
    const int64_t shape[] = {a[A_out], a[A_in] / a[A_groups], a[A_kh], a[A_kw]};
    return weights(l, w, 4, shape, shape[1] * shape[2] * shape[3]);
}

static ib_status linear_params(ib_layer *l, wire *w)
{
    const int64_t shape[] = {w->a[A_out], w->a[A_in]};
    if (shape[0] < 1 || shape[1] < 1 || shape[0] > 1 << 24 || shape[1] > 1 << 24)
        return ib_fail(IB_EFORMAT, "%lld inputs, %lld outputs", (long long)shape[1], (long long)shape[0]);
    return weights(l, w, 2, shape, shape[1]);
}

static ib_status norm_params(ib_layer *l, wire *w)
{
    static const char *const names[] = {"gamma", "beta", "running_mean", "running_var"};
    const int64_t shape[] = {w->a[A_in]};
    if (shape[0] < 1 || shape[0] > 1 << 20)
        return ib_fail(IB_EFORMAT, "%lld channels", (long long)shape[0]);
    for (int i = 0; i < 4; i++)
        if (!(w->p[i] = ib_layer_param(l, names[i], 1, shape, i % 3 ? IB_INIT_ZEROS : IB_INIT_ONES, shape[0], i < 2)))
            return ib_error_status();
    return IB_OK;
}

static ib_tensor *conv(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    const int64_t *a = w->a;
    return ib_conv2d(g, x[0], w->p[0], w->p[1],
                     &(ib_conv_opts){(int)a[A_sh], (int)a[A_sw], (int)a[A_ph], (int)a[A_pw], (int)a[A_groups]});
}
static ib_tensor *linear(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    return ib_linear(g, x[0], w->p[0], w->p[1]);
}
static ib_tensor *norm(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    return ib_batch_norm(g, x[0], w->p[0], w->p[1], w->p[2], w->p[3], 0, w->eps);
}
static ib_pool_opts window(const wire *w)
{
    const int64_t *a = w->a;
    return (ib_pool_opts){(int)a[A_kh], (int)a[A_kw], (int)a[A_sh], (int)a[A_sw], (int)a[A_ph], (int)a[A_pw]};
}
static ib_tensor *max_pool(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    const ib_pool_opts o = window(w);
    return ib_max_pool(g, x[0], &o);
}
static ib_tensor *avg_pool(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    const ib_pool_opts o = window(w);
    return ib_avg_pool(g, x[0], &o);
}
static ib_tensor *add(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    (void)w;
    return ib_add(g, x[0], x[1]);
}
static ib_tensor *mul(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    (void)w;
    return ib_mul(g, x[0], x[1]);
}
static ib_tensor *concat(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    return ib_concat(g, x, w->n_in, (int)w->a[A_axis]);
}
#define SIMPLE(name)                                                                                                   \
    static ib_tensor *name(ib_graph *g, const wire *w, ib_tensor *const *x)                                            \
    {                                                                                                                  \
        (void)w;                                                                                                       \
        return ib_##name(g, x[0]);                                                                                     \
    }
SIMPLE(relu)
SIMPLE(relu6)
SIMPLE(sigmoid)
static ib_tensor *tanh_step(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    (void)w;
    return ib_tanh(g, x[0]);
}
SIMPLE(softmax)
SIMPLE(global_avg_pool)
static ib_tensor *flatten(ib_graph *g, const wire *w, ib_tensor *const *x)
{
    return w->a[A_order] ? ib_flatten_hwc(g, x[0]) : ib_flatten(g, x[0]);
}

#define WINDOW " kh kw sh sw ph pw "
#define WIRED(name, takes, least, most, params, apply) {#name, takes, least, most, params, apply},
static const wired_op ops[] = {
#include "layers/wired.def"
};
#undef WIRED

static int takes(const wired_op *op, const char *attribute)
{
    char between[20];
    return ib_snprintf(between, sizeof between, " %s ", attribute) < (int)sizeof between && strstr(op->takes, between);
}

static ib_tensor *step_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    const wire *w = l->context;
    (void)x;
    return w->op->apply(g, w, w->x);
}

ib_tensor *ib_wired_values(ib_layer *l, ib_graph *g, ib_tensor *x, ib_tensor **value)
{
    *value = x;
    for (int i = 0; i < l->n_children && x; i++) {
        wire *w = l->children[i]->context;
        for (int j = 0; j < w->n_in; j++)
            w->x[j] = value[w->in[j]];
        x = value[i + 1] = ib_child_forward(l, i, g, w->x[0]);
    }
    return x;
}

static ib_tensor *network_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    ib_tensor *value[MAX_STEPS + 1];
    return ib_wired_values(l, g, x, value);
}

static const ib_layer_class step_class = {"step", step_forward}, network_class = {"network", network_forward};

/* One line without its end; `at` is its number, from 1. */
static ib_status add_line(ib_layer *net, char *line, int at)
{
    static const char mark[] = " # ";
    char *rest = line, *source = strstr(line, mark);
    if (source) {
        *source = 0;
        source += sizeof mark - 1;
    }
    char *name = strtok_r(line, " ", &rest), *op = strtok_r(NULL, " ", &rest), *in = strtok_r(NULL, " ", &rest);
    size_t k = 0;
    while (op && k < sizeof ops / sizeof *ops && strcmp(ops[k].name, op))
        k++;
    if (!in || k == sizeof ops / sizeof *ops)
        return ib_fail(IB_EFORMAT, "the network's line %d has no known operator", at);
    ib_layer *l = ib_layer_new(&step_class, sizeof(wire));
    if (!l)
        return IB_ENOMEM;
    wire *w = l->context;
    w->op = &ops[k];
    w->eps = 1e-5f;
    for (int i = 0; i < N_ATTRIBUTES; i++)
        w->a[i] = attributes[i].initial;
    ib_status status = IB_OK;
    for (char *end = in; *in && !status; in = *end ? end + 1 : end) {
        const long v = strtol(in, &end, 10);
        if (end == in || (*end && *end != ',') || v < 0 || v >= at || w->n_in == IB_MAX_INPUTS)
            status =
                ib_fail(IB_EFORMAT, "the network's line %d ('%s') has an input that is no earlier value", at, name);
        else
            w->in[w->n_in++] = (int)v;
    }
    if (!status && (w->n_in < w->op->least || w->n_in > w->op->most))
        status = ib_fail(IB_EFORMAT, "the network's line %d ('%s') has %d inputs", at, name, w->n_in);
    for (char *attribute; !status && (attribute = strtok_r(NULL, " ", &rest));) {
        char *value = strchr(attribute, '='), *end = NULL;
        int a = 0;
        if (value)
            *value++ = 0;
        while (a < N_ATTRIBUTES && strcmp(attributes[a].name, attribute))
            a++;
        if (value && !strcmp(attribute, "eps"))
            w->eps = ib_strtof(value, &end);
        else if (value && a == A_order)
            for (int i = 0; i < 2; i++) {
                if (!strcmp(orders[i], value)) {
                    w->a[a] = i;
                    end = strchr(value, 0);
                }
            }
        else if (value && a < N_ATTRIBUTES)
            w->a[a] = strtoll(value, &end, 10);
        if (!end || *end || end == value || !takes(w->op, attribute) ||
            (a < N_ATTRIBUTES && (w->a[a] < 0 || w->a[a] > 1 << 24)))
            status = ib_fail(IB_EFORMAT, "the network's line %d ('%s') has an attribute '%s' that cannot be used", at,
                             name, attribute);
    }
    if (!status && (w->a[A_kh] < 1 || w->a[A_kw] < 1 || w->a[A_sh] < 1 || w->a[A_sw] < 1 || w->a[A_kh] > 4096 ||
                    w->a[A_kw] > 4096))
        status = ib_fail(IB_EFORMAT, "the network's line %d ('%s') has an impossible window", at, name);
    if (!status && w->op->params && (status = w->op->params(l, w)))
        ib_error_prefix("the network's line %d ('%s')", at, name);
    if (!status && source && !(l->source = ib_strdup(source)))
        status = IB_ENOMEM;
    if (status)
        ib_layer_free(l);
    else if (!ib_named(name, l)) /* which frees it */
        status = ib_error_status();
    return status ? status : ib_layer_add(net, l);
}

ib_layer *ib_wired_network(const char *text)
{
    static const char head[] = "isobit network 1\n";
    if (strncmp(text, head, sizeof head - 1))
        return ib_fail_null(IB_EFORMAT, "the network's description does not begin with 'isobit network 1'");
    ib_layer *net = ib_layer_new(&network_class, 0);
    char *copy = ib_strdup(text + sizeof head - 1), *rest = copy;
    ib_status status = net && copy && (net->text = ib_strdup(text)) ? IB_OK : IB_ENOMEM;
    int at = 0;
    if (!status && !strncmp(rest, "# ", 2)) {
        char *title = strtok_r(rest, "\n", &rest) + 2;
        status = (net->source = ib_strdup(title)) ? IB_OK : IB_ENOMEM;
    }
    for (char *line; !status && (line = strtok_r(rest, "\n", &rest));)
        status = ++at > MAX_STEPS ? ib_fail(IB_EFORMAT, "the network has more than %d operators", MAX_STEPS)
                                  : add_line(net, line, at);
    if (!status && !at)
        status = ib_fail(IB_EFORMAT, "the network has no operators");
    ib_free(copy);
    if (!status)
        return net;
    ib_layer_free(net);
    return NULL;
}
