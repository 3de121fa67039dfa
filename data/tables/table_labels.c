/* table_labels.c - a table's labels: names, or integers, as classes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "data/tables/table.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void ib_names_free(int n, char **names)
{
    for (int i = 0; names && i < n; i++)
        ib_free(names[i]);
    ib_free(names);
}

int ib_sorted_find(int n, char *const *names, const char *name)
{
    char *const *found = bsearch(&name, names, (size_t)n, sizeof *names, by_name);
    return found ? (int)(found - names) : -1;
}

char **ib_table_names(const ib_table *t, int *n)
{
    const char **sorted = ib_alloc((size_t)t->n * sizeof *sorted);
    char **names = NULL;
    int64_t kept = 0;
    float v;
    if (!sorted)
        return NULL;
    for (int64_t i = 0; i < t->n; i++) {
        if (!ib_is_plain(t->at[i])) {
            ib_free(sorted);
            return ib_fail_null(IB_EFORMAT, "%s: line %lld has '%.40s' in column '%s', a name with a control character",
                                t->cells.name, (long long)ib_table_line(t, i), t->at[i], t->names[t->where]);
        }
        if (ib_cell_read(t->at[i], &v) != IB_CELL_MISSING)
            sorted[kept++] = t->at[i];
    }
    qsort(sorted, (size_t)kept, sizeof *sorted, by_name);
    int64_t different = 0;
    for (int64_t i = 0; i < kept; i++)
        if (!i || strcmp(sorted[i], sorted[i - 1]))
            sorted[different++] = sorted[i];
    names = ib_alloc((size_t)different * sizeof *names + 1);
    *n = 0;
    for (; names && *n < different; (*n)++)
        if (!(names[*n] = ib_strdup(sorted[*n]))) {
            ib_names_free(*n, names);
            names = NULL;
        }
    ib_free(sorted);
    return names;
}

enum { INTEGER = 48 }; /* the largest number of fp32 has 39 digits */

/* An integer in the one way to write it ("3" for 3.0 and +3) into text; 0 if the value is none. Beyond 2^53, where
 * double has gaps, it is one where its digits are written. */
static int integer_text(const char *cell, char text[INTEGER])
{
    float single;
    if (ib_cell_read(cell, &single) != IB_CELL_NUMBER)
        return 0;
    const char *digits = cell + (*cell == '-' || *cell == '+');
    const double v = ib_strtod(cell, NULL);
    digits += strspn(digits, "0");
    if (*digits && !digits[strspn(digits, "0123456789")] && strlen(digits) < INTEGER - 1)
        ib_snprintf(text, INTEGER, "%s%s", *cell == '-' ? "-" : "", digits);
    else if (fabs(v) < 9007199254740992.0 && v == floor(v))
        ib_snprintf(text, INTEGER, "%lld", (long long)v);
    else
        return 0;
    return 1;
}

static ib_status bad_label(const ib_table *t, int64_t i, const char *why)
{
    return ib_fail(IB_EFORMAT, "%s: line %lld has '%.40s' as label in column '%s'%s", t->cells.name,
                   (long long)ib_table_line(t, i), t->at[i], t->names[t->label], why);
}

/* All integers (1), all names (0), or -1 with ib_error(). */
static int label_kind(const ib_table *t)
{
    int64_t integers = 0, names = 0, first[2] = {-1, -1};
    char text[INTEGER];
    float v;
    for (int64_t i = 0; i < t->n; i++) {
        const ib_cell_kind kind = ib_cell_read(t->at[i], &v);
        if (kind == IB_CELL_MISSING)
            return bad_label(t, i, ": every row needs one"), -1;
        if (kind == IB_CELL_LIKE_ONE || kind == IB_CELL_BEYOND || kind == IB_CELL_ERROR)
            return bad_label(t, i, ": neither a class's name nor an integer"), -1;
        if (kind == IB_CELL_NUMBER && !integer_text(t->at[i], text))
            return bad_label(t, i,
                             fabs(ib_strtod(t->at[i], NULL)) < 9007199254740992.0
                                 ? ": real numbers are no classes (--task regression learns them; --label names the "
                                   "column of classes)"
                                 : ": an integer of 2^53 or more is a class only where all of its digits are written"),
                   -1;
        const int integer = kind == IB_CELL_NUMBER;
        integers += integer;
        names += !integer;
        if (first[integer] < 0)
            first[integer] = i;
    }
    if (integers && names)
        return bad_label(t, first[integers < names],
                         integers < names ? ", where the others are names" : ", where the others are integers"),
               -1;
    return integers > 0;
}

