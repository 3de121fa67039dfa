/* template_compare.c - truth, equality, order, membership and length, as Python has them. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"

const char *ib_type_name(ib_value v)
{
    static const char *const kinds[N_KINDS] = {[KIND_ABSENT] = "nothing",
                                               [KIND_UNDEFINED] = "Undefined",
                                               [KIND_NONE] = "NoneType",
                                               [KIND_BOOL] = "bool",
                                               [KIND_INT] = "int",
                                               [KIND_FLOAT] = "float",
                                               [KIND_TEXT] = "str",
                                               [KIND_DICT] = "dict",
                                               [KIND_NAMESPACE] = "Namespace",
                                               [KIND_LOOP] = "LoopContext",
                                               [KIND_MACRO] = "Macro",
                                               [KIND_FUNCTION] = "function"};
    static const char *const flavors[] = {"list", "tuple", "range", "view of a dictionary", "iterator"};
    return v.kind == KIND_LIST ? flavors[v.list->flavor] : kinds[v.kind];
}

int ib_whole(ib_value v)
{
    return v.kind == KIND_INT || v.kind == KIND_BOOL;
}

int ib_truth(ib_value v)
{
    switch (v.kind) {
    case KIND_ABSENT:
    case KIND_UNDEFINED:
    case KIND_NONE: return 0;
    case KIND_BOOL:
    case KIND_INT: return v.i != 0;
    case KIND_FLOAT: return v.f != 0;
    case KIND_TEXT: return v.text.n != 0;
    case KIND_LIST: return v.list->flavor == AN_ITERATOR || v.list->n;
    case KIND_DICT: return v.dict->n != 0;
    default: return 1;
    }
}

static int is_number(ib_value v)
{
    return ib_whole(v) || v.kind == KIND_FLOAT;
}

/* 64 bits of mantissa hold every int64 and every double */
static long double number(ib_value v)
{
    return v.kind == KIND_FLOAT ? (long double)v.f : (long double)v.i;
}

static int deeper(ib_machine *m)
{
    if (++m->depth > IB_MOST_DEPTH)
        ib_wrong(m, "values nest more than %d levels", IB_MOST_DEPTH);
    return ib_step(m, 0);
}

static int equal_parts(ib_machine *m, ib_value a, ib_value b)
{
    if (a.kind == KIND_LIST) {
        int same = a.list->flavor == b.list->flavor && a.list->n == b.list->n;
        for (size_t i = 0; same && i < a.list->n; i++)
            same = ib_equal(m, a.list->item[i], b.list->item[i]);
        return a.list->flavor == AN_ITERATOR ? a.list == b.list : same;
    }
    int same = a.dict->n == b.dict->n;
    for (size_t i = 0; same && i < a.dict->n; i++) {
        const ib_value *other = ib_dict_find(m, b, a.dict->entry[i].key);
        same = other && ib_equal(m, a.dict->entry[i].value, *other);
    }
    return same;
}

int ib_equal(ib_machine *m, ib_value a, ib_value b)
{
    int same = 0;
    if (is_number(a) && is_number(b))
        return number(a) == number(b);
    if (a.kind != b.kind)
        return 0;
    switch (a.kind) {
    case KIND_UNDEFINED:
    case KIND_NONE: return 1;
    case KIND_TEXT: return ib_same(a.text, b.text);
    case KIND_LIST:
    case KIND_DICT:
        if (deeper(m))
            same = equal_parts(m, a, b);
        m->depth--;
        return same;
    case KIND_FUNCTION:
        return a.bound->function == b.bound->function && a.bound->self.kind == KIND_ABSENT &&
               b.bound->self.kind == KIND_ABSENT;
    default: return a.dict == b.dict;
    }
}

