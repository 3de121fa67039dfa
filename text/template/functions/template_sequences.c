/* template_sequences.c - filters of lists and dictionaries. */
#include <string.h>

#include "text/template/functions/template_functions.h"

ib_value ib_part(ib_machine *m, ib_value item, ib_value attribute, ib_value otherwise)
{
    if (!ib_given(attribute) || attribute.kind == KIND_NONE)
        return item;
    if (attribute.kind != KIND_TEXT)
        return ib_item(m, item, attribute);
    ib_piece t = attribute.text;
    for (int more = 1; more && !m->status;) {
        const char *dot = t.n ? memchr(t.s, '.', t.n) : NULL;
        const size_t n = dot ? (size_t)(dot - t.s) : t.n;
        int64_t number = 0;
        size_t digits = 0;
        while (digits < n && digits < 18 && t.s[digits] >= '0' && t.s[digits] <= '9')
            number = 10 * number + t.s[digits++] - '0';
        item = ib_item(m, item, n && digits == n ? ib_int(number) : ib_text_of(t.s, n));
        if (item.kind == KIND_UNDEFINED && ib_given(otherwise))
            item = otherwise;
        more = dot != NULL;
        t = (ib_piece){t.s + n + more, t.n - n - more};
    }
    return item;
}

static ib_value lowered(ib_machine *m, ib_value v, ib_value case_sensitive)
{
    return v.kind == KIND_TEXT && !(ib_given(case_sensitive) && ib_truth(case_sensitive)) ? ib_recase(m, v.text, LOWER)
                                                                                          : v;
}

static const ib_value absent = {.kind = KIND_ABSENT};

/* Sorted by keys, stably; `reverse` too keeps equal ones in their order. */
static void sort(ib_machine *m, ib_value *item, ib_value *key, size_t n, int reverse)
{
    for (size_t i = 1; i < n && !m->status; i++) {
        const ib_value v = item[i], k = key[i];
        size_t at = i;
        for (; at && ib_step(m, 0) && (reverse ? ib_order(m, key[at - 1], k) < 0 : ib_order(m, k, key[at - 1]) < 0);
             at--) {
            item[at] = item[at - 1];
            key[at] = key[at - 1];
        }
        item[at] = v;
        key[at] = k;
    }
}

static ib_value list_of(ib_machine *m, ib_value v)
{
    const ib_list *items = ib_items_of(m, v);
    const ib_value list = ib_list_new(m, A_LIST);
    for (size_t i = 0; items && i < items->n; i++)
        ib_append(m, list, items->item[i]);
    return list;
}

/* "a,b": several parts, in a list */
static ib_value sort_key(ib_machine *m, ib_value item, ib_value attribute, ib_value case_sensitive)
{
    const ib_value keys = ib_list_new(m, A_LIST);
    ib_value rest = attribute;
    for (int more = 1; more && !m->status;) {
        const char *comma = rest.kind == KIND_TEXT && rest.text.n ? memchr(rest.text.s, ',', rest.text.n) : NULL;
        const size_t n = comma ? (size_t)(comma - rest.text.s) : rest.kind == KIND_TEXT ? rest.text.n : 0;
        ib_append(m, keys,
                  lowered(m, ib_part(m, item, rest.kind == KIND_TEXT ? ib_text_of(rest.text.s, n) : rest, absent),
                          case_sensitive));
        more = comma != NULL;
        if (more)
            rest = ib_text_of(comma + 1, rest.text.n - n - 1);
    }
    return keys;
}

FUNCTION(ib_filter_sort)
{
    const ib_value list = list_of(m, self), keys = ib_list_new(m, A_LIST);
    for (size_t i = 0; !m->status && i < list.list->n; i++)
        ib_append(m, keys, sort_key(m, list.list->item[i], a[2], a[1]));
    if (!m->status)
        sort(m, list.list->item, keys.list->item, list.list->n, ib_given(a[0]) && ib_truth(a[0]));
    return list;
}

