/* template_eval.c - what expressions give. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"

static int is_day(ib_piece name)
{
    return ib_same(name, (ib_piece){"strftime_now", 12});
}

ib_value ib_not_defined(ib_machine *m, ib_value v)
{
    if (m->same_day && is_day(v.text))
        return ib_unsupported(m, "strftime_now: what is learned does not depend on the day it is learned on");
    if (m->strict && v.text.n)
        return ib_wrong(m, "'%.*s' is not defined; {%% if %%} and |default may ask for it",
                        v.text.n < 80 ? (int)v.text.n : 80, v.text.s);
    if (v.text.n)
        return ib_wrong(m, "'%.*s' is not defined", v.text.n < 80 ? (int)v.text.n : 80, v.text.s);
    return ib_wrong(m, "a value that is not defined is used");
}

static ib_value nothing(void)
{
    return ib_undefined((ib_piece){0});
}

static ib_value name_of(ib_machine *m, ib_piece name)
{
    const ib_value *v = ib_get_variable(m, name);
    if (v)
        return *v;
    const ib_function *f = ib_function_find(A_GLOBAL, name);
    if (f && !(m->same_day && is_day(name)))
        return ib_function_value(m, f, (ib_value){.kind = KIND_ABSENT});
    return ib_undefined(name);
}

static ib_value list_of(ib_machine *m, const ib_node *n)
{
    const ib_value list = ib_list_new(m, n->op == LIST ? A_LIST : A_TUPLE);
    for (const ib_node *one = n->a; one && !m->status; one = one->next)
        ib_append(m, list, ib_eval(m, one));
    return list;
}

static ib_value dict_of(ib_machine *m, const ib_node *n)
{
    const ib_value dict = ib_dict_new(m);
    for (const ib_node *key = n->a; key && !m->status; key = key->next->next) {
        const ib_value k = ib_eval(m, key);
        ib_dict_set(m, dict, k, ib_eval(m, key->next));
    }
    return dict;
}

static ib_value compared(ib_machine *m, const ib_node *n)
{
    ib_value a = ib_eval(m, n->a);
    int good = 1;
    for (const ib_node *part = n->b; part && good && !m->status; part = part->next) {
        const ib_value b = ib_eval(m, part->a);
        switch (part->sign) {
        case IB_TWO('=', '='): good = ib_equal(m, a, b); break;
        case IB_TWO('!', '='): good = !ib_equal(m, a, b); break;
        case '<': good = ib_order(m, a, b) < 0; break;
        case '>': good = ib_order(m, a, b) > 0; break;
        case IB_TWO('<', '='): good = ib_order(m, a, b) <= 0; break;
        case IB_TWO('>', '='): good = ib_order(m, a, b) >= 0; break;
        default: good = ib_contains(m, b, a) == (part->sign == 'i');
        }
        a = b;
    }
    return ib_bool(good);
}

ib_value ib_eval_printed(ib_machine *m, const ib_node *n)
{
    const ib_value v = ib_eval(m, n);
    if (m->strict && v.kind == KIND_NONE && (n->op == NAME || n->op == ATTRIBUTE)) {
        m->line = n->line;
        ib_wrong(m, "'%.*s' is null and would be printed as None; {%% if %%} may ask for it",
                 n->name.n < 80 ? (int)n->name.n : 80, n->name.s);
    }
    return v;
}

static ib_value concatenated(ib_machine *m, const ib_node *n)
{
    ib_build b = {.m = m};
    ib_print(&b, ib_eval_printed(m, n->a));
    ib_print(&b, ib_eval_printed(m, n->b));
    return ib_built(&b);
}

static ib_value eval(ib_machine *m, const ib_node *n, int asked);

/* Filters and tests that ask whether there is a value. */
static int asks(const ib_node *n)
{
    static const char *const names[] = {"defined", "undefined", "none", "default", "d"};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !ib_same(n->name, (ib_piece){names[i], strlen(names[i])}))
        i++;
    return i < sizeof names / sizeof *names;
}

static ib_value filtered(ib_machine *m, const ib_node *n)
{
    const ib_value self = n->a ? eval(m, n->a, asks(n)) : m->piped;
    const ib_function *f = ib_function_find(n->op == FILTER ? A_FILTER : A_TEST, n->name);
    if (!f)
        return ib_unsupported(m, "the %s '%.*s' is not known", n->op == FILTER ? "filter" : "test",
                              n->name.n < 60 ? (int)n->name.n : 60, n->name.s);
    return ib_apply_function(m, f, self, ib_eval_arguments(m, n->b));
}

static ib_value sliced(ib_machine *m, const ib_node *n)
{
    const ib_value v = ib_eval(m, n->a);
    const ib_value from = n->b ? ib_eval(m, n->b) : ib_none(), to = n->c ? ib_eval(m, n->c) : ib_none();
    return ib_slice(m, v, from, to, n->body ? ib_eval(m, n->body) : ib_none());
}

/* asked: whether it is defined, or true, is what is asked; else a strict machine refuses what is not defined. */
static ib_value value_of(ib_machine *m, const ib_node *n, int asked)
{
    ib_value a;
    switch (n->op) {
    case CONSTANT: return n->value;
    case NAME: return name_of(m, n->name);
    case LIST:
    case TUPLE: return list_of(m, n);
    case DICT: return dict_of(m, n);
    case ATTRIBUTE: return ib_attribute(m, ib_eval(m, n->a), n->name);
    case ITEM: a = ib_eval(m, n->a); return ib_item(m, a, ib_eval(m, n->b));
    case SLICE: return sliced(m, n);
    case CALL: a = ib_eval(m, n->a); return ib_call(m, a, ib_eval_arguments(m, n->b));
    case FILTER:
    case TEST: return filtered(m, n);
    case NOT: return ib_bool(!ib_eval_truth(m, n->a));
    case SIGNED: return ib_negative(m, ib_eval(m, n->a), n->sign == '-');
    case AND: a = eval(m, n->a, 1); return ib_truth(a) ? eval(m, n->b, asked) : a;
    case OR: a = eval(m, n->a, 1); return ib_truth(a) ? a : eval(m, n->b, asked);
    case CHOICE:
        if (ib_eval_truth(m, n->a))
            return eval(m, n->b, asked);
        return n->c ? eval(m, n->c, asked) : m->strict ? ib_text_of("", 0) : nothing();
    case CONCAT: return concatenated(m, n);
    case ARITHMETIC: a = ib_eval(m, n->a); return ib_arithmetic(m, n->sign, a, ib_eval(m, n->b));
    case COMPARE: return compared(m, n);
    default: return ib_wrong(m, "an expression is expected");
    }
}

static ib_value eval(ib_machine *m, const ib_node *n, int asked)
{
    ib_value v = nothing();
    const int line = m->line;
    if (ib_deeper(m)) {
        m->line = n->line;
        v = value_of(m, n, asked);
        if (m->strict && !asked && v.kind == KIND_UNDEFINED && !m->status)
            ib_not_defined(m, v);
        m->line = line;
    }
    m->depth--;
    return m->status ? nothing() : v;
}

ib_value ib_eval(ib_machine *m, const ib_node *n)
{
    return eval(m, n, 0);
}

int ib_eval_truth(ib_machine *m, const ib_node *n)
{
    return ib_truth(eval(m, n, 1));
}
