/* template_operators.c - arithmetic, attributes, items and slices, as Python and Jinja's sandbox have them. */
#include <math.h>
#include <string.h>

#include "text/template/syntax/template_nodes.h"

static int is_number(ib_value v)
{
    return ib_whole(v) || v.kind == KIND_FLOAT;
}
static double real(ib_value v)
{
    return v.kind == KIND_FLOAT ? v.f : (double)v.i;
}

static ib_value too_large(ib_machine *m)
{
    return ib_unsupported(m, "a whole number beyond 64 bits");
}

static ib_value by_zero(ib_machine *m)
{
    return ib_wrong(m, "division by zero");
}

static ib_value power(ib_machine *m, int64_t a, int64_t b)
{
    int64_t r = 1;
    if (b < 0)
        return a ? ib_float(pow((double)a, (double)b)) : by_zero(m);
    if (a == 0 || a == 1)
        return ib_int(b ? a : 1);
    if (a == -1)
        return ib_int(b % 2 ? -1 : 1);
    for (; b; b--)
        if (__builtin_mul_overflow(r, a, &r))
            return too_large(m);
    return ib_int(r);
}

static ib_value of_ints(ib_machine *m, int operator, int64_t a, int64_t b)
{
    int64_t r = 0;
    int beyond = 0;
    if (operator== '+')
        beyond = __builtin_add_overflow(a, b, &r);
    else if (operator== '-')
        beyond = __builtin_sub_overflow(a, b, &r);
    else if (operator== '*')
        beyond = __builtin_mul_overflow(a, b, &r);
    else if (operator== IB_TWO('*', '*'))
        return power(m, a, b);
    else if (!b)
        return by_zero(m);
    else if (operator== '/')
        return ib_float((double)a / (double)b);
    else if (a == INT64_MIN && b == -1)
        beyond = operator!= '%';
    else if (operator== '%')
        r = a % b + (a % b && (a % b < 0) != (b < 0) ? b : 0);
    else
        r = a / b - (a % b && (a % b < 0) != (b < 0));
    return beyond ? too_large(m) : ib_int(r);
}

static ib_value of_reals(ib_machine *m, int operator, double a, double b)
{
    if (operator== '+' || operator== '-')
        return ib_float(operator== '+' ? a + b : a - b);
    if (operator== '*')
        return ib_float(a * b);
    if (operator== IB_TWO('*', '*'))
        return (a == 0 && b < 0) || (a < 0 && b != floor(b)) ? ib_wrong(m, "a power that is no real number")
                                                             : ib_float(pow(a, b));
    if (b == 0)
        return by_zero(m);
    if (operator== '/')
        return ib_float(a / b);
    double rest = fmod(a, b); /* Python's has the sign of b */
    if (rest != 0 && (rest < 0) != (b < 0))
        rest += b;
    if (operator== '%')
        return ib_float(rest == 0 ? copysign(0, b) : rest);
    const double whole = (a - rest) / b, down = floor(whole);
    return ib_float(whole == 0 ? copysign(0, a / b) : whole - down > 0.5 ? down + 1 : down);
}

static ib_value repeated(ib_machine *m, ib_value v, int64_t times)
{
    ib_build b = {.m = m};
    const ib_value list = v.kind == KIND_LIST ? ib_list_new(m, v.list->flavor) : v;
    if (v.kind == KIND_TEXT ? !v.text.n : !v.list->n)
        return v;
    for (int64_t i = 0; i < times && ib_step(m, 0); i++) {
        if (v.kind == KIND_TEXT)
            ib_put(&b, v.text.s, v.text.n);
        for (size_t k = 0; v.kind == KIND_LIST && k < v.list->n; k++)
            ib_append(m, list, v.list->item[k]);
    }
    ib_value text = ib_built(&b);
    text.markup = v.markup;
    return v.kind == KIND_LIST ? list : text;
}

/* What is added to markup is escaped; the sum is markup. */
static ib_value joined(ib_machine *m, ib_value a, ib_value b)
{
    ib_build sum = {.m = m};
    const int markup = a.markup || b.markup;
    ib_value v[2] = {a, b};
    for (int i = 0; i < 2; i++)
        if (markup && !v[i].markup)
            ib_put_escaped(&sum, v[i].text);
        else
            ib_put(&sum, v[i].text.s, v[i].text.n);
    v[0] = ib_built(&sum);
    v[0].markup = markup;
    return v[0];
}