int ib_order(ib_machine *m, ib_value a, ib_value b)
{
    if (is_number(a) && is_number(b)) {
        const long double x = number(a), y = number(b);
        return x < y ? -1 : x > y;
    }
    if (a.kind == KIND_TEXT && b.kind == KIND_TEXT) { /* bytes of UTF-8 have the order of characters */
        const size_t n = a.text.n < b.text.n ? a.text.n : b.text.n;
        const int c = n ? memcmp(a.text.s, b.text.s, n) : 0;
        return c ? c : a.text.n < b.text.n ? -1 : a.text.n > b.text.n;
    }
    if (a.kind == KIND_LIST && b.kind == KIND_LIST && a.list->flavor == b.list->flavor && a.list->flavor <= A_TUPLE) {
        int c = 0;
        size_t i = 0;
        if (deeper(m))
            for (; i < a.list->n && i < b.list->n && !c && !m->status; i++)
                c = ib_equal(m, a.list->item[i], b.list->item[i]) ? 0 : ib_order(m, a.list->item[i], b.list->item[i]);
        m->depth--;
        return c ? c : a.list->n < b.list->n ? -1 : a.list->n > b.list->n;
    }
    if (a.kind == KIND_UNDEFINED || b.kind == KIND_UNDEFINED)
        ib_not_defined(m, a.kind == KIND_UNDEFINED ? a : b);
    else
        ib_wrong(m, "%s and %s have no order", ib_type_name(a), ib_type_name(b));
    return 0;
}

int ib_contains(ib_machine *m, ib_value whole, ib_value part)
{
    if (whole.kind == KIND_TEXT) {
        if (part.kind == KIND_TEXT)
            return ib_step(m, whole.text.n / 64) && ib_find(whole.text, part.text) != NULL;
        if (part.kind == KIND_UNDEFINED)
            ib_not_defined(m, part);
        else
            ib_wrong(m, "whether a %s is in a text", ib_type_name(part));
        return 0;
    }
    if (whole.kind == KIND_DICT) {
        if (part.kind == KIND_DICT || (part.kind == KIND_LIST && part.list->flavor == A_LIST))
            ib_wrong(m, "a %s cannot be the key of a dictionary", ib_type_name(part));
        return !m->status && ib_dict_find(m, whole, part) != NULL;
    }
    const ib_list *l = ib_items_of(m, whole);
    for (size_t i = 0; l && i < l->n && ib_step(m, 0); i++)
        if (ib_equal(m, l->item[i], part))
            return 1;
    return 0;
}

const ib_list *ib_items_of(ib_machine *m, ib_value v)
{
    static const ib_list nothing;
    if (m->status)
        return NULL;
    if (v.kind == KIND_UNDEFINED)
        return &nothing;
    if (v.kind == KIND_LIST) {
        if (v.list->flavor != AN_ITERATOR)
            return v.list;
        ib_list *rest = ib_take(m, sizeof *rest);
        if (!rest)
            return NULL;
        *rest = (ib_list){v.list->n > v.list->used ? v.list->item + v.list->used : NULL, v.list->n - v.list->used, 0,
                          A_LIST, 0};
        v.list->used = v.list->n;
        return rest;
    }
    const ib_value list = ib_list_new(m, A_LIST);
    if (v.kind == KIND_TEXT) {
        for (size_t at = 0, k; at < v.text.n && !m->status; at += k) {
            k = ib_character(v.text.s + at, v.text.n - at, NULL);
            ib_append(m, list, ib_text_of(v.text.s + at, k));
        }
    } else if (v.kind == KIND_DICT) {
        for (size_t i = 0; i < v.dict->n; i++)
            ib_append(m, list, v.dict->entry[i].key);
    } else {
        ib_wrong(m, "a %s cannot be looped over", ib_type_name(v));
    }
    return m->status ? NULL : list.list;
}

int64_t ib_length(ib_machine *m, ib_value v)
{
    if (v.kind == KIND_UNDEFINED)
        return 0;
    if (v.kind == KIND_TEXT)
        return ib_step(m, v.text.n / 64) ? ib_characters(v.text) : 0;
    if (v.kind == KIND_DICT)
        return (int64_t)v.dict->n;
    if (v.kind == KIND_LIST && v.list->flavor != AN_ITERATOR)
        return (int64_t)v.list->n;
    ib_wrong(m, "a %s has no length", ib_type_name(v));
    return 0;
}
