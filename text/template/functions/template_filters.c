/* template_filters.c - filters of single values. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/template/functions/template_functions.h"
#include "base/number.h"

int64_t ib_number_argument(ib_machine *m, ib_value v, int64_t otherwise, const char *what)
{
    if (!ib_given(v))
        return otherwise;
    if (!ib_whole(v)) {
        ib_wrong(m, "%s is a %s, not a whole number", what, ib_type_name(v));
        return otherwise;
    }
    return v.i;
}

ib_piece ib_text_argument(ib_machine *m, ib_value v, const char *what)
{
    if (v.kind == KIND_TEXT)
        return v.text;
    if (v.kind == KIND_UNDEFINED)
        ib_not_defined(m, v);
    else
        ib_wrong(m, "%s is a %s, not a text", what, ib_type_name(v));
    return (ib_piece){"", 0};
}

static ib_value same_markup(ib_value v, ib_value self)
{
    v.markup = v.kind == KIND_TEXT && self.kind == KIND_TEXT && self.markup;
    return v;
}

static ib_value recased(ib_machine *m, ib_value self, ib_casing casing)
{
    return same_markup(ib_recase(m, ib_str(m, self).text, casing), self);
}
FUNCTION(ib_filter_upper)
{
    return recased(m, self, UPPER);
}
FUNCTION(ib_filter_lower)
{
    return recased(m, self, LOWER);
}
FUNCTION(ib_filter_capitalize)
{
    return recased(m, self, CAPITAL);
}
FUNCTION(ib_filter_title)
{
    return recased(m, self, WORDS);
}

FUNCTION(ib_filter_trim)
{
    const ib_piece t = ib_str(m, self).text;
    const int all_space = !ib_given(a[0]) || a[0].kind == KIND_NONE;
    const ib_piece chars = all_space ? t : ib_text_argument(m, a[0], "trim: chars");
    const ib_piece left = ib_strip(t, all_space ? NULL : &chars, 1, 1);
    return same_markup(ib_text_of(left.s, left.n), self);
}

FUNCTION(ib_filter_string)
{
    return ib_str(m, self);
}

FUNCTION(ib_filter_safe)
{
    ib_value v = ib_str(m, self);
    v.markup = 1;
    return v;
}

FUNCTION(ib_filter_escape)
{
    ib_build b = {.m = m};
    if (self.kind == KIND_TEXT && self.markup)
        return self;
    ib_put_escaped(&b, ib_str(m, self).text);
    ib_value v = ib_built(&b);
    v.markup = 1;
    return v;
}

FUNCTION(ib_filter_replace)
{
    const int64_t most = a[2].kind == KIND_NONE ? -1 : ib_number_argument(m, a[2], -1, "replace: count");
    return ib_replace_text(m, ib_str(m, self).text, ib_str(m, a[0]).text, ib_str(m, a[1]).text, most);
}

FUNCTION(ib_filter_default)
{
    if (self.kind == KIND_UNDEFINED || (ib_given(a[1]) && ib_truth(a[1]) && !ib_truth(self)))
        return ib_given(a[0]) ? a[0] : ib_text_of("", 0);
    return self;
}

FUNCTION(ib_filter_abs)
{
    if (self.kind == KIND_FLOAT)
        return ib_float(fabs(self.f));
    return ib_whole(self)                ? ib_negative(m, self, self.i < 0)
           : self.kind == KIND_UNDEFINED ? ib_not_defined(m, self)
                                         : ib_wrong(m, "abs of a %s", ib_type_name(self));
}

/* A number as Python writes it: digits that single underscores may part, white space around. 0: it is none. */
static int plain_number(ib_piece t, char *out, size_t room)
{
    size_t n = 0;
    t = ib_strip(t, NULL, 1, 1);
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '_' && i && i + 1 < t.n && isalnum((unsigned char)t.s[i - 1]) &&
            isalnum((unsigned char)t.s[i + 1]))
            continue;
        if (n + 1 == room || (unsigned char)t.s[i] >= 0x80 || isspace((unsigned char)t.s[i]) || !t.s[i])
            return 0;
        out[n++] = t.s[i];
    }
    out[n] = 0;
    return n > 0;
}

static int read_real(ib_piece t, double *f)
{
    char text[400], *end;
    if (!plain_number(t, text, sizeof text) || strpbrk(text, "xX(pP"))
        return 0;
    *f = ib_strtod(text, &end);
    return !*end;
}

FUNCTION(ib_filter_float)
{
    double f;
    if (self.kind == KIND_UNDEFINED)
        return ib_not_defined(m, self);
    if (self.kind == KIND_FLOAT || ib_whole(self))
        return ib_float(self.kind == KIND_FLOAT ? self.f : (double)self.i);
    if (self.kind == KIND_TEXT && read_real(self.text, &f))
        return ib_float(f);
    return ib_given(a[0]) ? a[0] : ib_float(0);
}

static ib_value truncated(ib_machine *m, double f, ib_value otherwise)
{
    if (isnan(f) || isinf(f))
        return otherwise;
    return fabs(f) < 9.2e18 ? ib_int((int64_t)f) : ib_unsupported(m, "a whole number beyond 64 bits");
}