FUNCTION(ib_filter_dictsort)
{
    const ib_value keys = ib_list_new(m, A_LIST), pairs = ib_list_new(m, A_LIST);
    const ib_piece by = ib_given(a[1]) ? ib_text_argument(m, a[1], "dictsort: by") : (ib_piece){"key", 3};
    const int values = ib_same(by, (ib_piece){"value", 5});
    if (self.kind != KIND_DICT)
        return self.kind == KIND_UNDEFINED ? ib_not_defined(m, self)
                                           : ib_wrong(m, "dictsort of a %s", ib_type_name(self));
    if (!values && !ib_same(by, (ib_piece){"key", 3}))
        return ib_wrong(m, "dictsort: by is key or value");
    for (size_t i = 0; i < self.dict->n && !m->status; i++) {
        const ib_entry e = self.dict->entry[i];
        ib_append(m, pairs, ib_pair_of(m, e.key, e.value));
        ib_append(m, keys, lowered(m, values ? e.value : e.key, a[0]));
    }
    if (!m->status)
        sort(m, pairs.list->item, keys.list->item, pairs.list->n, ib_given(a[2]) && ib_truth(a[2]));
    return pairs;
}

FUNCTION(ib_filter_items)
{
    const ib_value pairs = ib_list_new(m, AN_ITERATOR);
    if (self.kind != KIND_DICT && self.kind != KIND_UNDEFINED)
        return ib_wrong(m, "items of a %s: a dictionary has them", ib_type_name(self));
    for (size_t i = 0; self.kind == KIND_DICT && i < self.dict->n && !m->status; i++)
        ib_append(m, pairs, ib_pair_of(m, self.dict->entry[i].key, self.dict->entry[i].value));
    return pairs;
}

FUNCTION(ib_filter_length)
{
    return ib_int(ib_length(m, self));
}

FUNCTION(ib_filter_list)
{
    return list_of(m, self);
}

FUNCTION(ib_filter_first)
{
    if (self.kind == KIND_LIST && self.list->flavor == AN_ITERATOR && self.list->used < self.list->n)
        return self.list->item[self.list->used++];
    const ib_list *items = ib_items_of(m, self);
    return items && items->n ? items->item[0] : ib_undefined((ib_piece){0});
}

FUNCTION(ib_filter_last)
{
    if (self.kind == KIND_LIST && self.list->flavor == AN_ITERATOR)
        return ib_wrong(m, "last of an iterator: |list makes a list of it");
    const ib_list *items = ib_items_of(m, self);
    return items && items->n ? items->item[items->n - 1] : ib_undefined((ib_piece){0});
}

FUNCTION(ib_filter_reverse)
{
    const ib_list *items = ib_items_of(m, self);
    const ib_value list = ib_list_new(m, AN_ITERATOR);
    ib_build b = {.m = m};
    for (size_t i = items ? items->n : 0; i > 0 && !m->status; i--)
        if (self.kind == KIND_TEXT)
            ib_print(&b, items->item[i - 1]);
        else
            ib_append(m, list, items->item[i - 1]);
    return self.kind == KIND_TEXT ? ib_built(&b) : list;
}

FUNCTION(ib_filter_join)
{
    const ib_list *items = ib_items_of(m, self);
    ib_build b = {.m = m};
    for (size_t i = 0; items && i < items->n && !m->status; i++) {
        if (i && ib_given(a[0]))
            ib_print(&b, a[0]);
        ib_print(&b, ib_part(m, items->item[i], a[1], absent));
    }
    return ib_built(&b);
}

FUNCTION(ib_filter_unique)
{
    const ib_list *items = ib_items_of(m, self);
    const ib_value list = ib_list_new(m, AN_ITERATOR), seen = ib_dict_new(m);
    for (size_t i = 0; items && i < items->n && !m->status; i++) {
        const ib_value key = lowered(m, ib_part(m, items->item[i], a[1], absent), a[0]);
        if (!ib_dict_find(m, seen, key))
            ib_append(m, list, items->item[i]);
        ib_dict_set(m, seen, key, ib_none());
    }
    return list;
}

static ib_value extreme(ib_machine *m, ib_value self, const ib_value *a, int sign)
{
    const ib_list *items = ib_items_of(m, self);
    ib_value best = ib_undefined((ib_piece){0}), best_key = best;
    for (size_t i = 0; items && i < items->n && !m->status; i++) {
        const ib_value key = lowered(m, ib_part(m, items->item[i], a[1], absent), a[0]);
        if (i && sign * ib_order(m, key, best_key) <= 0)
            continue;
        best = items->item[i];
        best_key = key;
    }
    return best;
}
FUNCTION(ib_filter_max)
{
    return extreme(m, self, a, 1);
}
FUNCTION(ib_filter_min)
{
    return extreme(m, self, a, -1);
}

