/* template_loop.c - for: what it goes through is filtered as it is asked for, since a filter may see what the body
 * changed. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"

static int passes(ib_machine *m, ib_loop *l, ib_value item)
{
    ib_scope *scope = m->scope;
    m->scope = ib_open_scope(m, l->scope, NULL);
    ib_assign(m, l->node->a, item);
    const int good = ib_eval_truth(m, l->node->c);
    m->scope = scope;
    return good && !m->status;
}

/* Whether there is one more item; it is then l->behind. */
static int look(ib_machine *m, ib_loop *l)
{
    while (!l->have_next && l->items && l->at < l->items->n && ib_step(m, 0)) {
        l->behind = l->items->item[l->at++];
        if (l->iterator)
            l->iterator->used = l->at;
        l->have_next = !l->filters || passes(m, l, l->behind);
    }
    return l->have_next && !m->status;
}

static int64_t length(ib_machine *m, ib_loop *l)
{
    if (l->filters) { /* all that is left, at once */
        const ib_value rest = ib_list_new(m, A_LIST);
        for (; l->at < l->items->n && !m->status; l->at++)
            if (passes(m, l, l->items->item[l->at]))
                ib_append(m, rest, l->items->item[l->at]);
        if (m->status)
            return 0;
        l->items = rest.list;
        l->iterator = NULL;
        l->at = 0;
        l->filters = 0;
    }
    return l->index + 1 + l->have_next + (int64_t)(l->items->n - l->at);
}

ib_value ib_loop_member(ib_machine *m, ib_loop *l, ib_piece name)
{
    static const char *const names[] = {"index",     "index0",   "first",    "last",  "length", "revindex",
                                        "revindex0", "previtem", "nextitem", "depth", "depth0"};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !ib_same(name, (ib_piece){names[i], strlen(names[i])}))
        i++;
    switch (i) {
    case 0: return ib_int(l->index + 1);
    case 1: return ib_int(l->index);
    case 2: return ib_bool(l->index == 0);
    case 3: return ib_bool(!look(m, l));
    case 4: return ib_int(length(m, l));
    case 5: return ib_int(length(m, l) - l->index);
    case 6: return ib_int(length(m, l) - l->index - 1);
    case 7: return l->index ? l->before : ib_undefined(name);
    case 8: return look(m, l) ? l->behind : ib_undefined(name);
    case 9: return ib_int(1);
    case 10: return ib_int(0);
    default: {
        const ib_function *f = ib_function_find(OF_LOOP, name);
        return f ? ib_function_value(m, f, (ib_value){.kind = KIND_LOOP, .loop = l}) : ib_undefined(name);
    }
    }
}

void ib_run_loop(ib_machine *m, const ib_node *n)
{
    ib_scope *outer = m->scope;
    ib_loop *l = ib_take(m, sizeof *l);
    if (!l)
        return;
    *l = (ib_loop){.node = n, .scope = outer, .index = -1, .filters = n->c != NULL, .changed = {.kind = KIND_ABSENT}};
    const ib_value whole = ib_eval(m, n->b);
    l->iterator = whole.kind == KIND_LIST && whole.list->flavor == AN_ITERATOR ? whole.list : NULL;
    l->items = l->iterator ? l->iterator : ib_items_of(m, whole);
    l->at = l->iterator ? l->iterator->used : 0;
    while (look(m, l)) {
        l->before = l->now;
        l->now = l->behind;
        l->have_next = 0;
        l->index++;
        m->scope = ib_open_scope(m, outer, n->fresh);
        ib_assign(m, n->a, l->now);
        ib_set_variable(m, m->scope, (ib_piece){"loop", 4}, (ib_value){.kind = KIND_LOOP, .loop = l});
        ib_exec(m, n->body);
        m->scope = outer;
        const int stop = m->leaving == BREAKING;
        m->leaving = ONWARD;
        if (stop)
            break;
    }
    if (l->index < 0 && n->otherwise) {
        m->scope = ib_open_scope(m, outer, NULL);
        ib_exec(m, n->otherwise);
        m->scope = outer;
    }
}
