/* fields.c - see fields.h */
#include "lm/load/fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"

/* A value of either kind of file. */
typedef struct value {
    enum { NOTHING, INTEGER, REAL, FLAG, TEXT, OTHER } type;
    double number;
    const char *string; /* TEXT in JSON */
    const void *node;
    char text[80]; /* as JSON, for messages and comparison */
} value;

const char *ib_field_kind_name(ib_field_kind kind)
{
    return kind < IB_FIELD_ONLY ? "read" : kind == IB_FIELD_ONLY ? "only" : kind == IB_FIELD_FREE ? "free" : "refused";
}

static int names(const ib_field *f, const char *key)
{
    const size_t n = strlen(f->key);
    return f->key[n - 1] == '*' ? !strncmp(f->key, key, n - 1) : !strcmp(f->key, key);
}

/* The row for a key: one of this architecture, else another's. */
static const ib_field *row_of(const ib_field_table *t, unsigned archs, const char *key)
{
    const ib_field *other = NULL;
    for (int i = 0; i < t->n; i++)
        if (names(&t->field[i], key)) {
            if (t->field[i].archs & archs)
                return &t->field[i];
            other = &t->field[i];
        }
    return other;
}

/* Whether the value is one of those joined by |; numbers by what they are, not how they are written. */
static int one_of(const char *list, const value *v)
{
    for (const char *p = list; *p;) {
        const size_t n = strcspn(p, "|");
        char *end;
        const double x = ib_strtod(p, &end);
        if ((n == strlen(v->text) && !memcmp(p, v->text, n)) ||
            ((v->type == INTEGER || v->type == REAL) && end == p + n && x == v->number))
            return 1;
        p += n + (p[n] == '|');
    }
    return 0;
}

static ib_status expected(const char *file, const char *name, const value *v, const char *what)
{
    return ib_fail(IB_EFORMAT, "%s: '%s' is %s, %s is expected", file, name, v->text, what);
}

static ib_status take(const ib_field *f, unsigned archs, const char *file, const char *name, const value *v, void *into)
{
    void *to = (char *)into + f->at;
    if (!(f->archs & archs))
        return v->type == NOTHING
                   ? IB_OK
                   : ib_fail(IB_EUNSUPPORTED,
                             "%s: '%s' is %s, but models of this architecture have no such field: remove it", file,
                             name, v->text);
    switch (f->kind) {
    case IB_FIELD_FREE: return IB_OK;
    case IB_FIELD_REFUSED:
        return v->type == NOTHING ? IB_OK : ib_fail(IB_EUNSUPPORTED, "%s: '%s' is %s: %s", file, name, v->text, f->why);
    case IB_FIELD_ONLY:
        return one_of(f->only, v) ? IB_OK
                                  : ib_fail(IB_EUNSUPPORTED, "%s: '%s' is %s, supported is %s: %s", file, name, v->text,
                                            f->only, f->why);
    case IB_FIELD_NODE: *(const void **)to = v->node; return IB_OK;
    default: break;
    }
    if (v->type == NOTHING) {
        if (f->kind == IB_FIELD_INT0)
            *(int *)to = 0;
        if (f->kind == IB_FIELD_REAL0)
            *(double *)to = 0;
        return IB_OK;
    }
    const int number = v->type == INTEGER || v->type == REAL;
    switch (f->kind) {
    case IB_FIELD_INT:
    case IB_FIELD_INT0:
        if (!number || v->number != floor(v->number) || fabs(v->number) > 2147483647.0)
            return expected(file, name, v, "an integer");
        *(int *)to = (int)v->number;
        return IB_OK;
    case IB_FIELD_REAL:
    case IB_FIELD_REAL0:
        if (!number || !isfinite(v->number))
            return expected(file, name, v, "a number");
        *(double *)to = v->number;
        return IB_OK;
    case IB_FIELD_FLAG:
        if (v->type != FLAG)
            return expected(file, name, v, "true or false");
        *(int *)to = v->number != 0;
        return IB_OK;
    default:
        if (v->type != TEXT)
            return expected(file, name, v, "text");
        *(const char **)to = v->string;
        return IB_OK;
    }
}

static void cut(char *text, size_t size, const char *from)
{
    if (ib_snprintf(text, size, "%s", from) >= (int)size)
        memcpy(text + size - 4, "...", 4);
    for (char *p = text; *p; p++) /* one line */
        *p = *p == '\n' || *p == '\r' ? ' ' : *p;
}

