/* by_class.c - recall, precision and F1 of each class, as a table and as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "cli/answers/answers.h"

enum { ALL = 40, WORST = 20, NAME = 24 }; /* rows of a table of all classes; of one of many; columns of a name */

/* The next character and its columns on the screen; bytes that are no UTF-8 count as one. */
static int next(const unsigned char **text, int *columns)
{
    utf8proc_int32_t c;
    const utf8proc_ssize_t n = utf8proc_iterate(*text, -1, &c);
    *columns = n > 0 ? utf8proc_charwidth(c) : 1;
    if (n > 0 && (c < ' ' || (c >= 0x7f && c < 0xa0)))
        *columns = 1; /* printed as a blank */
    *text += n > 0 ? n : 1;
    return n > 0 ? c : -1;
}

int cell_width(const char *text)
{
    int width = 0, columns;
    for (const unsigned char *t = (const unsigned char *)text; *t; width += columns)
        next(&t, &columns);
    return width;
}

void print_cell(const char *text, int width, int right)
{
    const int whole = cell_width(text);
    int used = 0, columns;
    for (int i = whole; right && i < width; i++, used++)
        putchar(' ');
    for (const unsigned char *t = (const unsigned char *)text, *from = t; *t; from = t) {
        const int c = next(&t, &columns);
        if (used + columns > width)
            break;
        if (c < 0 || c < ' ' || (c >= 0x7f && c < 0xa0))
            putchar(' ');
        else
            fwrite(from, 1, (size_t)(t - from), stdout);
        used += columns;
    }
    for (; used < width; used++)
        putchar(' ');
}

static void print_share(double share)
{
    if (isnan(share))
        printf(" %10s", "-");
    else
        printf(" %8.2f %%", 100 * share);
}

typedef struct ranked {
    int class;
    double f1; /* 2 where there is none: behind all others */
} ranked;

static int by_f1(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->f1 != y->f1 ? (x->f1 > y->f1) - (x->f1 < y->f1) : x->class - y->class;
}

void print_by_class(const answers *a)
{
    ranked *order = malloc((size_t)a->classes * sizeof *order);
    int width = 5;
    const int rows = a->classes > ALL ? WORST : a->classes;
    char buf[24];
    if (!order) {
        fprintf(stderr, "isobit: out of memory for %d classes\n", a->classes);
        return;
    }
    for (int k = 0; k < a->classes; k++)
        order[k] = (ranked){k, isnan(answers_f1(a, k)) ? 2 : answers_f1(a, k)};
    if (rows < a->classes)
        qsort(order, (size_t)a->classes, sizeof *order, by_f1);
    for (int i = 0; i < rows; i++) {
        const int w = cell_width(class_text(a->schema, order[i].class, buf));
        width = w > NAME ? NAME : w > width ? w : width;
    }
    print_cell("class", width, 0);
    printf(" %10s %10s %10s %8s\n", "recall", "precision", "F1", "samples");
    for (int i = 0; i < rows; i++) {
        const int k = order[i].class;
        print_cell(class_text(a->schema, k, buf), width, 0);
        print_share(answers_recall(a, k));
        print_share(answers_precision(a, k));
        print_share(answers_f1(a, k));
        printf(" %8lld\n", (long long)a->samples[k]);
    }
    if (rows < a->classes)
        printf("the %d classes of least F1, of %d; --json has all\n", rows, a->classes);
    free(order);
}

static struct json_object *share(double x)
{
    return isnan(x) ? NULL : json_object_new_double(x);
}

void by_class_json(const answers *a, struct json_object *o)
{
    struct json_object *rows = json_object_new_array();
    char buf[24];
    for (int k = 0; k < a->classes; k++) {
        struct json_object *row = json_object_new_object();
        json_object_object_add(row, "class", json_object_new_string(class_text(a->schema, k, buf)));
        json_object_object_add(row, "recall", share(answers_recall(a, k)));
        json_object_object_add(row, "precision", share(answers_precision(a, k)));
        json_object_object_add(row, "f1", share(answers_f1(a, k)));
        json_object_object_add(row, "samples", json_object_new_int64(a->samples[k]));
        json_object_array_add(rows, row);
    }
    json_object_object_add(o, "balanced_accuracy", share(answers_balanced(a)));
    json_object_object_add(o, "by_class", rows);
}
