/* schema_json.c - a schema as JSON and back:
 *   {"task": "classification", "label": "species", "label_at": 4, "headerless": false, "fill_missing": false,
 *    "split_seed": "1", "test_share": 0.2,
 *    "columns": [{"name": "length", "mean": 5.8, "std": 0.8}, {"name": "colour", "names": ["blue", "red"], "usual":
 * 0}], "classes": ["setosa", "versicolor"], "targets": [{"name": ..., "mean": ..., "std": ...}]} */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <isobit/schema.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "files/json_scan.h"
#include "files/safetensors.h"

static const char *const tasks[] = {"classification", "regression"};

/* ---- writing ---- */

/* Nine digits keep an fp32, seventeen a double. */
static struct json_object *number(double v, int digits)
{
    char text[40];
    ib_snprintf(text, sizeof text, "%.*g", digits, v);
    return json_object_new_double_s(v, text);
}

static struct json_object *texts(int n, const char *const *names)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < n; i++)
        json_object_array_add(list, json_object_new_string(names[i]));
    return list;
}

static struct json_object *scaled(const char *name, float mean, float std)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "name", json_object_new_string(name));
    json_object_object_add(o, "mean", number(mean, 9));
    json_object_object_add(o, "std", number(std, 9));
    return o;
}

static struct json_object *category(const ib_column *c)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "name", json_object_new_string(c->name));
    json_object_object_add(o, "names", texts(c->n_names, c->names));
    json_object_object_add(o, "usual", json_object_new_int(c->usual));
    return o;
}

char *ib_schema_text(const ib_schema *s)
{
    IB_NEED_OR(s, NULL);
    const ib_schema_opts *o = ib_schema_of(s);
    struct json_object *j = json_object_new_object();
    struct json_object *columns = json_object_new_array(), *targets = json_object_new_array();
    char seed[24];
    ib_snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->split_seed); /* more than a double holds */
    for (int i = 0; i < o->n_columns; i++) {
        const ib_column *c = &o->columns[i];
        json_object_array_add(columns, c->n_names ? category(c) : scaled(c->name, c->mean, c->std));
    }
    for (int i = 0; i < o->n_targets; i++)
        json_object_array_add(targets, scaled(o->targets[i].name, o->targets[i].mean, o->targets[i].std));
    json_object_object_add(j, "task", json_object_new_string(tasks[o->task]));
    if (o->label)
        json_object_object_add(j, "label", json_object_new_string(o->label));
    json_object_object_add(j, "label_at", json_object_new_int(o->label_at));
    json_object_object_add(j, "headerless", json_object_new_boolean(o->headerless));
    json_object_object_add(j, "fill_missing", json_object_new_boolean(o->fill_missing));
    json_object_object_add(j, "split_seed", json_object_new_string(seed));
    json_object_object_add(j, "test_share", number(o->test_share, 17));
    json_object_object_add(j, "columns", columns);
    json_object_object_add(j, "classes", texts(o->n_classes, o->classes));
    json_object_object_add(j, "targets", targets);
    const char *text = json_object_to_json_string_ext(j, JSON_C_TO_STRING_NOSLASHESCAPE);
    char *copy = text ? ib_strdup(text) : NULL;
    json_object_put(j);
    return copy || text ? copy : ib_fail_null(IB_ENOMEM, "schema: out of memory");
}

/* ---- reading: what is not understood is refused ---- */

static ib_status unlike(const char *key)
{
    return ib_fail(IB_EFORMAT, "schema: '%s' is missing or not what a schema has there", key);
}

static struct json_object *list_of(struct json_object *o, const char *key, int *n)
{
    struct json_object *list = ib_json_get(o, key);
    if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) > 1 << 16)
        return unlike(key), NULL;
    *n = (int)json_object_array_length(list);
    return list;
}

static ib_status read_int(struct json_object *o, const char *key, int *out)
{
    struct json_object *v = ib_json_get(o, key);
    const int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : -1;
    *out = (int)n;
    return n >= 0 && n <= 1 << 16 ? IB_OK : unlike(key);
}

static ib_status read_flag(struct json_object *o, const char *key, int *out)
{
    struct json_object *v = ib_json_get(o, key);
    *out = json_object_get_boolean(v);
    return json_object_is_type(v, json_type_boolean) ? IB_OK : unlike(key);
}