static int by_number(const void *a, const void *b)
{
    char x[INTEGER], y[INTEGER];
    integer_text(*(const char *const *)a, x);
    integer_text(*(const char *const *)b, y);
    const int sign = *x == '-' ? -1 : 1;
    const size_t n = strlen(x), m = strlen(y);
    if ((*x == '-') != (*y == '-'))
        return sign;
    return sign * (n != m ? (n > m) - (n < m) : strcmp(x, y));
}

/* Integers by size, each in the one way to write it. Two ways in one table, as 1 and 01, may be two classes or one. */
static ib_status order_integers(const ib_table *t, int n, char **names)
{
    char text[INTEGER];
    qsort(names, (size_t)n, sizeof *names, by_number);
    for (int k = 1; k < n; k++)
        if (!by_number(&names[k - 1], &names[k]))
            return ib_fail(IB_EFORMAT,
                           "%s: column '%s', the label, has '%.40s' and '%.40s', one integer written in two ways: "
                           "write it in one",
                           t->cells.name, t->names[t->label], names[k - 1], names[k]);
    for (int k = 0; k < n; k++) {
        integer_text(names[k], text);
        char *same = ib_strdup(text);
        if (!same)
            return IB_ENOMEM;
        ib_free(names[k]);
        names[k] = same;
    }
    return IB_OK;
}

/* The classes of a table that no network knows yet, in order. */
static ib_status find_classes(ib_table *t, int integers, char ***classes, int *n)
{
    if (!(*classes = ib_table_names(t, n)))
        return ib_error_status();
    if (integers && order_integers(t, *n, *classes))
        return ib_error_status();
    const char *file = t->cells.name, *label = t->names[t->label];
    if (*n < 2)
        return ib_fail(IB_EFORMAT,
                       "%s: column '%s', the label, has one value, '%.40s': there is nothing to tell apart (--label "
                       "names another)",
                       file, label, (*classes)[0]);
    if ((*n == t->n && t->n > 2) || (*n > 20 && 2 * (int64_t)*n > t->n))
        return ib_fail(IB_EFORMAT,
                       "%s: column '%s', the label, has %d different values in %lld rows: they are no classes (--task "
                       "regression learns numbers, --label names another column)",
                       file, label, *n, (long long)t->n);
    return IB_OK;
}

static int find_class(int n, const char *const *classes, const char *name)
{
    for (int k = 0; k < n; k++)
        if (!strcmp(classes[k], name))
            return k;
    return -1;
}

/* What a message shows of some names. */
static void list_names(int n, const char *const *names, char *text, size_t size)
{
    size_t at = 0;
    *text = 0;
    for (int k = 0; k < n && k < 6 && at < size; k++)
        at += (size_t)ib_snprintf(text + at, size - at, "%s'%.20s'", k ? ", " : "", names[k]);
    if (n > 6 && at < size)
        ib_snprintf(text + at, size - at, " and %d more", n - 6);
}

ib_status ib_table_labels(ib_table *t, char ***classes, int *n_classes)
{
    const ib_schema_opts *known = t->known ? ib_schema_of(t->known) : NULL;
    char text[INTEGER], list[200];
    *classes = NULL;
    *n_classes = 0;
    if (t->label < 0)
        return IB_OK;
    ib_table_go(t, t->label);
    const int integers = known ? 0 : label_kind(t);
    if (integers < 0 || (!known && find_classes(t, integers, classes, n_classes)) ||
        (!known && !integers && ib_table_doubt_names(t, t->label, *n_classes, *classes)))
        return ib_error_status();
    const char *const *names = known ? known->classes : (const char *const *)*classes;
    const int n = known ? known->n_classes : *n_classes;
    if (!(t->y = ib_alloc((size_t)t->n * sizeof *t->y)))
        return IB_ENOMEM;
    for (int64_t i = 0; i < t->n; i++) {
        int k = !known && !integers ? ib_sorted_find(n, *classes, t->at[i]) : find_class(n, names, t->at[i]);
        if (k < 0 && integer_text(t->at[i], text))
            k = find_class(n, names, text);
        if (k < 0) {
            list_names(n, names, list, sizeof list);
            return ib_fail(IB_EFORMAT, "%s: line %lld has '%.40s' as label in column '%s'; the model's classes are %s",
                           t->cells.name, (long long)ib_table_line(t, i), t->at[i], t->names[t->label], list);
        }
        t->y[i] = k;
    }
    return IB_OK;
}
