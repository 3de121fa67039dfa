/* prediction.c - see prediction.h. Text keeps nine digits of a value, from which fp32 comes back in every bit. */
#include "cli/answers/prediction.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/answers/answers.h"
#include "files/file.h"
#include "train/measure.h"

struct prediction_format {
    const char *name;
    int binary;
    void (*begin)(prediction *p);
    void (*sample)(prediction *p, const float *y);
    void (*end)(prediction *p);
};

/* ---- bytes on their way ---- */

static void flush(prediction *p)
{
    if (p->file)
        ib_file_write(p->file, p->text, p->at); /* remembers a failure until it is finished */
    else if (!p->failed && p->at && !ib_fd_write(STDOUT_FILENO, p->text, p->at)) {
        fprintf(stderr, "isobit: standard output cannot be written: %m\n");
        p->failed = 1;
    }
    p->at = 0;
}

static void put(prediction *p, const void *bytes, size_t n)
{
    for (const char *b = bytes; n;) {
        const size_t part = sizeof p->text - p->at < n ? sizeof p->text - p->at : n;
        memcpy(p->text + p->at, b, part);
        p->at += part;
        b += part;
        n -= part;
        if (p->at == sizeof p->text)
            flush(p);
    }
}

__attribute__((format(printf, 2, 3))) static void print(prediction *p, const char *format, ...)
{
    char line[256];
    va_list a;
    va_start(a, format);
    const int n = vsnprintf(line, sizeof line, format, a);
    va_end(a);
    put(p, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

static void print_number(prediction *p, float v)
{
    print(p, "%.9g", v);
}

/* ---- csv: a line a sample ---- */

/* In quotes where it needs them (RFC 4180). */
static void csv_name(prediction *p, const char *name)
{
    const int quoted = name[strcspn(name, ",\"\r\n;\t ")] != 0;
    if (quoted)
        put(p, "\"", 1);
    for (; *name; name++)
        put(p, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    if (quoted)
        put(p, "\"", 1);
}

/* A class by its name or its number. */
static void csv_class(prediction *p, int64_t class)
{
    char number[24];
    csv_name(p, class_text(p->schema, class, number));
}

/* What a sample is called by: the file of its picture, the line of its row, or its number from 0. */
static const char *key(const prediction *p)
{
    return ib_dataset_path(p->data, 0) ? "picture" : ib_dataset_line(p->data, 0) ? "line" : "sample";
}

static void csv_begin(prediction *p)
{
    print(p, p->classes ? "%s,class,probability" : "%s", key(p));
    for (int64_t j = 0; j < p->size; j++) {
        print(p, ",");
        if (p->classes)
            csv_class(p, j);
        else if (p->targets)
            csv_name(p, p->targets[j].name);
        else
            print(p, "%lld", (long long)j);
    }
    print(p, "\n");
}

static void csv_sample(prediction *p, const float *y)
{
    const int64_t best = ib_best_class(y, p->size);
    const char *path = ib_dataset_path(p->data, p->done);
    const int64_t line = ib_dataset_line(p->data, p->done);
    if (path)
        csv_name(p, path);
    else
        print(p, "%lld", (long long)(line ? line : p->done));
    if (p->classes) {
        print(p, ",");
        csv_class(p, best);
        print(p, ",%.9g", y[best]);
    }
    for (int64_t j = 0; j < p->size; j++) {
        print(p, ",");
        print_number(p, y[j]);
    }
    print(p, "\n");
}

/* ---- json: one object ---- */

static void print_text(prediction *p, const char *text)
{
    struct json_object *o = json_object_new_string(text);
    const char *quoted = json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE);
    put(p, quoted, strlen(quoted));
    json_object_put(o);
}

static void json_class(prediction *p, int64_t class)
{
    char number[24];
    print_text(p, class_text(p->schema, class, number));
}

/* The picture or the line of sample i. */
static void json_place(prediction *p, int64_t i)
{
    const char *path = ib_dataset_path(p->data, i);
    const int64_t line = ib_dataset_line(p->data, i);
    if (path)
        print_text(p, path);
    else
        print(p, "%lld", (long long)line);
}

static void json_begin(prediction *p)
{
    print(p, "{\n  \"model\": ");
    print_text(p, p->model);
    print(p, ",\n  \"engine\": \"%s\",\n  \"samples\": %lld,\n", p->engine, (long long)p->n);
    if (p->classes) {
        print(p, "  \"classes\": [");
        for (int64_t j = 0; j < p->size; j++) {
            print(p, j ? ", " : "");
            json_class(p, j);
        }
        print(p, "],\n  \"predictions\": [");
        return;
    }
    if (p->targets)
        print(p, "  \"targets\": [");
    for (int64_t j = 0; p->targets && j < p->size; j++) {
        print(p, j ? ", " : "");
        print_text(p, p->targets[j].name);
    }
    if (p->targets)
        print(p, "],\n");
    if (strcmp(key(p), "sample")) {
        print(p, "  \"%ss\": [", key(p));
        for (int64_t i = 0; i < p->n; i++) {
            print(p, i ? ", " : "");
            json_place(p, i);
        }
        print(p, "],\n");
    }
    print(p, "  \"shape\": [%lld", (long long)p->n);
    for (int i = 1; i < p->ndim; i++)
        print(p, ", %lld", (long long)p->shape[i]);
    print(p, "],\n  \"outputs\": [");
}

/* y as lists in lists from dimension k on; returns what follows it. */
static const float *print_lists(prediction *p, int k, const float *y)
{
    if (k >= p->ndim || k >= 4) {
        print_number(p, *y);
        return y + 1;
    }
    print(p, "[");
    for (int64_t j = 0; j < p->shape[k]; j++) {
        if (j)
            print(p, ", ");
        y = print_lists(p, k + 1, y);
    }
    print(p, "]");
    return y;
}

static void json_sample(prediction *p, const float *y)
{
    for (int64_t j = 0; j < p->size && !p->failed; j++)
        if (!isfinite(y[j])) {
            fprintf(
                stderr,
                "isobit: output %lld of sample %lld is %g, for which JSON has no word: --format csv, npy or f32 have\n",
                (long long)j, (long long)p->done, y[j]);
            p->failed = 1;
        }
    print(p, p->done ? ",\n    " : "\n    ");
    if (p->classes) {
        const int64_t best = ib_best_class(y, p->size);
        print(p, "{");
        if (strcmp(key(p), "sample")) {
            print(p, "\"%s\": ", key(p));
            json_place(p, p->done);
            print(p, ", ");
        }
        print(p, "\"class\": ");
        json_class(p, best);
        print(p, ", \"probability\": %.9g, \"probabilities\": ", y[best]);
    }
    print_lists(p, 1, y);
    if (p->classes)
        print(p, "}");
}

static void json_end(prediction *p)
{
    print(p, "\n  ]\n}\n");
}

/* ---- npy: version 1.0, as data/arrays/npy.c reads it; f32: the values alone ---- */

static void npy_begin(prediction *p)
{
    char head[256] = "";
    int n = snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,",
                     p->codes ? "|i1" : "<f4", (long long)p->n);
    for (int i = 1; i < p->ndim; i++)
        n += snprintf(head + n, sizeof head - (size_t)n, i + 1 < p->ndim ? " %lld," : " %lld", (long long)p->shape[i]);
    n += snprintf(head + n, sizeof head - (size_t)n, "), }");
    const int length = (10 + n + 1 + 63) / 64 * 64 - 10; /* the values begin at a multiple of 64 */
    put(p, "\x93NUMPY\1\0", 8);
    put(p, (char[]){(char)(length & 255), (char)(length >> 8)}, 2);
    print(p, "%-*s\n", length - 1, head);
}

static void npy_sample(prediction *p, const float *y)
{
    for (int64_t j = 0; p->codes && j < p->size; j++)
        put(p, (int8_t[]){(int8_t)y[j]}, 1);
    if (!p->codes)
        put(p, y, (size_t)p->size * sizeof *y);
}

static void f32_sample(prediction *p, const float *y)
{
    put(p, y, (size_t)p->size * sizeof *y);
}

static void nothing(prediction *p)
{
    (void)p;
}

static const prediction_format formats[] = {
    {"csv", 0, csv_begin, csv_sample, nothing},
    {"json", 0, json_begin, json_sample, json_end},
    {"npy", 1, npy_begin, npy_sample, nothing},
    {"f32", 1, nothing, f32_sample, nothing},
};

const prediction_format *prediction_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    fprintf(stderr, "isobit: --format '%s': csv, json, npy and f32 are possible\n", name);
    return NULL;
}

