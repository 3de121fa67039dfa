/* memory_plan.c - one arena for all values: the largest first, each at the lowest offset where nothing that is alive at
 * the same time lies (greedy by size; Pisarchyk and Lee, arXiv:2001.03288). */
#include "base/assert.h"
#include "program/program.h"

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
    p->values[p->result].last = p->n_instrs;
    for (int v = 0; v < p->n_values; v++) { /* a value is made after what it shows */
        const ib_instr *made = v ? &p->instrs[p->values[v].first] : NULL;
        ib_value *root =
            &p->values[p->values[v].root = made && made->cls == &ib_instr_reshape ? p->values[made->in[0]].root : v];
        root->last = p->values[v].last > root->last ? p->values[v].last : root->last;
    }
    for (int v = 0; v < p->n_values; v++) {
        p->values[v].offset = -1;
        if (!p->values[v].root || ib_is_output(p, v) || p->values[v].root != v || ib_constant_of(p, v))
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
        for (int j = 0; j < i; j++)
            IB_ASSERT(!overlap_in_time(v, &p->values[order[j]]) ||
                          offset >= p->values[order[j]].offset + p->values[order[j]].size ||
                          p->values[order[j]].offset >= offset + v->size,
                      "values that are alive at one time lie apart");
        p->arena = offset + v->size > p->arena ? offset + v->size : p->arena;
    }
    for (int v = 0; v < p->n_values; v++) {
        IB_ASSERT(p->values[v].root >= 0 && p->values[v].root <= v, "a value lies in itself or in one before");
        p->values[v].offset = p->values[p->values[v].root].offset;
        IB_ASSERT(p->values[v].offset < 0 || p->values[v].offset + p->values[v].size <= p->arena,
                  "a value lies within the arena");
    }
    ib_free(order);
    return IB_OK;
}
