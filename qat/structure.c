/* structure.c - what a network computes does not depend on its data nor on earlier calls: two traces are compared.
 * A plan made of one would else stand for another network. */
#include <string.h>

#include "base/alloc.h"
#include "qat/plan.h"

#define ONE_STRUCTURE "an integer program has one structure"

static const char *scope_of(const ib_node *n)
{
    return n->scope ? n->scope : "";
}

static ib_status refuse(const ib_node *n, const char *what)
{
    return ib_fail(IB_EUNSUPPORTED, "layer '%s': %s: %s", scope_of(n), n->op->name, what);
}

/* The states of quantizers lie on one device, and so does what a program is made of. */
static ib_status check_one_device(const ib_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const ib_node *n = &g->nodes[i];
        if (n->op == &ib_op_to_device)
            return ib_fail(IB_EUNSUPPORTED,
                           "layer '%s': copies from %s to %s (ib_to_device), and a network in integers lies on one "
                           "device: leave the crossing out, or make what lies on each device a network of its own",
                           scope_of(n), ib_device_name(n->in[0]->side->dev), ib_device_name(n->out->side->dev));
    }
    return IB_OK;
}

ib_tensor *ib_plan_trace(ib_layer *net, ib_graph *g)
{
    const ib_input_info *in = &net->input;
    if (in->c < 1 || in->h < 1 || in->w < 1)
        return ib_fail_null(IB_ESTATE, "prepare: the network's input is unknown: call ib_layer_set_input() first");
    if (!net->n_all)
        return ib_fail_null(IB_ESTATE, net->path ? "prepare: the network has no parameters to quantize"
                                                 : "prepare: the network has no values: call ib_layer_init() first");
    float *zeros = ib_alloc((size_t)in->c * (size_t)in->h * (size_t)in->w * sizeof *zeros);
    if (!zeros)
        return NULL;
    ib_graph_begin(g, IB_TRACE);
    ib_tensor *x = ib_input(g, 4, (int64_t[]){1, in->c, in->h, in->w}, zeros);
    ib_tensor *y = ib_layer_forward_float(g, net, x);
    ib_free(zeros);
    if (y && y->node < 0)
        return ib_fail_null(IB_EINVAL, "prepare: the network applies no operator");
    if (y && check_one_device(g))
        return NULL;
    if (y)
        ib_plan_mark_data(g, x);
    if (y && !y->from_data)
        return ib_fail_null(IB_EINVAL, "prepare: the network's result does not depend on its input");
    return y;
}

/* Whether b holds the numbers of a so many times; -1 with ib_error() if that cannot be seen. */
static int repeats(const ib_tensor *a, const ib_tensor *b, int64_t times)
{
    const size_t bytes = (size_t)a->size * ib_dtype_bytes(a->dtype);
    void *copies[2] = {NULL, NULL};
    const char *x = ib_tensor_look(a, &copies[0]), *y = x ? ib_tensor_look(b, &copies[1]) : NULL;
    int same = y ? 1 : -1;
    for (int64_t i = 0; i < times && same == 1; i++)
        same = !memcmp(x, y + (size_t)i * bytes, bytes);
    ib_free(copies[0]);
    ib_free(copies[1]);
    return same;
}

/* now: the same constant in a batch of n, where it may be repeated for each sample; as repeats() */
static int is_same_constant(const ib_tensor *one, const ib_tensor *now, int64_t n)
{
    const int64_t rows = now->ndim == one->ndim && one->shape[0] == 1 && now->shape[0] == n ? n : 1;
    if (now->dtype != one->dtype || now->ndim != one->ndim || now->size != rows * one->size)
        return 0;
    for (int d = 0; d < one->ndim; d++)
        if (now->shape[d] != one->shape[d] * (d ? 1 : rows))
            return 0;
    return repeats(one, now, rows);
}

