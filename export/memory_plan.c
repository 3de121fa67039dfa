/* memory_plan.c - one arena for all values: the largest first, each at the lowest offset where nothing that is alive at
 * the same time lies (greedy by size; Pisarchyk and Lee, arXiv:2001.03288). */
#include "export/program.h"

static int overlap_in_time(const ib_value *a, const ib_value *b)
{
    return a->first <= b->last && b->first <= a->last;
}

ib_status ib_plan_memory(ib_program *p)
{
    int *order = ib_alloc((size_t)p->n_values * sizeof *order);
    if (!order)
        return IB_ENOMEM;
    int n = 0;
    for (int v = 0; v < p->n_values; v++) {
        p->values[v].offset = -1;
        if (v == 0 || v == p->result)
            continue;
        int at = n++;
        for (; at > 0 && p->values[order[at - 1]].size < p->values[v].size; at--)
            order[at] = order[at - 1];
        order[at] = v;
    }
    for (int i = 0; i < n; i++) {
        ib_value *v = &p->values[order[i]];
        int64_t offset = 0;
        for (int moved = 1; moved;) { /* past each placed neighbour in time that is in the way */
            moved = 0;
            for (int j = 0; j < i; j++) {
                const ib_value *o = &p->values[order[j]];
                if (overlap_in_time(v, o) && offset < o->offset + o->size && o->offset < offset + v->size) {
                    offset = o->offset + o->size;
                    moved = 1;
                }
            }
        }
        v->offset = offset;
        p->arena = offset + v->size > p->arena ? offset + v->size : p->arena;
    }
    ib_free(order);
    return IB_OK;
}
