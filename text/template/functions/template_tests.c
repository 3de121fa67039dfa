/* template_tests.c - tests (x is ...) and the functions that stand alone. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>

#include "text/template/functions/template_functions.h"

FUNCTION(ib_test_defined)
{
    return ib_bool(self.kind != KIND_UNDEFINED);
}
FUNCTION(ib_test_undefined)
{
    return ib_bool(self.kind == KIND_UNDEFINED);
}
FUNCTION(ib_test_none)
{
    return ib_bool(self.kind == KIND_NONE);
}
FUNCTION(ib_test_boolean)
{
    return ib_bool(self.kind == KIND_BOOL);
}
FUNCTION(ib_test_true)
{
    return ib_bool(self.kind == KIND_BOOL && self.i);
}
FUNCTION(ib_test_false)
{
    return ib_bool(self.kind == KIND_BOOL && !self.i);
}
FUNCTION(ib_test_integer)
{
    return ib_bool(self.kind == KIND_INT);
}
FUNCTION(ib_test_float)
{
    return ib_bool(self.kind == KIND_FLOAT);
}
FUNCTION(ib_test_number)
{
    return ib_bool(self.kind == KIND_FLOAT || ib_whole(self));
}
FUNCTION(ib_test_string)
{
    return ib_bool(self.kind == KIND_TEXT);
}
FUNCTION(ib_test_mapping)
{
    return ib_bool(self.kind == KIND_DICT);
}
FUNCTION(ib_test_iterable)
{
    return ib_bool(self.kind == KIND_UNDEFINED || self.kind == KIND_TEXT || self.kind == KIND_LIST ||
                   self.kind == KIND_DICT || self.kind == KIND_LOOP);
}
FUNCTION(ib_test_sequence)
{
    return ib_bool(self.kind == KIND_UNDEFINED || self.kind == KIND_TEXT || self.kind == KIND_DICT ||
                   (self.kind == KIND_LIST && self.list->flavor <= A_RANGE));
}
FUNCTION(ib_test_callable)
{
    return ib_bool(self.kind == KIND_FUNCTION || self.kind == KIND_MACRO || self.kind == KIND_LOOP ||
                   self.kind == KIND_UNDEFINED);
}
FUNCTION(ib_test_filter)
{
    return ib_bool(self.kind == KIND_TEXT && ib_function_find(A_FILTER, self.text));
}
FUNCTION(ib_test_test)
{
    return ib_bool(self.kind == KIND_TEXT && ib_function_find(A_TEST, self.text));
}

FUNCTION(ib_test_eq)
{
    return ib_bool(ib_equal(m, self, a[0]));
}
FUNCTION(ib_test_ne)
{
    return ib_bool(!ib_equal(m, self, a[0]));
}
FUNCTION(ib_test_lt)
{
    return ib_bool(ib_order(m, self, a[0]) < 0);
}
FUNCTION(ib_test_le)
{
    return ib_bool(ib_order(m, self, a[0]) <= 0);
}
FUNCTION(ib_test_gt)
{
    return ib_bool(ib_order(m, self, a[0]) > 0);
}
FUNCTION(ib_test_ge)
{
    return ib_bool(ib_order(m, self, a[0]) >= 0);
}
FUNCTION(ib_test_in)
{
    return ib_bool(ib_contains(m, a[0], self));
}

FUNCTION(ib_test_sameas)
{
    if (self.kind <= KIND_BOOL || a[0].kind <= KIND_BOOL)
        return ib_bool(self.kind == a[0].kind && (self.kind != KIND_BOOL || self.i == a[0].i));
    return ib_unsupported(m, "sameas of values other than true, false and none");
}

static ib_value remains(ib_machine *m, ib_value self, ib_value by, int64_t rest)
{
    const ib_value left = ib_whole(self) || self.kind == KIND_FLOAT || self.kind == KIND_UNDEFINED
                              ? ib_arithmetic(m, '%', self, by)
                              : ib_wrong(m, "whether a %s can be divided", ib_type_name(self));
    return ib_bool(ib_equal(m, left, ib_int(rest)));
}
FUNCTION(ib_test_divisibleby)
{
    return remains(m, self, a[0], 0);
}
FUNCTION(ib_test_even)
{
    return remains(m, self, ib_int(2), 0);
}
FUNCTION(ib_test_odd)
{
    return remains(m, self, ib_int(2), 1);
}

/* str.islower and isupper: some letter has a case, and none the other. */
static ib_value all_of_case(ib_machine *m, ib_value self, int upper)
{
    const ib_piece t = ib_str(m, self).text;
    int some = 0, other = 0;
    for (size_t at = 0; at < t.n && ib_step(m, 0);) {
        uint32_t u;
        at += ib_character(t.s + at, t.n - at, &u);
        const utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)u);
        some |= c == (upper ? UTF8PROC_CATEGORY_LU : UTF8PROC_CATEGORY_LL);
        other |= c == (upper ? UTF8PROC_CATEGORY_LL : UTF8PROC_CATEGORY_LU) || c == UTF8PROC_CATEGORY_LT;
    }
    return ib_bool(some && !other);
}
FUNCTION(ib_test_lower)
{
    return all_of_case(m, self, 0);
}
FUNCTION(ib_test_upper)
{
    return all_of_case(m, self, 1);
}

