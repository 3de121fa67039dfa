/* template_methods.c - methods of texts, dictionaries, lists and loops. */
#include <string.h>
#include <utf8proc.h>

#include "text/template/functions/template_functions.h"

static ib_value stripped(ib_machine *m, ib_value self, ib_value chars, int left, int right)
{
    const int space = !ib_given(chars) || chars.kind == KIND_NONE;
    const ib_piece set = space ? self.text : ib_text_argument(m, chars, "strip: chars");
    const ib_piece t = ib_strip(self.text, space ? NULL : &set, left, right);
    ib_value v = ib_text_of(t.s, t.n);
    v.markup = self.markup;
    return v;
}
FUNCTION(ib_text_strip)
{
    return stripped(m, self, a[0], 1, 1);
}
FUNCTION(ib_text_lstrip)
{
    return stripped(m, self, a[0], 1, 0);
}
FUNCTION(ib_text_rstrip)
{
    return stripped(m, self, a[0], 0, 1);
}

FUNCTION(ib_text_title)
{
    return ib_recase(m, self.text, TITLE);
}
FUNCTION(ib_text_swapcase)
{
    return ib_recase(m, self.text, SWAPPED);
}
FUNCTION(ib_text_splitlines)
{
    return ib_split_lines(m, self.text);
}

FUNCTION(ib_text_replace)
{
    if (self.markup)
        return ib_unsupported(m, "replace in a text that |safe or |escape marked");
    return ib_replace_text(m, self.text, ib_text_argument(m, a[0], "replace: old"),
                           ib_text_argument(m, a[1], "replace: new"),
                           ib_number_argument(m, a[2], -1, "replace: count"));
}

/* The text between start and end, in front of which stand *before characters; -1: they cross, and nothing is between
 * them, not even the empty text. */
static ib_piece within(ib_machine *m, ib_value self, ib_value start, ib_value end, int64_t *before)
{
    const int64_t n = ib_length(m, self);
    const int from_start = !ib_given(start) || start.kind == KIND_NONE;
    const int to_end = !ib_given(end) || end.kind == KIND_NONE;
    const ib_value v = ib_slice(m, self, from_start ? ib_int(0) : start, to_end ? ib_none() : end, ib_none());
    if (m->status || v.kind != KIND_TEXT)
        return (ib_piece){"", 0};
    const int64_t from = from_start ? 0 : start.i < 0 ? start.i + n : start.i;
    const int64_t to = to_end || end.i > n ? n : end.i < 0 ? end.i + n : end.i;
    *before = from > (to < 0 ? 0 : to) ? -1 : from < 0 ? 0 : from;
    return v.text;
}

static int64_t place(ib_machine *m, ib_value self, const ib_value *a, int last)
{
    int64_t before = -1;
    const ib_piece t = within(m, self, a[1], a[2], &before), part = ib_text_argument(m, a[0], "find: sub");
    const char *found = last ? ib_find_last(m, t, part) : ib_find(t, part);
    if (m->status || !found || before < 0)
        return -1;
    return before + (t.n ? ib_characters((ib_piece){t.s, (size_t)(found - t.s)}) : 0);
}
FUNCTION(ib_text_find)
{
    return ib_int(place(m, self, a, 0));
}
FUNCTION(ib_text_rfind)
{
    return ib_int(place(m, self, a, 1));
}
FUNCTION(ib_text_index)
{
    const int64_t at = place(m, self, a, 0);
    return at < 0 ? ib_wrong(m, "index: the text is not there") : ib_int(at);
}

FUNCTION(ib_text_count)
{
    int64_t before = -1, n = 0;
    ib_piece t = within(m, self, a[1], a[2], &before);
    const ib_piece part = ib_text_argument(m, a[0], "count: sub");
    if (!part.n)
        return ib_int(before < 0 ? 0 : ib_characters(t) + 1);
    for (const char *found; (found = ib_find(t, part)) != NULL && ib_step(m, 0); n++)
        t = (ib_piece){found + part.n, t.n - (size_t)(found + part.n - t.s)};
    return ib_int(n);
}

static int has_end(ib_piece t, ib_piece part, int at_end)
{
    return t.n >= part.n && (!part.n || !memcmp(at_end ? t.s + t.n - part.n : t.s, part.s, part.n));
}

