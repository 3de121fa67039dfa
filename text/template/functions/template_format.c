/* template_format.c - "%s" % x, "{}".format(x), and HTML's escapes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/template/functions/template_functions.h"
#include "base/number.h"

void ib_put_escaped(ib_build *b, ib_piece t)
{
    static const char plain[] = "&<>'\"";
    static const char *const named[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    for (size_t i = 0; i < t.n && !b->m->status; i++) {
        const char *known = t.s[i] ? strchr(plain, t.s[i]) : NULL;
        if (known)
            ib_put_text(b, named[known - plain]);
        else
            ib_put(b, t.s + i, 1);
    }
}

/* One %...: what stands between % and its letter. */
typedef struct directive {
    int left, plus, space, zero, other; /* flags - + blank 0 # */
    int64_t width, precision;           /* -1: none */
} directive;

static void pad(ib_build *b, const directive *d, ib_piece t, int zeros)
{
    const int64_t missing = d->width - ib_characters(t);
    const size_t sign = zeros && t.n && (*t.s == '-' || *t.s == '+' || *t.s == ' ');
    ib_put(b, t.s, sign);
    for (int64_t i = 0; i < missing && !d->left && ib_step(b->m, 0); i++)
        ib_put(b, zeros ? "0" : " ", 1);
    ib_put(b, t.s + sign, t.n - sign);
    for (int64_t i = 0; i < missing && d->left && ib_step(b->m, 0); i++)
        ib_put(b, " ", 1);
}

static void put_number(ib_build *b, const directive *d, char letter, ib_value v)
{
    char text[500], format[16];
    const int real = strchr("eEfFgG", letter) != NULL;
    int n = ib_snprintf(format, sizeof format, "%%%s%s%s",
                        d->plus    ? "+"
                        : d->space ? " "
                                   : "",
                        d->other ? "#" : "", real ? ".*" : "ll");
    if (v.kind != KIND_FLOAT && !ib_whole(v)) {
        if (v.kind == KIND_UNDEFINED)
            ib_not_defined(b->m, v);
        else
            ib_wrong(b->m, "%%%c of a %s", letter, ib_type_name(v));
        return;
    }
    format[n++] = letter == 'i' || letter == 'u' ? 'd' : letter;
    format[n] = 0;
    const double f = v.kind == KIND_FLOAT ? v.f : (double)v.i;
    if (d->precision > 100 || (!real && d->precision >= 0) ||
        (!real && v.kind == KIND_FLOAT && (letter != 'd' || fabs(f) >= 9.2e18)) ||
        (strchr("xXo", letter) && (v.i < 0 || d->other)) || (real && (isnan(f) || isinf(f)))) {
        ib_unsupported(b->m, "%%%c of such a number", letter);
        return;
    }
    n = real ? ib_snprintf(text, sizeof text, format, d->precision < 0 ? 6 : (int)d->precision, f)
             : ib_snprintf(text, sizeof text, format, v.kind == KIND_FLOAT ? (long long)f : (long long)v.i);
    pad(b, d, (ib_piece){text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0}, d->zero && !d->left);
}

static void put_directive(ib_build *b, const directive *d, char letter, ib_value v)
{
    ib_build text = {.m = b->m};
    if (letter == 's' || letter == 'r') {
        if (letter == 's')
            ib_print(&text, v);
        else
            ib_repr(&text, v);
    } else if (letter == 'c' && v.kind == KIND_TEXT && ib_characters(v.text) == 1) {
        ib_print(&text, v);
    } else if (letter == 'c' && ib_whole(v) && v.i > 0 && v.i < 0x110000 && (v.i < 0xD800 || v.i >= 0xE000)) {
        ib_put_character(&text, (uint32_t)v.i);
    } else if (letter && strchr("diuoxXeEfFgG", letter)) {
        put_number(b, d, letter, v);
        return;
    } else {
        ib_unsupported(b->m, "the format %%%c of a %s", letter >= ' ' && letter < 127 ? letter : '?', ib_type_name(v));
        return;
    }
    ib_value whole = ib_built(&text);
    if (d->precision >= 0)
        whole = ib_slice(b->m, whole, ib_int(0), ib_int(d->precision), ib_none());
    if (!b->m->status)
        pad(b, d, whole.text, 0);
}

/* A number of digits at *at; the next value for a *; -1: neither */
static int64_t measure(ib_machine *m, ib_piece f, size_t *at, const ib_list *values, size_t *next)
{
    int64_t n = -1;
    if (*at < f.n && f.s[*at] == '*') {
        ++*at;
        n = *next < values->n ? ib_number_argument(m, values->item[*next], 0, "a width") : 0;
        ++*next;
        return n;
    }
    for (; *at < f.n && f.s[*at] >= '0' && f.s[*at] <= '9' && n < 1000000; ++*at)
        n = 10 * (n < 0 ? 0 : n) + f.s[*at] - '0';
    return n;
}