FUNCTION(ib_filter_sum)
{
    const ib_list *items = ib_items_of(m, self);
    ib_value sum = ib_given(a[1]) ? a[1] : ib_int(0);
    if (sum.kind == KIND_TEXT)
        return ib_wrong(m, "sum of texts: join puts them together");
    for (size_t i = 0; items && i < items->n && !m->status; i++)
        sum = ib_arithmetic(m, '+', sum, ib_part(m, items->item[i], a[0], absent));
    return sum;
}

/* all without its first n positions */
static ib_arguments behind(ib_machine *m, ib_arguments all, size_t n)
{
    ib_arguments rest = {ib_list_new(m, A_TUPLE), all.named};
    for (; !m->status && n < all.positional.list->n; n++)
        ib_append(m, rest.positional, all.positional.list->item[n]);
    return rest;
}

/* What passes a test (or does not): (attribute, test, arguments of the test) or (test, arguments) */
static ib_value selected(ib_machine *m, ib_value self, ib_arguments all, int attribute, int wanted)
{
    const ib_value list = ib_list_new(m, AN_ITERATOR);
    if (m->status || !ib_truth(self)) /* none as well */
        return list;
    const size_t n = all.positional.list->n, at = (size_t)attribute;
    if (n < at)
        return ib_wrong(m, "selectattr and rejectattr need an attribute's name");
    const ib_value name = n > at ? all.positional.list->item[at] : absent;
    const ib_function *f = name.kind == KIND_TEXT ? ib_function_find(A_TEST, name.text) : NULL;
    if (ib_given(name) && !f)
        return ib_unsupported(m, "the test '%.*s' is not known", name.kind == KIND_TEXT ? (int)name.text.n : 1,
                              name.kind == KIND_TEXT ? name.text.s : "?");
    const ib_arguments rest = behind(m, all, at + 1);
    const ib_list *items = ib_items_of(m, self);
    for (size_t i = 0; items && i < items->n && ib_step(m, 0); i++) {
        const ib_value v =
            attribute ? ib_part(m, items->item[i], all.positional.list->item[0], absent) : items->item[i];
        if (ib_truth(f ? ib_apply_function(m, f, v, rest) : v) == wanted)
            ib_append(m, list, items->item[i]);
    }
    return list;
}
FUNCTION(ib_filter_select)
{
    return selected(m, self, all, 0, 1);
}
FUNCTION(ib_filter_reject)
{
    return selected(m, self, all, 0, 0);
}
FUNCTION(ib_filter_selectattr)
{
    return selected(m, self, all, 1, 1);
}
FUNCTION(ib_filter_rejectattr)
{
    return selected(m, self, all, 1, 0);
}

FUNCTION(ib_filter_map)
{
    const ib_value list = ib_list_new(m, AN_ITERATOR);
    if (m->status || !ib_truth(self))
        return list;
    const size_t n = all.positional.list->n;
    const ib_value *attribute = ib_dict_find(m, all.named, ib_word("attribute"));
    const ib_value *otherwise = ib_dict_find(m, all.named, ib_word("default"));
    const int by_part = !n && attribute;
    const ib_value name = n ? all.positional.list->item[0] : absent;
    const ib_function *f = name.kind == KIND_TEXT ? ib_function_find(A_FILTER, name.text) : NULL;
    if (by_part && all.named.dict->n > (otherwise ? 2u : 1u))
        return ib_wrong(m, "map has the arguments attribute and default");
    if (!by_part && !f)
        return name.kind == KIND_TEXT
                   ? ib_unsupported(m, "the filter '%.*s' is not known", (int)name.text.n, name.text.s)
                   : ib_wrong(m, "map needs a filter's name or attribute=");
    const ib_arguments rest = behind(m, all, 1);
    const ib_list *items = ib_items_of(m, self);
    for (size_t i = 0; items && i < items->n && ib_step(m, 0); i++)
        ib_append(m, list,
                  by_part ? ib_part(m, items->item[i], *attribute, otherwise ? *otherwise : absent)
                          : ib_apply_function(m, f, items->item[i], rest));
    return list;
}