FUNCTION(ib_filter_int)
{
    const ib_value otherwise = ib_given(a[0]) ? a[0] : ib_int(0);
    const int64_t base = ib_number_argument(m, a[1], 10, "int: base");
    char text[400], *end = text;
    double f;
    if (self.kind == KIND_UNDEFINED)
        return ib_not_defined(m, self);
    if (ib_whole(self))
        return ib_int(self.i);
    if (self.kind == KIND_FLOAT)
        return truncated(m, self.f, otherwise);
    if (self.kind != KIND_TEXT)
        return otherwise;
    if (base != 10)
        return ib_unsupported(m, "int with a base other than 10");
    if (plain_number(self.text, text, sizeof text) && strspn(text, "+-0123456789") == strlen(text)) {
        const long long whole = strtoll(text, &end, 10);
        if (!*end && end > text)
            return whole == INT64_MAX || whole == INT64_MIN ? ib_unsupported(m, "a whole number beyond 64 bits")
                                                            : ib_int(whole);
    }
    return read_real(self.text, &f) ? truncated(m, f, otherwise) : otherwise;
}

FUNCTION(ib_filter_round)
{
    const int64_t precision = ib_number_argument(m, a[0], 0, "round: precision");
    const ib_piece method = ib_given(a[1]) ? ib_text_argument(m, a[1], "round: method") : (ib_piece){"common", 6};
    const int up = ib_same(method, (ib_piece){"ceil", 4}), down = ib_same(method, (ib_piece){"floor", 5});
    char text[400];
    if (self.kind != KIND_FLOAT && !ib_whole(self))
        return self.kind == KIND_UNDEFINED ? ib_not_defined(m, self) : ib_wrong(m, "round of a %s", ib_type_name(self));
    if (precision < 0 || precision > 20)
        return ib_unsupported(m, "round to %lld places", (long long)precision);
    if (!up && !down && !ib_same(method, (ib_piece){"common", 6}))
        return ib_wrong(m, "round: method is common, ceil or floor");
    if (up || down) {
        const double by = pow(10, (double)precision), f = (self.kind == KIND_FLOAT ? self.f : (double)self.i) * by;
        return precision || fabs(f) < 9e18 ? ib_float((up ? ceil(f) : floor(f)) / by)
                                           : ib_unsupported(m, "round of so large a number");
    }
    if (ib_whole(self))
        return ib_int(self.i);
    ib_snprintf(text, sizeof text, "%.*f", (int)precision, self.f); /* exact: half goes to even */
    return ib_float(ib_strtod(text, NULL));
}

FUNCTION(ib_filter_indent)
{
    const ib_piece t = ib_text_argument(m, self, "indent of what");
    ib_build b = {.m = m}, line = {.m = m}, whole = {.m = m};
    const int first = ib_given(a[1]) && ib_truth(a[1]), blank = ib_given(a[2]) && ib_truth(a[2]);
    if (a[0].kind == KIND_TEXT)
        ib_print(&line, a[0]);
    else
        for (int64_t i = ib_number_argument(m, a[0], 4, "indent: width"); i > 0 && ib_step(m, 0); i--)
            ib_put(&line, " ", 1);
    const ib_value width = ib_built(&line);
    ib_put(&whole, t.s, t.n);
    ib_put(&whole, "\n", 1); /* as Jinja does: a line's end at the end opens no line */
    const ib_value lines = ib_split_lines(m, ib_built(&whole).text);
    for (size_t i = 0; !m->status && i < lines.list->n; i++) {
        if (i)
            ib_put(&b, "\n", 1);
        if (i ? blank || lines.list->item[i].text.n : first)
            ib_print(&b, width);
        ib_print(&b, lines.list->item[i]);
    }
    return same_markup(ib_built(&b), self);
}

FUNCTION(ib_filter_tojson)
{
    ib_build b = {.m = m}, indent = {.m = m};
    ib_json_style style = {.ascii = ib_given(a[0]) && ib_truth(a[0]), .sort = ib_given(a[3]) && ib_truth(a[3])};
    style.indented = ib_given(a[1]) && a[1].kind != KIND_NONE;
    if (style.indented && a[1].kind == KIND_TEXT)
        ib_print(&indent, a[1]);
    else if (style.indented)
        for (int64_t i = ib_number_argument(m, a[1], 0, "tojson: indent"); i > 0 && ib_step(m, 0); i--)
            ib_put(&indent, " ", 1);
    style.indent = ib_built(&indent).text;
    style.comma = style.indented ? (ib_piece){",", 1} : (ib_piece){", ", 2};
    style.colon = (ib_piece){": ", 2};
    if (ib_given(a[2]) && a[2].kind != KIND_NONE) {
        const ib_list *two = ib_items_of(m, a[2]);
        if (!two || two->n != 2)
            return ib_wrong(m, "tojson: separators are two texts");
        style.comma = ib_text_argument(m, two->item[0], "tojson: a separator");
        style.colon = ib_text_argument(m, two->item[1], "tojson: a separator");
    }
    ib_put_json(&b, &style, self, 0);
    return ib_built(&b);
}

FUNCTION(ib_filter_format)
{
    if (all.positional.list->n && all.named.dict->n)
        return ib_wrong(m, "format: arguments with names and without");
    return ib_percent(m, ib_str(m, self).text, all.named.dict->n ? all.named : all.positional);
}
