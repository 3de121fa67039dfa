/* sides.c - see sides.h */
#include "autograd/op.h"
#include "base/alloc.h"

enum { FAULTS = 3 }; /* of a step: operators', data's, loss's */

ib_side *ib_side_of(ib_graph *g, ib_device *dev)
{
    for (int i = 0; i < g->n_sides; i++)
        if (g->sides[i]->dev == dev)
            return g->sides[i];
    if (g->n_sides == IB_MAX_SIDES)
        return ib_fail_null(IB_EUNSUPPORTED, "device %s would be a step's number %d: at most %d are possible",
                            ib_device_name(dev), IB_MAX_SIDES + 1, IB_MAX_SIDES);
    ib_side *s = ib_alloc(sizeof *s);
    if (!s)
        return NULL;
    s->dev = s->numbers.dev = s->memos.dev = dev;
    if (!(s->fault = dev->v.allocate(dev, FAULTS * sizeof *s->fault))) {
        ib_free(s);
        return NULL;
    }
    s->data = s->fault + 1;
    s->verdict = s->fault + 2;
    dev->v.fill(dev, s->fault, 0, FAULTS * sizeof *s->fault); /* what is looked at before has no number of this step */
    return g->sides[g->n_sides++] = s;
}

static int holds(const ib_side *s, const ib_tensor *leaf)
{
    return ib_home(s->dev) == leaf->dev;
}

ib_side *ib_side_for(const ib_graph *g, ib_tensor *const *in, int n_in)
{
    for (int i = 0; i < n_in; i++)
        if (in[i] && in[i]->step == g->now)
            return in[i]->side;
    for (int i = 0; i < n_in; i++)
        if (in[i] && in[i]->used == g->now && !holds(g->here, in[i]))
            for (int j = 0; j < g->n_sides; j++)
                if (holds(g->sides[j], in[i]))
                    return g->sides[j];
    return g->here;
}

ib_side *ib_graph_follow(ib_graph *g, ib_tensor *const *in, int n_in)
{
    ib_side *was = g->here;
    ib_graph_turn(g, ib_side_for(g, in, n_in));
    return was;
}

void ib_graph_turn(ib_graph *g, ib_side *to)
{
    if (g->here != to)
        g->free_grad = NULL; /* lies on the other one */
    g->here = to;
    g->dev = to->dev;
}

void ib_sides_begin(ib_graph *g)
{
    for (int i = 0; i < g->n_sides; i++) {
        ib_side *s = g->sides[i];
        ib_arena_begin(&s->numbers);
        ib_arena_begin(&s->memos);
        if (g->mode == IB_TRAIN)
            s->dev->v.begin_step(s->dev);
        s->dev->v.fill(s->dev, s->fault, 0, FAULTS * sizeof *s->fault);
    }
    ib_graph_turn(g, g->sides[0]);
}

void ib_sides_free(ib_graph *g)
{
    for (int i = 0; i < g->n_sides; i++) {
        ib_side *s = g->sides[i];
        ib_arena_free(&s->numbers);
        ib_arena_free(&s->memos);
        s->dev->v.release(s->dev, s->fault);
        ib_free(s);
    }
}

size_t ib_sides_used(const ib_graph *g)
{
    size_t used = 0;
    for (int i = 0; i < g->n_sides; i++)
        used += g->sides[i]->numbers.used;
    return used;
}

size_t ib_sides_reach(const ib_graph *g, const void *p)
{
    size_t reach = 0;
    for (int i = 0; i < g->n_sides && !reach; i++)
        reach = ib_arena_reach(&g->sides[i]->numbers, p);
    return reach;
}

void ib_sides_tell(ib_graph *g, const ib_side *from, const ib_side *to)
{
    ib_fault known[FAULTS - 1];
    from->dev->v.download(from->dev, known, from->fault, sizeof known);
    for (int i = 0; i < FAULTS - 1; i++)
        if (known[i].kind && known[i].now == g->now)
            to->dev->v.upload(to->dev, to->fault + i, &known[i], sizeof *known);
}
