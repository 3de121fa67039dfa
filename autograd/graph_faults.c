/* graph_faults.c - what kernels reported, as the failure of the operator that had begun them. */
#include "autograd/quantizer.h"
#include "base/alloc.h"

int ib_graph_call(ib_graph *g, const ib_op *op)
{
    if (g->n_calls == g->max_calls) {
        const int max = g->max_calls ? 2 * g->max_calls : 64;
        ib_call *calls = ib_realloc(g->calls, (size_t)g->max_calls * sizeof *calls, (size_t)max * sizeof *calls);
        if (!calls)
            return -1;
        g->calls = calls;
        g->max_calls = max;
    }
    g->calls[g->n_calls] = (ib_call){.op = op, .scope = g->scope};
    return g->n_calls++;
}

ib_status ib_graph_fault(ib_graph *g, int wait)
{
    const char *failure = g->dev->failure;
    ib_fault f = {0};
    (wait ? V(g)->download : V(g)->peek)(g->dev, &f, g->fault, sizeof f);
    if (!f.kind && !*failure)
        return IB_OK;
    if (f.kind)
        ib_fault_say(&f, NULL);
    else { /* of the last operator that was begun, or one before it */
        ib_fail(IB_EUNSUPPORTED, "%s", failure);
        f.call = g->n_calls - 1;
    }
    return ib_op_refuse(&(ib_node){.op = g->calls[f.call].op, .scope = g->calls[f.call].scope});
}
