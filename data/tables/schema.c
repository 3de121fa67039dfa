/* schema.c - see schema.h; rows of cells to numbers: words to one-hot, means for what is missing */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <isobit/schema.h>
#include <isobit/text.h>

#include "base/alloc.h"
#include "base/argument.h"

enum { MOST = 65536 }; /* inputs, names of a column, classes */

struct ib_schema {
    ib_schema_opts o;
    ib_column *columns; /* o.columns, and so on */
    ib_target *targets;
    char **classes;
    int inputs;
    atomic_int held;
};

int ib_is_plain(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p && (*p >= ' ' || *p == '\t' || *p == '\n' || *p == '\r') && *p != 127 &&
           !(*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
        p++;
    return !*p;
}

static int is_name(const char *name)
{
    return name && *name && ib_utf8_good(name, strlen(name)) == strlen(name) && ib_is_plain(name);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names that can be told apart. */
static ib_status check_names(const char *what, int n, const char *const *names)
{
    const char **sorted = ib_alloc((size_t)n * sizeof *sorted + 1);
    ib_status status = sorted ? IB_OK : IB_ENOMEM;
    for (int i = 0; i < n && !status; i++) {
        sorted[i] = names[i];
        if (!is_name(names[i]))
            status = ib_fail(IB_EINVAL, "schema: %s %d has no name in UTF-8 without control characters", what, i + 1);
    }
    if (!status)
        qsort(sorted, (size_t)n, sizeof *sorted, compare);
    for (int i = 1; i < n && !status; i++)
        if (!strcmp(sorted[i - 1], sorted[i]))
            status = ib_fail(IB_EINVAL, "schema: two %ss are called '%s'", what, sorted[i]);
    ib_free(sorted);
    return status;
}

static ib_status check_scale(const char *name, float mean, float std)
{
    return isfinite(mean) && isfinite(std) && std > 0 && isfinite(1.0f / std)
               ? IB_OK
               : ib_fail(IB_EINVAL, "schema: '%s' has mean %g and standard deviation %g", name, mean, std);
}

/* Columns, classes and targets; counts the inputs. */
static ib_status check(const ib_schema_opts *o, int64_t *inputs)
{
    const char **names = ib_alloc(((size_t)o->n_columns + (size_t)o->n_targets) * sizeof *names + 1);
    ib_status status = names ? IB_OK : IB_ENOMEM;
    *inputs = 0;
    for (int i = 0; i < o->n_columns && !status; i++) {
        const ib_column *c = &o->columns[i];
        names[i] = c->name;
        if (c->n_names < 0 || c->n_names > MOST ||
            (c->n_names && (!c->names || c->usual < 0 || c->usual >= c->n_names)))
            status = ib_fail(IB_EINVAL, "schema: column %d has %d names, number %d is the usual one", i + 1, c->n_names,
                             c->usual);
        else
            status = c->n_names ? check_names("category", c->n_names, c->names)
                                : check_scale(c->name ? c->name : "", c->mean, c->std);
        *inputs += c->n_names ? c->n_names : 1;
    }
    if (!status)
        status = check_names("column", o->n_columns, names);
    for (int i = 0; i < o->n_targets && !status; i++) {
        names[i] = o->targets[i].name;
        status = check_scale(names[i] ? names[i] : "", o->targets[i].mean, o->targets[i].std);
    }
    if (!status)
        status = check_names("target", o->n_targets, names);
    if (!status)
        status = check_names("class", o->n_classes, o->classes);
    if (!status && *inputs > MOST)
        status = ib_fail(IB_EINVAL, "schema: the columns make %lld inputs, %d are possible", (long long)*inputs, MOST);
    ib_free(names);
    return status;
}

static char **copy_names(int n, const char *const *names)
{
    char **copy = ib_alloc((size_t)n * sizeof *copy + 1);
    for (int i = 0; copy && i < n; i++)
        if (!(copy[i] = ib_strdup(names[i]))) {
            while (i--)
                ib_free(copy[i]);
            ib_free(copy);
            return NULL;
        }
    return copy;
}

static ib_status copy_all(ib_schema *s, const ib_schema_opts *o)
{
    if (!(s->columns = ib_alloc((size_t)o->n_columns * sizeof *s->columns + 1)) ||
        !(s->targets = ib_alloc((size_t)o->n_targets * sizeof *s->targets + 1)))
        return IB_ENOMEM;
    s->o.columns = s->columns;
    s->o.targets = s->targets;
    for (; s->o.n_columns < o->n_columns; s->o.n_columns++) {
        ib_column *c = &s->columns[s->o.n_columns];
        const ib_column *from = &o->columns[s->o.n_columns];
        *c = *from;
        c->names = NULL;
        c->input = s->inputs;
        s->inputs += from->n_names ? from->n_names : 1;
        if (from->n_names && !(c->names = (const char *const *)copy_names(from->n_names, from->names)))
            c->n_names = 0; /* none to free */
        if (!(c->name = ib_strdup(from->name)) || c->n_names != from->n_names)
            return s->o.n_columns++, IB_ENOMEM;
        if (c->n_names)
            c->mean = c->std = 0;
        else
            c->usual = 0;
    }
    for (; s->o.n_targets < o->n_targets; s->o.n_targets++) {
        s->targets[s->o.n_targets] = o->targets[s->o.n_targets];
        if (!(s->targets[s->o.n_targets].name = ib_strdup(o->targets[s->o.n_targets].name)))
            return IB_ENOMEM;
    }
    if (!(s->classes = copy_names(o->n_classes, o->classes)))
        return IB_ENOMEM;
    s->o.classes = (const char *const *)s->classes;
    s->o.n_classes = o->n_classes;
    return o->label && !(s->o.label = ib_strdup(o->label)) ? IB_ENOMEM : IB_OK;
}

ib_schema *ib_schema_new(const ib_schema_opts *opts)
{
    IB_NEED_OR(opts, NULL);
    int64_t inputs;
    IB_TAKE_OR(opts->task, opts->task == IB_CLASSIFICATION || opts->task == IB_REGRESSION, NULL, "is %d",
               (int)opts->task);
    IB_TAKE_OR(opts->n_columns, opts->n_columns >= 0 && opts->n_columns <= MOST && (!opts->n_columns || opts->columns),
               NULL, "is %d", opts->n_columns);
    IB_TAKE_OR(opts->n_classes, opts->n_classes >= 0 && opts->n_classes <= MOST && (!opts->n_classes || opts->classes),
               NULL, "is %d", opts->n_classes);
    IB_TAKE_OR(opts->n_targets, opts->n_targets >= 0 && opts->n_targets <= MOST && (!opts->n_targets || opts->targets),
               NULL, "is %d", opts->n_targets);
    IB_TAKE_OR(opts->label, !opts->label || is_name(opts->label), NULL, "is %s",
               "no name in UTF-8 without control characters");
    IB_TAKE_OR(opts->label_at, opts->label_at >= 0 && opts->label_at <= opts->n_columns, NULL, "is %d", opts->label_at);
    IB_TAKE_OR(opts->test_share, opts->test_share >= 0 && opts->test_share <= 1, NULL, "is %g", opts->test_share);
    if (check(opts, &inputs))
        return NULL;
    ib_schema *s = ib_alloc(sizeof *s);
    if (!s)
        return NULL;
    s->o = *opts;
    s->o.headerless = opts->headerless != 0;
    s->o.fill_missing = opts->fill_missing != 0;
    s->o.n_columns = s->o.n_classes = s->o.n_targets = 0;
    s->o.columns = NULL;
    s->o.classes = NULL;
    s->o.targets = NULL;
    s->o.label = NULL;
    if (copy_all(s, opts)) {
        ib_schema_free(s);
        return NULL;
    }
    return s;
}

ib_schema *ib_schema_hold(const ib_schema *s)
{
    ib_schema *held = (ib_schema *)s; /* only the count changes */
    if (held)
        atomic_fetch_add(&held->held, 1);
    return held;
}

void ib_schema_free(ib_schema *s)
{
    if (!s || atomic_fetch_sub(&s->held, 1) > 0)
        return;
    for (int i = 0; i < s->o.n_columns; i++) {
        for (int k = 0; k < s->columns[i].n_names; k++)
            ib_free((char *)s->columns[i].names[k]);
        ib_free((void *)s->columns[i].names);
        ib_free((char *)s->columns[i].name);
    }
    for (int i = 0; i < s->o.n_targets; i++)
        ib_free((char *)s->targets[i].name);
    for (int i = 0; i < s->o.n_classes; i++)
        ib_free(s->classes[i]);
    ib_free(s->columns);
    ib_free(s->targets);
    ib_free(s->classes);
    ib_free((char *)s->o.label);
    ib_free(s);
}

const ib_schema_opts *ib_schema_of(const ib_schema *s)
{
    IB_NEED_OR(s, NULL);
    return &s->o;
}

int ib_schema_inputs(const ib_schema *s)
{
    IB_NEED_OR(s, 0);
    return s->inputs;
}

const char *ib_schema_class(const ib_schema *s, int64_t i)
{
    return s && i >= 0 && i < s->o.n_classes ? s->classes[i] : NULL;
}

void ib_schema_apply(const ib_schema *s, const float *raw, float *x)
{
    IB_NEED_OR(s, );
    IB_NEED_OR(raw, );
    IB_NEED_OR(x, );
    for (int i = 0; i < s->o.n_columns; i++) {
        const ib_column *c = &s->columns[i];
        const float inverse = c->n_names ? 0 : 1.0f / c->std, v = raw[i];
        if (!c->n_names)
            x[c->input] = isnan(v) ? 0 : (v - c->mean) * inverse;
        for (int k = 0; k < c->n_names; k++)
            x[c->input + k] = (isnan(v) ? (float)c->usual : v) == (float)k;
    }
}