int prediction_open(prediction *p)
{
    if (!p->path && p->format->binary && isatty(STDOUT_FILENO))
        return fprintf(stderr, "isobit: --format %s is nothing for a terminal: -o FILE takes it\n", p->format->name), 1;
    if (p->path && !(p->file = ib_file_writer_open(p->path)))
        return complain();
    p->format->begin(p);
    return 0;
}

int prediction_add(prediction *p, int64_t n, const float *values)
{
    for (int64_t i = 0; i < n && !p->failed; i++, p->done++) {
        const float *y = values + i * p->size;
        for (int64_t j = 0; p->classes && j < p->size; j++)
            if (!isfinite(y[j])) {
                fprintf(
                    stderr,
                    "isobit: sample %lld has the probability %g for class %lld: --raw shows the network's outputs\n",
                    (long long)p->done, y[j], (long long)j);
                p->failed = 1;
                return 1;
            }
        p->format->sample(p, y);
    }
    return p->failed;
}

int prediction_close(prediction *p)
{
    if (!p->failed)
        p->format->end(p);
    flush(p);
    if (p->failed) {
        prediction_drop(p);
        return 1;
    }
    struct ib_file_writer *file = p->file;
    p->file = NULL;
    return file && ib_file_writer_finish(file) ? complain() : 0;
}

void prediction_drop(prediction *p)
{
    ib_file_writer_drop(p->file);
    p->file = NULL;
}
