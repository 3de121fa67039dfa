/* template_json.c - values of JSON, and values as JSON as Python's json.dumps writes it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/template/syntax/template_nodes.h"
#include "base/number.h"

static ib_value list_of(ib_machine *m, struct json_object *o)
{
    const ib_value list = ib_list_new(m, A_LIST);
    for (size_t i = 0; i < json_object_array_length(o) && !m->status; i++)
        ib_append(m, list, ib_value_of_json(m, json_object_array_get_idx(o, i)));
    return list;
}

static ib_value dict_of(ib_machine *m, struct json_object *o)
{
    const ib_value dict = ib_dict_new(m);
    json_object_object_foreach(o, name, value)
    {
        const size_t n = strlen(name);
        char *copy = ib_take(m, n + 1);
        if (!copy)
            break;
        memcpy(copy, name, n);
        ib_dict_set(m, dict, ib_text_of(copy, n), ib_value_of_json(m, value));
    }
    return dict;
}

ib_value ib_value_of_json(ib_machine *m, struct json_object *o)
{
    ib_value v = ib_none();
    if (!ib_deeper(m)) {
        m->depth--;
        return v;
    }
    switch (json_object_get_type(o)) {
    case json_type_null: break;
    case json_type_boolean: v = ib_bool(json_object_get_boolean(o)); break;
    case json_type_double: v = ib_float(json_object_get_double(o)); break;
    case json_type_int: /* json-c keeps larger ones at its ends */
        v = ib_int(json_object_get_int64(o));
        if (v.i == INT64_MAX || v.i == INT64_MIN)
            v = ib_unsupported(m, "a whole number of more than 63 bits among the variables");
        break;
    case json_type_string: {
        const size_t n = (size_t)json_object_get_string_len(o);
        char *copy = ib_take(m, n + 1);
        if (copy)
            v = ib_text_of(memcpy(copy, json_object_get_string(o), n), n);
        break;
    }
    case json_type_array: v = list_of(m, o); break;
    case json_type_object: v = dict_of(m, o); break;
    }
    m->depth--;
    return v;
}

static void put_string(ib_build *b, ib_piece t, int ascii)
{
    ib_put_text(b, "\"");
    size_t from = 0, at = 0;
    for (size_t k; at < t.n && !b->m->status; at += k) {
        static const char plain[] = "\"\\\n\r\t\b\f", named[] = "\"\\nrtbf";
        char code[16];
        uint32_t u;
        k = ib_character(t.s + at, t.n - at, &u);
        const char *known = u && u < 0x80 ? strchr(plain, (int)u) : NULL;
        if (!known && u >= 0x20 && (!ascii || u < 0x7F))
            continue;
        ib_put(b, t.s + from, at - from);
        from = at + k;
        int n;
        if (known)
            n = ib_snprintf(code, sizeof code, "\\%c", named[known - plain]);
        else if (u < 0x10000)
            n = ib_snprintf(code, sizeof code, "\\u%04x", u);
        else
            n = ib_snprintf(code, sizeof code, "\\u%04x\\u%04x", 0xD800 + ((u - 0x10000) >> 10), 0xDC00 + (u & 0x3FF));
        ib_put(b, code, (size_t)n);
    }
    ib_put(b, t.s + from, at - from);
    ib_put_text(b, "\"");
}

static void new_line(ib_build *b, const ib_json_style *style, int level)
{
    if (style->indented)
        ib_put_text(b, "\n");
    for (int i = 0; i < level && style->indented; i++)
        ib_put(b, style->indent.s, style->indent.n);
}

static void put_float(ib_build *b, double f)
{
    if (isnan(f) || isinf(f))
        ib_put_text(b, isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity");
    else
        ib_put_float(b, f);
}

static void put_key(ib_build *b, const ib_json_style *style, ib_value key)
{
    if (key.kind == KIND_TEXT) {
        put_string(b, key.text, style->ascii);
    } else if (key.kind == KIND_LIST || key.kind > KIND_TEXT) {
        ib_wrong(b->m, "a %s as a key of JSON", ib_type_name(key));
    } else {
        ib_put_text(b, "\"");
        ib_put_json(b, style, key, 0);
        ib_put_text(b, "\"");
    }
}

static void put_entries(ib_build *b, const ib_json_style *style, const ib_dict *d, int level)
{
    ib_machine *m = b->m;
    ib_entry *entry = ib_take(m, (d->n + 1) * sizeof *entry);
    for (size_t i = 0; entry && i < d->n; i++) { /* in order, sorted by insertion if that is asked for */
        size_t at = i;
        for (; at && style->sort && ib_step(m, 0) && ib_order(m, entry[at - 1].key, d->entry[i].key) > 0; at--)
            entry[at] = entry[at - 1];
        entry[at] = d->entry[i];
    }
    ib_put_text(b, "{");
    for (size_t i = 0; entry && i < d->n && !m->status; i++) {
        if (i)
            ib_put(b, style->comma.s, style->comma.n);
        new_line(b, style, level + 1);
        put_key(b, style, entry[i].key);
        ib_put(b, style->colon.s, style->colon.n);
        ib_put_json(b, style, entry[i].value, level + 1);
    }
    if (d->n)
        new_line(b, style, level);
    ib_put_text(b, "}");
}

void ib_put_json(ib_build *b, const ib_json_style *style, ib_value v, int level)
{
    ib_machine *m = b->m;
    if (!ib_deeper(m)) {
        m->depth--;
        return;
    }
    if (v.kind == KIND_NONE) {
        ib_put_text(b, "null");
    } else if (v.kind == KIND_BOOL) {
        ib_put_text(b, v.i ? "true" : "false");
    } else if (v.kind == KIND_INT) {
        ib_put_int(b, v.i);
    } else if (v.kind == KIND_FLOAT) {
        put_float(b, v.f);
    } else if (v.kind == KIND_TEXT) {
        put_string(b, v.text, style->ascii);
    } else if (v.kind == KIND_DICT) {
        put_entries(b, style, v.dict, level);
    } else if (v.kind == KIND_LIST && v.list->flavor <= A_TUPLE) {
        ib_put_text(b, "[");
        for (size_t i = 0; i < v.list->n && !m->status; i++) {
            if (i)
                ib_put(b, style->comma.s, style->comma.n);
            new_line(b, style, level + 1);
            ib_put_json(b, style, v.list->item[i], level + 1);
        }
        if (v.list->n)
            new_line(b, style, level);
        ib_put_text(b, "]");
    } else if (v.kind == KIND_UNDEFINED) {
        ib_not_defined(m, v);
    } else {
        ib_wrong(m, "a %s cannot be written as JSON", ib_type_name(v));
    }
    m->depth--;
}