/* One text, or a tuple of them */
static ib_value begins_or_ends(ib_machine *m, ib_value self, const ib_value *a, int at_end)
{
    int64_t before = -1;
    const ib_piece t = within(m, self, a[1], a[2], &before);
    if (a[0].kind != KIND_LIST || a[0].list->flavor != A_TUPLE)
        return ib_bool(
            before >= 0 &&
            has_end(t, ib_text_argument(m, a[0], at_end ? "endswith: suffix" : "startswith: prefix"), at_end));
    int any = 0;
    for (size_t i = 0; i < a[0].list->n; i++)
        any |= has_end(t, ib_text_argument(m, a[0].list->item[i], at_end ? "endswith: suffix" : "startswith: prefix"),
                       at_end);
    return ib_bool(before >= 0 && any);
}
FUNCTION(ib_text_startswith)
{
    return begins_or_ends(m, self, a, 0);
}
FUNCTION(ib_text_endswith)
{
    return begins_or_ends(m, self, a, 1);
}

FUNCTION(ib_text_removeprefix)
{
    const ib_piece part = ib_text_argument(m, a[0], "removeprefix: prefix");
    return has_end(self.text, part, 0) ? ib_text_of(self.text.s + part.n, self.text.n - part.n) : self;
}
FUNCTION(ib_text_removesuffix)
{
    const ib_piece part = ib_text_argument(m, a[0], "removesuffix: suffix");
    return has_end(self.text, part, 1) ? ib_text_of(self.text.s, self.text.n - part.n) : self;
}

FUNCTION(ib_text_partition)
{
    const ib_piece part = ib_text_argument(m, a[0], "partition: sep"), t = self.text;
    const ib_value tuple = ib_list_new(m, A_TUPLE);
    if (!part.n)
        return ib_wrong(m, "partition: an empty separator");
    const char *found = ib_find(t, part);
    const size_t n = found ? (size_t)(found - t.s) : t.n;
    ib_append(m, tuple, ib_text_of(t.s, n));
    ib_append(m, tuple, found ? ib_text_of(found, part.n) : ib_text_of("", 0));
    ib_append(m, tuple, found ? ib_text_of(found + part.n, t.n - n - part.n) : ib_text_of("", 0));
    return tuple;
}

static void reverse(const ib_list *list)
{
    for (size_t i = 0; i < list->n / 2; i++) {
        const ib_value v = list->item[i];
        list->item[i] = list->item[list->n - 1 - i];
        list->item[list->n - 1 - i] = v;
    }
}

/* At white space: none of it is left, nor an empty text. */
static ib_value split_space(ib_machine *m, ib_piece t, int64_t most, int from_end)
{
    const ib_value list = ib_list_new(m, A_LIST);
    for (t = ib_strip(t, NULL, !from_end, from_end); t.n && !m->status; t = ib_strip(t, NULL, !from_end, from_end)) {
        size_t n = 0; /* bytes of the next text; behind the last cut, the rest as it is */
        for (uint32_t u = 0; most && n < t.n;) {
            const size_t k =
                from_end ? ib_last_character((ib_piece){t.s, t.n - n}, &u) : ib_character(t.s + n, t.n - n, &u);
            if (ib_is_space(u))
                break;
            n += k;
        }
        if (!most)
            n = t.n;
        most -= most > 0;
        ib_append(m, list, ib_text_of(from_end ? t.s + t.n - n : t.s, n));
        t = from_end ? (ib_piece){t.s, t.n - n} : (ib_piece){t.s + n, t.n - n};
    }
    if (from_end && !m->status)
        reverse(list.list);
    return list;
}

static ib_value split_at(ib_machine *m, ib_piece t, ib_piece sep, int64_t most, int from_end)
{
    const ib_value list = ib_list_new(m, A_LIST);
    if (!sep.n)
        return ib_wrong(m, "split: an empty separator");
    for (const char *found; most && (found = from_end ? ib_find_last(m, t, sep) : ib_find(t, sep)) && ib_step(m, 0);) {
        const ib_piece head = {t.s, (size_t)(found - t.s)}, tail = {found + sep.n, t.n - head.n - sep.n};
        const ib_piece part = from_end ? tail : head;
        ib_append(m, list, ib_text_of(part.s, part.n));
        t = from_end ? head : tail;
        most -= most > 0;
    }
    ib_append(m, list, ib_text_of(t.s, t.n));
    if (from_end && !m->status)
        reverse(list.list);
    return list;
}

static ib_value split(ib_machine *m, ib_value self, const ib_value *a, int from_end)
{
    const int64_t most = ib_number_argument(m, a[1], -1, "split: maxsplit");
    if (!ib_given(a[0]) || a[0].kind == KIND_NONE)
        return split_space(m, self.text, most, from_end);
    return split_at(m, self.text, ib_text_argument(m, a[0], "split: sep"), most, from_end);
}
FUNCTION(ib_text_split)
{
    return split(m, self, a, 0);
}
FUNCTION(ib_text_rsplit)
{
    return split(m, self, a, 1);
}