static value of_json(struct json_object *o)
{
    value v = {.node = o};
    switch (json_object_get_type(o)) {
    case json_type_null: v.type = NOTHING; break;
    case json_type_boolean:
        v.type = FLAG;
        v.number = json_object_get_boolean(o);
        break;
    case json_type_int:
        v.type = INTEGER;
        v.number = json_object_get_double(o);
        break;
    case json_type_double:
        v.type = REAL;
        v.number = json_object_get_double(o);
        break;
    case json_type_string:
        v.type = TEXT;
        v.string = json_object_get_string(o);
        break;
    default: v.type = OTHER;
    }
    cut(v.text, sizeof v.text,
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    return v;
}

ib_status ib_fields_json(const ib_field_table *t, unsigned archs, const char *file, const char *prefix,
                         struct json_object *o, void *into)
{
    ib_status status = IB_OK;
    if (!json_object_is_type(o, json_type_object)) {
        const value v = of_json(o);
        return ib_fail(IB_EFORMAT, "%s: %.*s is %s, an object is expected", file, *prefix ? (int)strlen(prefix) - 1 : 3,
                       *prefix ? prefix : "it", v.text);
    }
    json_object_object_foreach(o, name, member)
    {
        char key[256];
        ib_snprintf(key, sizeof key, "%s%s", prefix, name);
        const ib_field *f = row_of(t, archs, key);
        const value v = of_json(member);
        if (f)
            status = take(f, archs, file, key, &v, into);
        else if (v.type != NOTHING) /* null says nothing */
            status = ib_fail(
                IB_EUNSUPPORTED,
                "%s: '%s' is %s: an unknown field, which may change what the model computes; remove it if it does not",
                file, key, v.text);
        if (status)
            break;
    }
    return status;
}

static value of_gguf(const ib_gguf_kv *kv)
{
    value v = {.node = kv, .type = OTHER};
    char text[100] = "", *to = text;
    size_t at = 0, n = 0;
    const char *s = kv->of == IB_GGUF_STRING ? ib_gguf_next_string(kv, &at, &n) : NULL;
    if (kv->type == IB_GGUF_ARRAY)
        to += ib_snprintf(text, 40, "a list of %lld: ", (long long)kv->n);
    const int real = kv->of == IB_GGUF_F32 || kv->of == IB_GGUF_F64;
    if (kv->of == IB_GGUF_STRING) {
        ib_snprintf(to, 50, "\"%.*s\"", (int)(n < 40 ? n : 40), s ? s : "");
    } else if (kv->n > 0) {
        v.number = ib_gguf_element(kv, 0);
        if (kv->of == IB_GGUF_BOOL)
            strcpy(to, v.number != 0 ? "true" : "false");
        else
            ib_snprintf(to, 40, "%.9g", v.number);
    }
    if (kv->type != IB_GGUF_ARRAY)
        v.type = kv->of == IB_GGUF_STRING ? TEXT : kv->of == IB_GGUF_BOOL ? FLAG : real ? REAL : INTEGER;
    cut(v.text, sizeof v.text, text);
    return v;
}

/* A list by layer, all of whose numbers are one, is that number. */
static void same_in_all_layers(value *v, const ib_gguf_kv *kv)
{
    if (kv->type != IB_GGUF_ARRAY || kv->of == IB_GGUF_STRING || kv->of == IB_GGUF_BOOL || kv->n < 1)
        return;
    for (int64_t i = 1; i < kv->n; i++)
        if (ib_gguf_element(kv, i) != v->number)
            return;
    v->type = INTEGER;
}

ib_status ib_fields_gguf(const ib_field_table *t, unsigned archs, const char *arch, const ib_gguf *f, void *into)
{
    const size_t n = strlen(arch);
    ib_status status = IB_OK;
    for (int64_t i = 0; i < f->n_kv && !status; i++) {
        const ib_gguf_kv *kv = &f->kv[i];
        char key[256];
        const int own = !strncmp(kv->key, arch, n) && kv->key[n] == '.';
        ib_snprintf(key, sizeof key, "%s%s", own ? "{arch}" : "", own ? kv->key + n : kv->key);
        const ib_field *row = row_of(t, archs, key);
        value v = of_gguf(kv);
        if (row && (row->kind == IB_FIELD_INT || row->kind == IB_FIELD_REAL))
            same_in_all_layers(&v, kv);
        if (ib_gguf_find(f, kv->key) != kv)
            status = ib_fail(IB_EFORMAT, "key '%s' stands twice", kv->key);
        else if (row)
            status = take(row, archs, "metadata", kv->key, &v, into);
        else
            status = ib_fail(IB_EUNSUPPORTED,
                             "metadata: '%s' is %s: an unknown key, which may change what the model computes", kv->key,
                             v.text);
    }
    return status;
}