/* Input j of two nodes that should be the same one, behind nodes of g that are; x: the second trace's n samples. */
static ib_status check_input(const ib_graph *g, const ib_node *one, const ib_node *now, int j, const ib_tensor *x,
                             int64_t n)
{
    const ib_tensor *a = one->in[j], *b = now->in[j];
    const int made = a && b && a->node < 0 && b->node < 0 && !a->name && !b->name && !a->from_data;
    const int same = !a || !b                       ? a == b
                     : a->node >= 0 || b->node >= 0 ? a->node == b->node
                     : a->from_data                 ? b == x
                     : a->name                      ? a == b
                     : made                         ? is_same_constant(a, b, n)
                                                    : 0;
    if (same)
        return same < 0 ? ib_error_status() : IB_OK;
    if (made)
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': %s: input %d, which the layer makes itself, is not the same in "
                       "each call and for each sample: only a constant can be part of an integer program",
                       scope_of(one), one->op->name, j);
    if (a && b && a->node >= 0 && b->node >= 0) {
        const ib_node *by = &g->nodes[a->node], *then = &g->nodes[b->node];
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': gives on its %s in one call, and layer '%s' its %s in "
                       "another, or for other data: " ONE_STRUCTURE,
                       scope_of(by), by->op->name, scope_of(then), then->op->name);
    }
    return ib_fail(IB_EUNSUPPORTED,
                   "layer '%s': %s: input %d is another value in another call, or for other data: " ONE_STRUCTURE,
                   scope_of(one), one->op->name, j);
}

/* `one` stands in the first trace where `now` stands in the second, of h; NULL: behind its end. */
static ib_status check_operator(const ib_node *one, const ib_node *now)
{
    const ib_node *n = one ? one : now;
    if (!one || !now)
        return refuse(n, "is not applied in each call and for all data: " ONE_STRUCTURE);
    if (one->op != now->op && !strcmp(scope_of(one), scope_of(now)))
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': applies %s in one call and %s in another, or for other "
                       "data: " ONE_STRUCTURE,
                       scope_of(one), one->op->name, now->op->name);
    if (one->op != now->op || strcmp(scope_of(one), scope_of(now)))
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': applies %s where layer '%s' applies %s in another call, or "
                       "for other data: " ONE_STRUCTURE,
                       scope_of(one), one->op->name, scope_of(now), now->op->name);
    return one->n_in == now->n_in ? IB_OK : refuse(one, "has not as many inputs in each call: " ONE_STRUCTURE);
}

/* Options are the same if the first trace's give what the second's gave. */
static ib_status check_options(ib_graph *h, const ib_node *one, const ib_node *now)
{
    if (!one->op->attrs_bytes)
        return IB_OK;
    h->scope = now->scope;
    const ib_tensor *y = ib_apply(h, one->op, now->in, now->n_in, one->attrs);
    if (!y)
        return ib_error_status();
    const int same = y->size == now->out->size && !memcmp(y->shape, now->out->shape, (size_t)y->ndim * sizeof *y->shape)
                         ? repeats(y, now->out, 1)
                         : 0;
    if (same)
        return same < 0 ? ib_error_status() : IB_OK;
    return refuse(one, "has other options in another call, or for other data: " ONE_STRUCTURE);
}

ib_status ib_trace_check(ib_layer *net, const ib_graph *g, const ib_tensor *y, int64_t n, const float *samples)
{
    const ib_input_info *in = &net->input;
    ib_graph *h = ib_graph_new(ib_graph_device(g));
    if (!h)
        return ib_error_status();
    ib_graph_begin(h, IB_TRACE);
    const ib_tensor *x = ib_input(h, 4, (int64_t[]){n, in->c, in->h, in->w}, samples);
    const ib_tensor *now = ib_layer_forward_float(h, net, (ib_tensor *)x);
    const int n_nodes = h->n_nodes, most = n_nodes > g->n_nodes ? n_nodes : g->n_nodes;
    ib_status status = now ? IB_OK : ib_error_status();
    for (int i = 0; i < most && !status; i++) {
        const ib_node *one = i < g->n_nodes ? &g->nodes[i] : NULL, copy = i < n_nodes ? h->nodes[i] : (ib_node){0};
        status = check_operator(one, i < n_nodes ? &copy : NULL);
        for (int j = 0; !status && j < one->n_in; j++)
            status = check_input(g, one, &copy, j, x, n);
        if (!status)
            status = check_options(h, one, &copy);
    }
    if (!status && now->node != y->node)
        status = refuse(&g->nodes[y->node], "is not the network's result in each call: " ONE_STRUCTURE);
    ib_graph_free(h);
    return status;
}

ib_status ib_trace_check_drawn(ib_layer *net, const ib_graph *g, const ib_tensor *y)
{
    enum { SAMPLES = 2 };
    const int64_t size = (int64_t)SAMPLES * net->input.c * net->input.h * net->input.w;
    float *x = ib_alloc((size_t)size * sizeof *x);
    if (!x)
        return IB_ENOMEM;
    for (int64_t i = 0; i < size; i++)
        x[i] = 4 * ib_rng_uniform((ib_rng){1, 1}, (uint64_t)i) - 2;
    const ib_status status = ib_trace_check(net, g, y, SAMPLES, x);
    ib_free(x);
    return status;
}
