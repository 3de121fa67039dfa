/* template_print.c - values as text: Python's str() and repr(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/template/syntax/template_nodes.h"
#include "base/number.h"

void ib_put_int(ib_build *b, int64_t i)
{
    char text[32];
    ib_put(b, text, (size_t)ib_snprintf(text, sizeof text, "%lld", (long long)i));
}

/* The shortest digits that give f again; a power of ten below 1e-4 and from 1e16 on. */
void ib_put_float(ib_build *b, double f)
{
    char text[40], digits[24];
    if (isnan(f) || isinf(f)) {
        ib_put_text(b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    int precision = 0;
    do
        ib_snprintf(text, sizeof text, "%.*e", precision, f);
    while (ib_strtod(text, NULL) != f && ++precision < 17);
    const int power = atoi(strchr(text, 'e') + 1);
    int n = 0;
    for (const char *s = text; *s != 'e'; s++)
        if (*s >= '0' && *s <= '9')
            digits[n++] = *s;
    if (*text == '-')
        ib_put_text(b, "-");
    if (power < -4 || power >= 16) {
        ib_put(b, digits, 1);
        if (n > 1) {
            ib_put_text(b, ".");
            ib_put(b, digits + 1, (size_t)n - 1);
        }
        ib_snprintf(text, sizeof text, "e%c%02d", power < 0 ? '-' : '+', abs(power));
        ib_put_text(b, text);
        return;
    }
    if (power < 0) {
        ib_put(b, "0.000", (size_t)(1 - power));
        ib_put(b, digits, (size_t)n);
        return;
    }
    for (int i = 0; i <= power || i < n; i++) {
        if (i == power + 1)
            ib_put_text(b, ".");
        ib_put(b, i < n ? &digits[i] : "0", 1);
    }
    if (n <= power + 1)
        ib_put_text(b, ".0");
}

/* Characters that repr() shows as they are: all but those of categories C and Z, and the space. */
static int is_printable(uint32_t u)
{
    const utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)u);
    return u == ' ' || (c != UTF8PROC_CATEGORY_CN && c != UTF8PROC_CATEGORY_CC && c != UTF8PROC_CATEGORY_CF &&
                        c != UTF8PROC_CATEGORY_CS && c != UTF8PROC_CATEGORY_CO && c != UTF8PROC_CATEGORY_ZS &&
                        c != UTF8PROC_CATEGORY_ZL && c != UTF8PROC_CATEGORY_ZP);
}

static void quote(ib_build *b, ib_piece t)
{
    const char q = memchr(t.s, '\'', t.n) && !memchr(t.s, '"', t.n) ? '"' : '\'';
    ib_put(b, &q, 1);
    for (size_t at = 0, k; at < t.n && !b->m->status; at += k) {
        char code[16];
        uint32_t u;
        k = ib_character(t.s + at, t.n - at, &u);
        if (u == (uint32_t)q || u == '\\')
            ib_put_text(b, "\\");
        if (u == '\n' || u == '\r' || u == '\t')
            ib_put_text(b, u == '\n' ? "\\n" : u == '\r' ? "\\r" : "\\t");
        else if (is_printable(u))
            ib_put(b, t.s + at, k);
        else
            ib_put(b, code,
                   (size_t)ib_snprintf(code, sizeof code,
                                       u < 0x100     ? "\\x%02x"
                                       : u < 0x10000 ? "\\u%04x"
                                                     : "\\U%08x",
                                       u));
    }
    ib_put(b, &q, 1);
}

static void put_items(ib_build *b, const ib_list *l)
{
    static const char *const open[] = {"[", "(", "range(", "[", ""}, *const close[] = {"]", ")", ")", "]", ""};
    ib_put_text(b, open[l->flavor]);
    if (l->flavor == A_RANGE) { /* as it was asked for: ib_range keeps that behind its numbers */
        const ib_value *asked = l->item + l->n;
        ib_put_int(b, asked[0].i);
        ib_put_text(b, ", ");
        ib_put_int(b, asked[1].i);
        if (asked[2].i != 1) {
            ib_put_text(b, ", ");
            ib_put_int(b, asked[2].i);
        }
    }
    for (size_t i = 0; i < l->n && l->flavor != A_RANGE && !b->m->status; i++) {
        if (i)
            ib_put_text(b, ", ");
        ib_repr(b, l->item[i]);
    }
    if (l->flavor == A_TUPLE && l->n == 1)
        ib_put_text(b, ",");
    ib_put_text(b, close[l->flavor]);
}

static void put_entries(ib_build *b, const ib_dict *d)
{
    ib_put_text(b, "{");
    for (size_t i = 0; i < d->n && !b->m->status; i++) {
        if (i)
            ib_put_text(b, ", ");
        ib_repr(b, d->entry[i].key);
        ib_put_text(b, ": ");
        ib_repr(b, d->entry[i].value);
    }
    ib_put_text(b, "}");
}

void ib_repr(ib_build *b, ib_value v)
{
    ib_machine *m = b->m;
    if (!ib_deeper(m)) {
        m->depth--;
        return;
    }
    switch (v.kind) {
    case KIND_ABSENT: break;
    case KIND_UNDEFINED: ib_put_text(b, "Undefined"); break;
    case KIND_NONE: ib_put_text(b, "None"); break;
    case KIND_BOOL: ib_put_text(b, v.i ? "True" : "False"); break;
    case KIND_INT: ib_put_int(b, v.i); break;
    case KIND_FLOAT: ib_put_float(b, v.f); break;
    case KIND_TEXT: quote(b, v.text); break;
    case KIND_DICT: put_entries(b, v.dict); break;
    case KIND_LIST:
        if (v.list->flavor == A_VIEW || v.list->flavor == AN_ITERATOR)
            ib_unsupported(m, "printing a %s: |list makes a list of it", ib_type_name(v));
        else
            put_items(b, v.list);
        break;
    default: ib_unsupported(m, "printing a %s", ib_type_name(v));
    }
    m->depth--;
}

void ib_print(ib_build *b, ib_value v)
{
    if (b->m->strict && v.kind == KIND_NONE)
        ib_wrong(b->m, "a null would become the text None; {%% if %%} may ask for it");
    else if (v.kind == KIND_TEXT)
        ib_put(b, v.text.s, v.text.n);
    else if (v.kind != KIND_UNDEFINED)
        ib_repr(b, v);
}

ib_value ib_str(ib_machine *m, ib_value v)
{
    ib_build b = {.m = m};
    if (v.kind == KIND_TEXT)
        return v;
    ib_print(&b, v);
    return ib_built(&b);
}
