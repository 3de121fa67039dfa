/* graph_kept.c - see graph_kept.h. An arena keeps no sizes: a part ends where the next one of any operator begins. */
#include <stdint.h>

#include "autograd/graph_kept.h"

/* Where part i begins; NULL: there is none of its own. */
static const void *begin(const ib_node *n, int i)
{
    if (i == IB_KEPT_RESULT)
        return n->out->is_view ? NULL : n->out->data;
    const void *at = i == IB_KEPT_ATTRS ? n->attrs : n->saved[i - IB_KEPT_SAVED];
    for (int j = IB_KEPT_SAVED; j < i; j++) /* once, if it is saved under two numbers */
        if (n->saved[j - IB_KEPT_SAVED] == at)
            return NULL;
    return at == n->out->data ? NULL : at;
}

static size_t bytes_from(const ib_graph *g, const ib_node *n, const void *at)
{
    const size_t notes = ib_arena_reach(&g->notes, at), reach = notes ? notes : ib_sides_reach(g, at),
                 took = notes ? n->noted : n->took - n->noted;
    size_t before = 0; /* what n has taken from its first part to this one */
    for (int i = 0; i < IB_KEPT_PARTS; i++) {
        const uintptr_t other = (uintptr_t)begin(n, i);
        if (other && other < (uintptr_t)at && (uintptr_t)at - other < took && (uintptr_t)at - other > before)
            before = (uintptr_t)at - other;
    }
    size_t bytes = reach < took - before ? reach : took - before;
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < IB_KEPT_PARTS; i++) {
            const uintptr_t other = (uintptr_t)begin(&g->nodes[k], i);
            if (other > (uintptr_t)at && other - (uintptr_t)at < bytes)
                bytes = other - (uintptr_t)at;
        }
    return bytes;
}

ib_kept ib_node_kept(const ib_graph *g, const ib_node *n)
{
    ib_kept kept = {.all = n->took};
    for (int i = 0; i < IB_KEPT_PARTS; i++) {
        const void *at = begin(n, i);
        kept.part[i] = at ? bytes_from(g, n, at) : 0;
    }
    return kept;
}