ib_value ib_arithmetic(ib_machine *m, int operator, ib_value a, ib_value b)
{
    const char name[3] = {(char)operator, (char)(operator>> 8), 0};
    const int rows =
        a.kind == KIND_LIST && b.kind == KIND_LIST && a.list->flavor == b.list->flavor && a.list->flavor <= A_TUPLE;
    if (m->status)
        return a;
    if (operator== '%' && a.kind == KIND_TEXT)
        return ib_percent(m, a.text, b);
    if (a.kind == KIND_UNDEFINED || b.kind == KIND_UNDEFINED)
        return ib_not_defined(m, a.kind == KIND_UNDEFINED ? a : b);
    if (ib_whole(a) && ib_whole(b))
        return of_ints(m, operator, a.i, b.i);
    if (is_number(a) && is_number(b))
        return of_reals(m, operator, real(a), real(b));
    if (operator== '+' && a.kind == KIND_TEXT && b.kind == KIND_TEXT)
        return joined(m, a, b);
    if (operator== '+' && rows) {
        const ib_value sum = ib_list_new(m, a.list->flavor);
        for (size_t i = 0; i < a.list->n + b.list->n && !m->status; i++)
            ib_append(m, sum, i < a.list->n ? a.list->item[i] : b.list->item[i - a.list->n]);
        return sum;
    }
    if (operator== '*' && ib_whole(a))
        return ib_arithmetic(m, operator, b, ib_whole(b) ? ib_float(0) : a);
    if (operator== '*' && ib_whole(b) && (a.kind == KIND_TEXT || (a.kind == KIND_LIST && a.list->flavor <= A_TUPLE)))
        return repeated(m, a, b.i);
    return ib_wrong(m, "%s %s %s cannot be computed", ib_type_name(a), name, ib_type_name(b));
}

ib_value ib_negative(ib_machine *m, ib_value v, int negate)
{
    if (v.kind == KIND_FLOAT)
        return ib_float(negate ? -v.f : v.f);
    if (ib_whole(v))
        return negate ? of_ints(m, '-', 0, v.i) : ib_int(v.i);
    return v.kind == KIND_UNDEFINED ? ib_not_defined(m, v) : ib_wrong(m, "the sign of a %s", ib_type_name(v));
}

static int listed(const char *names, ib_piece name)
{
    for (const char *s = names; *s; s += strcspn(s, " "), s += *s == ' ')
        if (strcspn(s, " ") == name.n && !memcmp(s, name.s, name.n))
            return 1;
    return 0;
}

/* Methods that change their value are kept from templates; of the others, those that are not done here are said. */
static const struct {
    const char *kept, *missing;
    ib_function_kind kind;
} members[N_KINDS] = {
    [KIND_TEXT] = {"",
                   "casefold center encode expandtabs format_map isascii isdecimal isidentifier isprintable ljust "
                   "maketrans rindex rjust rpartition translate zfill",
                   OF_TEXT},
    [KIND_DICT] = {"clear pop popitem setdefault update", "copy fromkeys", OF_DICT},
    [KIND_LIST] = {"append clear extend insert pop remove reverse sort", "copy", OF_LIST},
    [KIND_INT] = {"",
                  "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator "
                  "real to_bytes",
                  A_GLOBAL},
    [KIND_BOOL] = {"",
                   "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator "
                   "real to_bytes",
                   A_GLOBAL},
    [KIND_FLOAT] = {"", "as_integer_ratio conjugate from_number fromhex hex imag is_integer real", A_GLOBAL},
    [KIND_MACRO] = {"", "arguments caller catch_kwargs catch_varargs explicit_caller name", A_GLOBAL},
    [KIND_FUNCTION] = {"", "fromkeys", A_GLOBAL},
};

/* Python's attribute of v, if it has one: *found. */
static ib_value own(ib_machine *m, ib_value v, ib_piece name, int *found)
{
    const ib_function *f = members[v.kind].kind != A_FILTER && members[v.kind].kind != A_GLOBAL
                               ? ib_function_find(members[v.kind].kind, name)
                               : NULL;
    const int plain = v.kind != KIND_LIST || v.list->flavor <= A_TUPLE;
    *found = 1;
    if (f && plain)
        return ib_function_value(m, f, v);
    if (members[v.kind].missing && plain && listed(members[v.kind].missing, name))
        return ib_unsupported(m, "'%.*s' of a %s is not supported", (int)name.n, name.s, ib_type_name(v));
    *found = (members[v.kind].kept && listed(members[v.kind].kept, name)) || (name.n > 4 && !memcmp(name.s, "__", 2));
    return ib_undefined(name);
}

ib_value ib_attribute(ib_machine *m, ib_value v, ib_piece name)
{
    int found;
    if (v.kind == KIND_UNDEFINED && !m->status)
        return ib_not_defined(m, v);
    if (v.kind == KIND_LOOP)
        return ib_loop_member(m, v.loop, name);
    const ib_value mine = own(m, v, name, &found);
    if (found || m->status)
        return mine;
    const ib_value *member =
        v.kind == KIND_DICT || v.kind == KIND_NAMESPACE ? ib_dict_find(m, v, ib_text_of(name.s, name.n)) : NULL;
    return member ? *member : ib_undefined(name);
}

