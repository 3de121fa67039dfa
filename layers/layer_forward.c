/* layer_forward.c - layers applied, each within its own name. */
#include "base/argument.h"
#include "layers/layer.h"

static ib_tensor *within(ib_layer *l, ib_graph *g, ib_tensor *x,
                         ib_tensor *(*forward)(ib_layer *, ib_graph *, ib_tensor *))
{
    if (!forward)
        return ib_fail_null(IB_EUNSUPPORTED, "layer of kind '%s': it has no forward", l->cls->kind);
    if (!l->path)
        return ib_fail_null(
            IB_ESTATE, "layer of kind '%s': it has no values: call ib_layer_init() on the network first", l->cls->kind);
    const char *outer = g->scope;
    ib_side *was = IB_FOLLOW(g, x); /* so does what it makes of parameters alone */
    g->scope = l->path;
    ib_tensor *y = x ? forward(l, g, x) : NULL;
    g->scope = outer;
    ib_graph_turn(g, was);
    return y;
}

ib_tensor *ib_child_forward(ib_layer *l, int i, ib_graph *g, ib_tensor *x)
{
    return within(l->children[i], g, x, l->children[i]->cls->forward);
}

/* A trace records the operators one by one: what quantizes fuses by itself. */
int ib_child_takes_relu(const ib_layer *l, int i, const ib_graph *g)
{
    return g->mode != IB_TRACE && l->children[i]->cls->forward_relu && ib_layer_is_relu(l->children[i + 1]);
}

ib_tensor *ib_child_forward_relu(ib_layer *l, int i, ib_graph *g, ib_tensor *x)
{
    return within(l->children[i], g, x, l->children[i]->cls->forward_relu);
}

static ib_tensor *run(ib_graph *g, ib_layer *net, ib_tensor *x, int integers, const char *function)
{
    if (!g || !net || !x) {
        if (!g || !net || !ib_graph_failed(g)) /* else x is NULL because something has failed already */
            ib_fail_null_argument(function, !g ? "g" : !net ? "net" : "x");
        return NULL;
    }
    if (ib_graph_owns(g, x, function, "x"))
        return NULL;
    return within(net, g, x, integers ? net->quantization.forward : net->cls->forward);
}

ib_tensor *ib_layer_forward_float(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    return run(g, net, x, 0, __func__);
}

ib_tensor *ib_layer_forward(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    return run(g, net, x, net && net->quantization.forward, __func__);
}