static ib_status read_number(struct json_object *o, const char *key, float *out)
{
    const double v = ib_json_number(o, key, NAN);
    *out = (float)v;
    return isfinite(*out) ? IB_OK : unlike(key);
}

/* Borrowed texts of a list. */
static const char **read_texts(struct json_object *o, const char *key, int *n)
{
    struct json_object *list = list_of(o, key, n);
    const char **names = list ? ib_alloc((size_t)*n * sizeof *names + 1) : NULL;
    for (int i = 0; names && i < *n; i++) {
        struct json_object *v = json_object_array_get_idx(list, (size_t)i);
        if (!json_object_is_type(v, json_type_string)) {
            unlike(key);
            ib_free(names);
            return NULL;
        }
        names[i] = json_object_get_string(v);
    }
    return names;
}

static ib_status read_column(struct json_object *o, ib_column *c)
{
    if (!(c->name = ib_json_text(o, "name")))
        return unlike("name");
    if (!ib_json_get(o, "names"))
        return read_number(o, "mean", &c->mean) || read_number(o, "std", &c->std) ? ib_error_status() : IB_OK;
    if (!(c->names = read_texts(o, "names", &c->n_names)) || read_int(o, "usual", &c->usual))
        return ib_error_status();
    return c->n_names ? IB_OK : unlike("names");
}

static ib_status read_lists(struct json_object *j, ib_schema_opts *o, ib_column **columns, ib_target **targets)
{
    struct json_object *list = list_of(j, "columns", &o->n_columns);
    if (!list || !(o->columns = *columns = ib_alloc((size_t)o->n_columns * sizeof **columns + 1)))
        return ib_error_status();
    for (int i = 0; i < o->n_columns; i++)
        if (read_column(json_object_array_get_idx(list, (size_t)i), *columns + i))
            return ib_error_status();
    list = list_of(j, "targets", &o->n_targets);
    if (!list || !(o->targets = *targets = ib_alloc((size_t)o->n_targets * sizeof **targets + 1)))
        return ib_error_status();
    for (int i = 0; i < o->n_targets; i++) {
        struct json_object *t = json_object_array_get_idx(list, (size_t)i);
        ib_target *to = *targets + i;
        if (!(to->name = ib_json_text(t, "name")) || read_number(t, "mean", &to->mean) ||
            read_number(t, "std", &to->std))
            return to->name ? ib_error_status() : unlike("name");
    }
    return (o->classes = read_texts(j, "classes", &o->n_classes)) ? IB_OK : ib_error_status();
}

static ib_status read_rest(struct json_object *j, ib_schema_opts *o)
{
    const char *task = ib_json_text(j, "task"), *seed = ib_json_text(j, "split_seed");
    char *end = NULL;
    if (!task || (strcmp(task, tasks[0]) && strcmp(task, tasks[1])))
        return unlike("task");
    o->task = strcmp(task, tasks[0]) ? IB_REGRESSION : IB_CLASSIFICATION;
    errno = 0;
    if (!seed || *seed < '0' || *seed > '9' || (o->split_seed = strtoull(seed, &end, 10), errno || *end))
        return unlike("split_seed");
    o->label = ib_json_text(j, "label");
    o->test_share = ib_json_number(j, "test_share", NAN);
    return read_int(j, "label_at", &o->label_at) || read_flag(j, "headerless", &o->headerless) ||
                   read_flag(j, "fill_missing", &o->fill_missing)
               ? ib_error_status()
               : IB_OK;
}

ib_schema *ib_schema_parse(const char *text, size_t size)
{
    IB_NEED_OR(text, NULL);
    size_t at = 0;
    ib_schema_opts o = {0};
    ib_column *columns = NULL;
    ib_target *targets = NULL;
    ib_schema *s = NULL;
    struct json_object *j = ib_json_parse(text, size, &at, 0);
    if (!j) {
        ib_error_prefix("schema");
        return NULL;
    }
    if (at < size)
        ib_fail(IB_EFORMAT, "schema: something stands behind its end");
    else if (!read_rest(j, &o) && !read_lists(j, &o, &columns, &targets))
        s = ib_schema_new(&o);
    for (int i = 0; columns && i < o.n_columns; i++)
        ib_free((void *)columns[i].names);
    ib_free(columns);
    ib_free(targets);
    ib_free((void *)o.classes);
    json_object_put(j);
    return s;
}