FUNCTION(ib_text_join)
{
    const ib_list *items = ib_items_of(m, a[0]);
    ib_build b = {.m = m};
    if (self.markup)
        return ib_unsupported(m, "join with a text that |safe or |escape marked");
    for (size_t i = 0; items && i < items->n && !m->status; i++) {
        const ib_piece t = ib_text_argument(m, items->item[i], "join: an item");
        if (i)
            ib_put(&b, self.text.s, self.text.n);
        ib_put(&b, t.s, t.n);
    }
    return ib_built(&b);
}

/* Whether there are characters and each is of one of the categories from..to, or of another one. */
static ib_value all_are(ib_machine *m, ib_piece t, int from, int to, int other)
{
    int good = t.n > 0;
    for (size_t at = 0; at < t.n && good && ib_step(m, 0);) {
        uint32_t u;
        at += ib_character(t.s + at, t.n - at, &u);
        const int c = (int)utf8proc_category((utf8proc_int32_t)u);
        good = from < 0 ? ib_is_space(u) : (c >= from && c <= to) || c == other;
    }
    return ib_bool(good);
}
FUNCTION(ib_text_isalpha)
{
    return all_are(m, self.text, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO, -1);
}
FUNCTION(ib_text_isdigit)
{
    if (ib_characters(self.text) < (int64_t)self.text.n)
        return ib_unsupported(m, "isdigit of characters outside ASCII");
    return all_are(m, self.text, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND, -1);
}
FUNCTION(ib_text_isnumeric)
{
    return ib_text_isdigit(m, self, a, all);
}
FUNCTION(ib_text_isalnum)
{
    if (ib_characters(self.text) < (int64_t)self.text.n)
        return ib_unsupported(m, "isalnum of characters outside ASCII");
    return all_are(m, self.text, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO, UTF8PROC_CATEGORY_ND);
}
FUNCTION(ib_text_isspace)
{
    return all_are(m, self.text, -1, -1, -1);
}
FUNCTION(ib_text_istitle)
{
    const ib_value titled = ib_recase(m, self.text, TITLE);
    int cased = 0;
    for (size_t at = 0; at < self.text.n;) {
        uint32_t u;
        at += ib_character(self.text.s + at, self.text.n - at, &u);
        const utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)u);
        cased |= c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
    }
    return ib_bool(cased && ib_same(titled.text, self.text));
}

/* ---- dictionaries, lists, loops ---- */
FUNCTION(ib_dict_get)
{
    const ib_value *v = ib_dict_find(m, self, a[0]);
    return v ? *v : ib_given(a[1]) ? a[1] : ib_none();
}

static ib_value view(ib_machine *m, ib_value self, int keys, int values)
{
    const ib_value list = ib_list_new(m, A_VIEW);
    for (size_t i = 0; i < self.dict->n && !m->status; i++) {
        const ib_entry e = self.dict->entry[i];
        ib_append(m, list, keys && values ? ib_pair_of(m, e.key, e.value) : keys ? e.key : e.value);
    }
    return list;
}
FUNCTION(ib_dict_items)
{
    return view(m, self, 1, 1);
}
FUNCTION(ib_dict_keys)
{
    return view(m, self, 1, 0);
}
FUNCTION(ib_dict_values)
{
    return view(m, self, 0, 1);
}

FUNCTION(ib_list_count)
{
    int64_t n = 0;
    for (size_t i = 0; i < self.list->n && ib_step(m, 0); i++)
        n += ib_equal(m, self.list->item[i], a[0]);
    return ib_int(n);
}
FUNCTION(ib_list_index)
{
    for (size_t i = 0; i < self.list->n && ib_step(m, 0); i++)
        if (ib_equal(m, self.list->item[i], a[0]))
            return ib_int((int64_t)i);
    return ib_wrong(m, "index: the value is not in the list");
}

FUNCTION(ib_loop_cycle)
{
    const ib_list *of = all.positional.list;
    return of->n ? of->item[(size_t)self.loop->index % of->n] : ib_wrong(m, "loop.cycle of nothing");
}
FUNCTION(ib_loop_changed)
{
    const int changed = !ib_given(self.loop->changed) || !ib_equal(m, self.loop->changed, all.positional);
    self.loop->changed = all.positional;
    return ib_bool(changed);
}