ib_value ib_item(ib_machine *m, ib_value v, ib_value key)
{
    if (m->status)
        return v;
    if (v.kind == KIND_UNDEFINED)
        return ib_not_defined(m, v);
    if (v.kind == KIND_DICT) {
        const ib_value *member = ib_dict_find(m, v, key);
        if (member)
            return *member;
    }
    const int64_t n = ib_whole(key) && (v.kind == KIND_TEXT || (v.kind == KIND_LIST && v.list->flavor <= A_RANGE))
                          ? ib_length(m, v)
                          : 0;
    const int64_t at = n && key.i < 0 ? key.i + n : key.i;
    if (n && at >= 0 && at < n && v.kind == KIND_LIST)
        return v.list->item[at];
    if (n && at >= 0 && at < n)
        return ib_slice(m, v, ib_int(at), ib_int(at + 1), ib_none());
    if (key.kind == KIND_TEXT && v.kind != KIND_NAMESPACE && v.kind != KIND_DICT)
        return ib_attribute(m, v, key.text);
    if (key.kind == KIND_TEXT) {
        int found;
        const ib_value *member = v.kind == KIND_NAMESPACE ? ib_dict_find(m, v, key) : NULL;
        return member ? *member : own(m, v, key.text, &found);
    }
    return ib_undefined((ib_piece){0});
}

/* A bound of a slice of n: from the end if it is negative, within [low, high]. */
static int can_bound(ib_value v)
{
    return v.kind == KIND_NONE || ib_whole(v);
}
static int64_t bound(ib_value v, int64_t otherwise, int64_t n, int64_t low, int64_t high)
{
    if (v.kind == KIND_NONE)
        return otherwise;
    const int64_t at = v.i < 0 ? v.i + n : v.i;
    return at < low ? low : at > high ? high : at;
}

/* A range keeps what it was asked for (start, stop, step) behind its numbers. */
ib_value ib_range_new(ib_machine *m, int64_t start, int64_t stop, int64_t step)
{
    const ib_value v = ib_list_new(m, A_RANGE);
    const int64_t asked[] = {start, stop, step};
    for (int64_t i = start; !m->status && (step < 0 ? i > stop : i < stop); i += step) {
        if (v.list->n == IB_MOST_RANGE)
            return ib_wrong(m, "a range of more than %d numbers", IB_MOST_RANGE);
        ib_append(m, v, ib_int(i));
        if ((step < 0 && i < INT64_MIN - step) || (step > 0 && i > INT64_MAX - step))
            break;
    }
    for (int i = 0; i < 3; i++)
        ib_append(m, v, ib_int(asked[i]));
    if (!m->status)
        v.list->n -= 3;
    return v;
}

static ib_value slice_of_range(ib_machine *m, const ib_list *l, int64_t a, int64_t z, int64_t by)
{
    const int64_t start = l->item[l->n].i, step = l->item[l->n + 2].i;
    return ib_range_new(m, start + a * step, start + z * step, step * by);
}

ib_value ib_slice(ib_machine *m, ib_value v, ib_value from, ib_value to, ib_value step)
{
    if (v.kind == KIND_UNDEFINED && !m->status)
        return ib_not_defined(m, v);
    const int sliced = v.kind == KIND_TEXT || (v.kind == KIND_LIST && v.list->flavor <= A_RANGE);
    if (!sliced || !can_bound(from) || !can_bound(to) || !can_bound(step))
        return ib_wrong(m, "a slice of a %s, or with bounds that are no whole numbers", ib_type_name(v));
    if (step.kind != KIND_NONE && !step.i)
        return ib_wrong(m, "a slice with a step of 0");
    const int64_t n = ib_length(m, v), by = step.kind == KIND_NONE ? 1
                                            : step.i > n           ? n + 1
                                            : step.i < -n          ? -n - 1
                                                                   : step.i;
    const int64_t low = by < 0 ? -1 : 0, high = by < 0 ? n - 1 : n;
    const int64_t a = bound(from, by < 0 ? high : low, n, low, high), z = bound(to, by < 0 ? low : high, n, low, high);
    if (m->status)
        return v;
    if (v.kind == KIND_LIST) {
        if (v.list->flavor == A_RANGE)
            return slice_of_range(m, v.list, a, z, by);
        const ib_value part = ib_list_new(m, v.list->flavor);
        for (int64_t i = a; by < 0 ? i > z : i < z; i += by)
            ib_append(m, part, v.list->item[i]);
        return part;
    }
    ib_build b = {.m = m};
    const ib_list *all = by == 1 && n == (int64_t)v.text.n ? NULL : ib_items_of(m, v); /* ASCII: bytes are characters */
    if (!all && !m->status)
        ib_put(&b, v.text.s + a, a < z ? (size_t)(z - a) : 0);
    for (int64_t i = a; all && (by < 0 ? i > z : i < z); i += by)
        ib_put(&b, all->item[i].text.s, all->item[i].text.n);
    ib_value part = ib_built(&b);
    part.markup = v.markup;
    return part;
}
