/* graph_faults.c - what kernels reported, as the failure of the operator that had begun them. */
#include "autograd/quantizer.h"
#include "base/alloc.h"
#include "base/argument.h"

static int add(ib_graph *g, ib_call call)
{
    if (g->n_calls == g->max_calls) {
        const int max = g->max_calls ? 2 * g->max_calls : 64;
        ib_call *calls = ib_realloc(g->calls, (size_t)g->max_calls * sizeof *calls, (size_t)max * sizeof *calls);
        if (!calls)
            return -1;
        g->calls = calls;
        g->max_calls = max;
    }
    g->calls[g->n_calls] = call;
    return g->n_calls++;
}

int ib_graph_call(ib_graph *g, const ib_op *op)
{
    return add(g, (ib_call){op, g->scope, NULL});
}

ib_status ib_site_apart(ib_graph *g, const char *scope, const char *of, ib_site *at)
{
    *at = (ib_site){g->here->fault, add(g, (ib_call){NULL, scope, of}), g->now};
    return at->call < 0 ? IB_ENOMEM : IB_OK;
}

/* Of one side. */
static ib_status fault_of(ib_graph *g, const ib_side *s, int wait)
{
    const char *failure = s->dev->failure;
    ib_fault f = {0};
    (wait ? s->dev->v.download : s->dev->v.peek)(s->dev, &f, s->fault, sizeof f);
    if (f.now != g->now)
        f.kind = IB_NO_FAULT;
    if (!f.kind && !*failure)
        return IB_OK;
    if (!f.kind) {
        ib_fail(IB_EUNSUPPORTED, "%s: %s", ib_device_name(s->dev), failure);
        if (!g->n_calls) /* before this step */
            return ib_error_status();
        f.call = g->n_calls - 1; /* of the last operator that was begun, or one before it */
    }
    const ib_call *call = &g->calls[f.call];
    if (f.kind)
        ib_fault_say(&f, call->of);
    if (call->op)
        return ib_op_refuse(&(ib_node){.op = call->op, .scope = call->scope});
    if (*call->scope)
        ib_error_prefix("layer '%s'", call->scope);
    return ib_error_status();
}

ib_status ib_graph_fault(ib_graph *g, int wait)
{
    ib_status status = wait ? IB_OK : fault_of(g, g->here, 0);
    for (int i = 0; i < g->n_sides && wait && !status; i++)
        status = fault_of(g, g->sides[i], 1);
    return status;
}

ib_status ib_graph_synchronize(ib_graph *g)
{
    IB_NEED(g);
    return ib_graph_fault(g, 1);
}