/* ---- functions ---- */
static ib_value dict_from(ib_machine *m, ib_arguments all)
{
    const ib_value dict = ib_dict_new(m);
    if (!m->status && all.positional.list->n > 1)
        return ib_wrong(m, "dict and namespace take one dictionary or list of pairs");
    const ib_value from =
        !m->status && all.positional.list->n ? all.positional.list->item[0] : (ib_value){.kind = KIND_ABSENT};
    if (from.kind == KIND_DICT) {
        for (size_t i = 0; i < from.dict->n; i++)
            ib_dict_set(m, dict, from.dict->entry[i].key, from.dict->entry[i].value);
    } else if (ib_given(from)) {
        const ib_list *pairs = ib_items_of(m, from);
        for (size_t i = 0; pairs && i < pairs->n && !m->status; i++) {
            const ib_list *pair = ib_items_of(m, pairs->item[i]);
            if (pair && pair->n == 2)
                ib_dict_set(m, dict, pair->item[0], pair->item[1]);
            else
                ib_wrong(m, "item %zu of a list of pairs is no pair", i);
        }
    }
    for (size_t i = 0; !m->status && i < all.named.dict->n; i++)
        ib_dict_set(m, dict, all.named.dict->entry[i].key, all.named.dict->entry[i].value);
    return dict;
}

FUNCTION(ib_global_dict)
{
    return dict_from(m, all);
}

FUNCTION(ib_global_namespace)
{
    ib_value v = dict_from(m, all);
    for (size_t i = 0; !m->status && i < v.dict->n; i++)
        if (v.dict->entry[i].key.kind == KIND_TEXT && v.dict->entry[i].key.text.n &&
            *v.dict->entry[i].key.text.s == '_')
            return ib_wrong(m, "members of a namespace do not begin with _");
    if (!m->status)
        v.kind = KIND_NAMESPACE;
    return v;
}

FUNCTION(ib_global_raise_exception)
{
    const ib_piece t = ib_strip(ib_str(m, a[0]).text, NULL, 1, 1);
    return ib_wrong(m, "the template says: %.*s", t.n < 300 ? (int)t.n : 300, t.s);
}

FUNCTION(ib_global_range)
{
    const int64_t first = ib_number_argument(m, a[0], 0, "range"), second = ib_number_argument(m, a[1], 0, "range");
    const int64_t step = ib_number_argument(m, a[2], 1, "range");
    if (!step)
        return ib_wrong(m, "range: a step of 0");
    return ib_given(a[1]) ? ib_range_new(m, first, second, step) : ib_range_new(m, 0, first, step);
}

/* Now, or what SOURCE_DATE_EPOCH says (in UTC then): reproducible-builds.org/specs/source-date-epoch */
FUNCTION(ib_global_strftime_now)
{
    const ib_piece t = ib_text_argument(m, a[0], "strftime_now: format");
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    const time_t now = fixed ? (time_t)strtoll(fixed, &end, 10) : time(NULL);
    struct tm parts;
    char format[256], text[1024];
    if (fixed && (*end || !*fixed))
        return ib_wrong(m, "SOURCE_DATE_EPOCH is '%.40s', not a number of seconds", fixed);
    if (!t.n)
        return ib_text_of("", 0);
    if (t.n >= sizeof format || memchr(t.s, 0, t.n) || !(fixed ? gmtime_r(&now, &parts) : localtime_r(&now, &parts)))
        return ib_wrong(m, "strftime_now: a format of %zu bytes, or a date that is none", t.n);
    memcpy(format, t.s, t.n);
    format[t.n] = 0;
    const size_t n = strftime(text, sizeof text, format, &parts);
    char *copy = ib_take(m, n + 1);
    return copy ? ib_text_of(memcpy(copy, text, n), n) : ib_undefined((ib_piece){0});
}