ib_value ib_percent(ib_machine *m, ib_piece f, ib_value arguments)
{
    const ib_list one = {&arguments, 1, 1, A_TUPLE, 0};
    const ib_list *values = arguments.kind == KIND_LIST && arguments.list->flavor == A_TUPLE ? arguments.list : &one;
    ib_build b = {.m = m};
    size_t next = 0;
    int named = 0;
    for (size_t at = 0; at < f.n && !m->status;) {
        const char *percent = memchr(f.s + at, '%', f.n - at);
        const size_t end = percent ? (size_t)(percent - f.s) : f.n;
        ib_put(&b, f.s + at, end - at);
        at = end + 1;
        if (!percent)
            break;
        directive d = {.precision = -1};
        const ib_value *value = NULL;
        if (at < f.n && f.s[at] == '(') {
            const char *close = memchr(f.s + at, ')', f.n - at);
            if (!close || arguments.kind != KIND_DICT)
                return ib_wrong(m, "a format with names needs a dictionary");
            value = ib_dict_find(m, arguments, ib_text_of(f.s + at + 1, (size_t)(close - f.s) - at - 1));
            if (!value)
                return ib_wrong(m, "a format's name is not in its dictionary");
            at = (size_t)(close - f.s) + 1;
            named = 1;
        }
        for (; at < f.n && f.s[at] && strchr("-+ 0#", f.s[at]); at++)
            *(f.s[at] == '-'   ? &d.left
              : f.s[at] == '+' ? &d.plus
              : f.s[at] == ' ' ? &d.space
              : f.s[at] == '0' ? &d.zero
                               : &d.other) = 1;
        d.width = measure(m, f, &at, values, &next);
        if (d.width < -1) {
            d.left = 1;
            d.width = -d.width;
        }
        if (at < f.n && f.s[at] == '.') {
            at++;
            d.precision = measure(m, f, &at, values, &next);
            d.precision = d.precision < 0 ? 0 : d.precision;
        }
        while (at < f.n && (f.s[at] == 'h' || f.s[at] == 'l' || f.s[at] == 'L'))
            at++;
        if (at >= f.n)
            return ib_wrong(m, "a format ends within a %%");
        const char letter = f.s[at++];
        if (letter == '%') {
            ib_put(&b, "%", 1);
            continue;
        }
        if (!value && next >= values->n)
            return ib_wrong(m, "a format wants more than %zu values", values->n);
        put_directive(&b, &d, letter, value ? *value : values->item[next]);
        next += !value;
    }
    if (!m->status && !named && next < values->n && (values != &one || arguments.kind != KIND_DICT))
        return values == &one && arguments.kind == KIND_LIST && arguments.list->flavor <= A_RANGE
                   ? ib_built(&b)
                   : ib_wrong(m, "a format takes %zu of %zu values", next, values->n);
    return ib_built(&b);
}

/* {}, {0}, {name}, {name.part}, {name[0]}, with !r or !s; a format behind a colon is refused. */
static ib_value field(ib_machine *m, ib_piece name, size_t *next, int *numbered, ib_arguments all)
{
    size_t n = 0;
    while (n < name.n && name.s[n] != '.' && name.s[n] != '[')
        n++;
    size_t digits = 0;
    int64_t at = 0;
    while (digits < n && digits < 9 && name.s[digits] >= '0' && name.s[digits] <= '9')
        at = 10 * at + name.s[digits++] - '0';
    const ib_value *v = NULL;
    if (digits == n) {
        if (*numbered >= 0 && *numbered != (n > 0))
            return ib_wrong(m, "format: {} and {0} in one text");
        *numbered = n > 0;
        at = n ? at : (int64_t)(*next)++;
        v = at < (int64_t)all.positional.list->n ? &all.positional.list->item[at] : NULL;
    } else {
        v = ib_dict_find(m, all.named, ib_text_of(name.s, n));
    }
    if (!v)
        return ib_wrong(m, "format: no value for {%.*s}", name.n < 60 ? (int)name.n : 60, name.s);
    return n == name.n
               ? *v
               : ib_unsupported(m, "format: parts of values, as in {%.*s}", name.n < 60 ? (int)name.n : 60, name.s);
}

FUNCTION(ib_text_format)
{
    const ib_piece f = self.text;
    ib_build b = {.m = m};
    size_t next = 0;
    int numbered = -1; /* whether fields have numbers: not known yet */
    if (self.markup)
        return ib_unsupported(m, "format of a text that |safe or |escape marked");
    for (size_t at = 0; at < f.n && !m->status; at++) {
        const char c = f.s[at];
        if ((c == '{' || c == '}') && at + 1 < f.n && f.s[at + 1] == c) {
            ib_put(&b, f.s + at++, 1);
            continue;
        }
        if (c != '{') {
            if (c == '}')
                return ib_wrong(m, "format: a single }");
            ib_put(&b, f.s + at, 1);
            continue;
        }
        const char *close = memchr(f.s + at, '}', f.n - at);
        if (!close)
            return ib_wrong(m, "format: a single {");
        ib_piece name = {f.s + at + 1, (size_t)(close - f.s) - at - 1};
        if (memchr(name.s, ':', name.n) || memchr(name.s, '{', name.n))
            return ib_unsupported(m, "format: {%.*s}, a format behind a colon", name.n < 60 ? (int)name.n : 60, name.s);
        const int as_repr = name.n >= 2 && !memcmp(name.s + name.n - 2, "!r", 2),
                  as_text = name.n >= 2 && !memcmp(name.s + name.n - 2, "!s", 2);
        name.n -= as_repr || as_text ? 2 : 0;
        const ib_value v = field(m, name, &next, &numbered, all);
        if (as_repr)
            ib_repr(&b, v);
        else
            ib_print(&b, v);
        at = (size_t)(close - f.s);
    }
    return ib_built(&b);
}
