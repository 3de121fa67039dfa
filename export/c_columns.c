/* c_columns.c - exported C from the values of a table's row: the names of columns, categories and classes, and a
 * function that makes codes of raw values by the operations of ib_schema_apply and the quantize kernel, each in fp32
 * and in its own statement:
 *
 *   x = (raw - mean) * inverse;   v = x / scale;   code = round(v) + zero, between qmin and qmax
 *
 * Nothing in it can be contracted: no product meets a sum. Rounding compares v with the middle between two integers,
 * which is exact. */
#include "export/c_columns.h"

#include <ctype.h>
#include <string.h>

enum { ROWS = 6 }; /* of the self-test */

static const ib_schema_opts *schema_of(const ib_program *p)
{
    static const ib_schema_opts nothing;
    return p->schema ? ib_schema_of(p->schema) : &nothing;
}

int ib_has_columns(const ib_program *p)
{
    return schema_of(p)->n_columns > 0;
}

void ib_columns_declare(const ib_program *p, ib_strbuf *t, const char *upper)
{
    const ib_schema_opts *s = schema_of(p);
    if (s->n_classes)
        ib_strbuf_add(t,
                      "/* What the outputs score, in their order. */\n#define %s_CLASSES %d\n"
                      "extern const char *const %s_class_names[%s_CLASSES];\n",
                      upper, s->n_classes, t->name, upper);
    if (!s->n_columns)
        return;
    int named = 0;
    for (int i = 0; i < s->n_columns; i++)
        named += s->columns[i].n_names > 0;
    ib_strbuf_add(t,
                  "/* The columns that a row has, in their order%s. */\n#define %s_COLUMNS %d\n"
                  "extern const char *const %s_column_names[%s_COLUMNS];\n",
                  named ? ", and the names that a column of names knows" : "", upper, s->n_columns, t->name, upper);
    for (int i = 0; i < s->n_columns; i++)
        if (s->columns[i].n_names)
            ib_strbuf_add(t, "extern const char *const %s_column_%d_names[%d];\n", t->name, i, s->columns[i].n_names);
    ib_strbuf_add(t, "/* Codes of a row as it stands in a table: raw[i] is column i's number");
    if (named)
        ib_strbuf_add(t, ", or in a column of names the index of its name\n * in %s_column_<i>_names", t->name);
    ib_strbuf_add(t,
                  "; NaN is a missing value. In fp32, the only place where it is used. */\n"
                  "void %s_quantize_columns(const float *raw, int8_t *codes);\n",
                  t->name);
}

/* A string of C: what is not plain ASCII as octal numbers. */
static void add_string(ib_strbuf *t, const char *s)
{
    ib_strbuf_add(t, "\"");
    for (const unsigned char *p = (const unsigned char *)s; *p; p++)
        if (*p < 0x7f && isprint(*p) && !strchr("\"\\?", *p))
            ib_strbuf_add(t, "%c", *p);
        else
            ib_strbuf_add(t, "\\%03o", *p);
    ib_strbuf_add(t, "\"");
}

static void add_names(ib_strbuf *t, int n, const char *const *names)
{
    ib_strbuf_add(t, "[%d] = {", n);
    for (int i = 0; i < n; i++) {
        ib_strbuf_add(t, "\n    ");
        add_string(t, names[i]);
        ib_strbuf_add(t, ",");
    }
    ib_strbuf_add(t, "\n};\n");
}

static void add_floats(ib_strbuf *t, const char *what, int64_t n, const float *v)
{
    ib_strbuf_add(t, "static const float %s_%s[%lld] = {", t->name, what, (long long)n);
    for (int64_t i = 0; i < n; i++)
        ib_strbuf_add(t, "%s%.8ef,", i % 6 ? " " : "\n    ", v[i]);
    ib_strbuf_add(t, "\n};\n");
}

static ib_status add_tables(const ib_program *p, ib_strbuf *t)
{
    const ib_schema_opts *s = schema_of(p);
    const size_t n = (size_t)s->n_columns;
    float *mean = ib_alloc(n * sizeof *mean), *inverse = ib_alloc(n * sizeof *inverse);
    int32_t *names = ib_alloc(n * sizeof *names);
    const char **titles = ib_alloc(n * sizeof *titles);
    const ib_status status = mean && inverse && names && titles ? IB_OK : IB_ENOMEM;
    for (size_t i = 0; i < n && !status; i++) {
        const ib_column *c = &s->columns[i];
        titles[i] = c->name;
        names[i] = c->n_names;
        mean[i] = c->n_names ? (float)c->usual : c->mean;
        inverse[i] = c->n_names ? 1.0f : 1.0f / c->std;
    }
    if (!status) {
        ib_strbuf_add(t, "const char *const %s_column_names", t->name);
        add_names(t, s->n_columns, titles);
        for (int i = 0; i < s->n_columns; i++)
            if (s->columns[i].n_names) {
                ib_strbuf_add(t, "const char *const %s_column_%d_names", t->name, i);
                add_names(t, s->columns[i].n_names, s->columns[i].names);
            }
        ib_strbuf_add(
            t, "/* the names of each column, 0: a number; its mean, or the name of a missing value; 1 / standard "
               "deviation */\n");
        ib_strbuf_i32(t, "column_counts", 0, names, s->n_columns);
        add_floats(t, "column_mean", s->n_columns, mean);
        add_floats(t, "column_inverse", s->n_columns, inverse);
    }
    ib_free(mean);
    ib_free(inverse);
    ib_free(names);
    ib_free(titles);
    return status;
}

static void add_quantize(const ib_program *p, ib_strbuf *t, const char *upper)
{
    const ib_value *in = &p->values[0];
    const int qmin = -(1 << (in->bits - 1)), qmax = (1 << (in->bits - 1)) - 1, even = p->rounding == ISOBIT_FP32_RNE;
    const char *name = t->name, *more = even ? " || (v == middle && t % 2)" : "";
    const char *compare = even ? "" : "=";
    ib_strbuf_add(
        t,
        "\n/* %d + the integer next to x / scale, of two the %s one */\nstatic int8_t %s_column_code(float x)\n{\n"
        "    const float v = x / %.8ef;\n    float middle;\n    int32_t t;\n    if (!(v > %d.0f))\n        return %d;\n"
        "    if (v >= %d.0f)\n        return %d;\n    t = (int32_t)v;\n",
        in->zero, even ? "even" : "outer", name, in->scale, qmin - in->zero, qmin, qmax - in->zero, qmax);
    ib_strbuf_add(
        t,
        "    if (v < 0.0f) {\n        middle = (float)t - 0.5f;\n        t -= v <%s middle%s;\n    } else {\n"
        "        middle = (float)t + 0.5f;\n        t += v >%s middle%s;\n    }\n    return (int8_t)(t + (%d));\n}\n\n",
        compare, more, compare, more, in->zero);
    ib_strbuf_add(t,
                  "void %s_quantize_columns(const float *raw, int8_t *codes)\n{\n    int32_t i, k;\n"
                  "    for (i = 0; i < %s_COLUMNS; i++) {\n        const float value = raw[i] == raw[i] ? raw[i] : "
                  "%s_column_mean[i];\n"
                  "        float x;\n        for (k = 0; k < %s_column_counts0[i]; k++)\n"
                  "            *codes++ = %s_column_code(value == (float)k ? 1.0f : 0.0f);\n",
                  name, upper, name, name, name);
    ib_strbuf_add(t,
                  "        if (%s_column_counts0[i])\n            continue;\n        x = value - %s_column_mean[i];\n"
                  "        x = x * %s_column_inverse[i];\n        *codes++ = %s_column_code(x);\n    }\n}\n\n",
                  name, name, name, name);
}

/* Rows from far below to far above the means, through every name, with the codes that the library makes of them. */
static ib_status add_test(const ib_program *p, ib_device *dev, ib_strbuf *t, const char *upper)
{
    const ib_schema_opts *s = schema_of(p);
    const ib_value *in = &p->values[0];
    const int64_t n = s->n_columns, size = in->size;
    float *raw = ib_alloc((size_t)(ROWS * n) * sizeof *raw), *x = ib_alloc((size_t)(ROWS * size) * sizeof *x);
    int8_t *codes = ib_alloc((size_t)(ROWS * size));
    const ib_status status = raw && x && codes ? IB_OK : IB_ENOMEM;
    for (int64_t r = 0; r < ROWS && !status; r++) {
        for (int64_t i = 0; i < n; i++) {
            const ib_column *c = &s->columns[i];
            const float off = 0.77f * (float)((5 * r + 3 * i) % 11 - 5);
            raw[r * n + i] = c->n_names ? (float)((r + i) % c->n_names) : c->mean + off * c->std;
        }
        ib_schema_apply(p->schema, raw + r * n, x + r * size);
    }
    if (!status) {
        ib_program_quantize(p, dev, ROWS, x, codes);
        add_floats(t, "column_sample", ROWS * n, raw);
        ib_strbuf_i8(t, "column_expected", 0, codes, ROWS * size);
        ib_strbuf_add(
            t,
            "\nstatic int32_t %s_test_columns(void)\n{\n    int8_t codes[%s_INPUT_SIZE];\n    int32_t wrong = 0, i, "
            "j;\n"
            "    for (i = 0; i < %d; i++) {\n        %s_quantize_columns(%s_column_sample + i * %s_COLUMNS, codes);\n",
            t->name, upper, ROWS, t->name, t->name, upper);
        ib_strbuf_add(
            t,
            "        for (j = 0; j < %s_INPUT_SIZE; j++)\n            wrong += codes[j] != %s_column_expected0[i * "
            "%s_INPUT_SIZE + j];\n    }\n    return wrong;\n}\n\n",
            upper, t->name, upper);
    }
    ib_free(raw);
    ib_free(x);
    ib_free(codes);
    return status;
}

ib_status ib_columns_print(const ib_program *p, ib_device *dev, ib_strbuf *t, const char *upper)
{
    const ib_schema_opts *s = schema_of(p);
    if (s->n_classes) {
        ib_strbuf_add(t, "const char *const %s_class_names", t->name);
        add_names(t, s->n_classes, s->classes);
        ib_strbuf_add(t, "\n");
    }
    if (!s->n_columns)
        return IB_OK;
    if (add_tables(p, t))
        return IB_ENOMEM;
    add_quantize(p, t, upper);
    return add_test(p, dev, t, upper);
}
