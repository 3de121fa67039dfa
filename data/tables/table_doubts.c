/* table_doubts.c - columns that may be something else than what they are taken for. They are understood in the one way
 * that docs/data.md tells, and what speaks for another is said with the option that takes them so. */
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/number.h"
#include "data/tables/table.h"

enum {
    FEW_VALUES = 20,  /* as many codes as one would write down by hand */
    MANY_INPUTS = 50, /* more names than a small table teaches */
    LISTED = 6
};

/* Different values of a column that are not missing, up to FEW_VALUES + 1; 0 if one is no integer. */
static int count_integers(const ib_table *t)
{
    double seen[FEW_VALUES + 1];
    int n = 0;
    for (int64_t i = 0; i < t->n; i++) {
        float single;
        int k = 0;
        if (ib_cell_read(t->at[i], &single) == IB_CELL_MISSING)
            continue;
        const double v = ib_strtod(t->at[i], NULL);
        if (v != floor(v))
            return 0;
        while (k < n && seen[k] != v)
            k++;
        if (k == n && n <= FEW_VALUES)
            seen[n++] = v;
    }
    return n;
}

/* 1, 2, 3, ... from wherever it begins */
static int counts_rows(const ib_table *t)
{
    float first, v;
    for (int64_t i = 0; i < t->n; i++)
        if (ib_cell_read(t->at[i], i ? &v : &first) != IB_CELL_NUMBER || (i && v != first + (float)i))
            return 0;
    return t->n > FEW_VALUES && first == floorf(first);
}

/* A value such as 01234; NULL: there is none. */
static const char *find_padded(const ib_table *t)
{
    for (int64_t i = 0; i < t->n; i++) {
        const char *s = t->at[i];
        if (s[0] == '0' && s[1] && !s[strspn(s, "0123456789")])
            return s;
    }
    return NULL;
}

/* Adds a name to the list of columns that may be codes. */
static ib_status add_coded(ib_table *t, const char *name)
{
    if (t->n_coded++ >= LISTED)
        return IB_OK;
    char *more = ib_format_text("%s%s'%.40s'", t->coded ? t->coded : "", t->coded ? ", " : "", name);
    ib_free(t->coded);
    return (t->coded = more) ? IB_OK : IB_ENOMEM;
}

ib_status ib_table_doubt_numbers(ib_table *t, int j)
{
    const char *padded = find_padded(t);
    if (padded)
        return ib_table_say(t, "column '%.60s' has '%.20s' and is taken as numbers (--categorical takes it as names)",
                            t->names[j], padded);
    if (counts_rows(t))
        return ib_table_say(t, "column '%.60s' counts the rows and is taken as a number (--drop leaves it out)",
                            t->names[j]);
    const int values = count_integers(t);
    return values > 2 && values <= FEW_VALUES && t->n >= 2 * values ? add_coded(t, t->names[j]) : IB_OK;
}

ib_status ib_table_doubt_end(ib_table *t)
{
    if (!t->n_coded)
        return IB_OK;
    char more[40] = "";
    if (t->n_coded > LISTED)
        ib_snprintf(more, sizeof more, " and %d more", t->n_coded - LISTED);
    return ib_table_say(t, "integers of few values are taken as numbers in %s%s (--categorical takes them as names)",
                        t->coded, more);
}

/* Without regard to case, and numbers by their value. */
static int by_likeness(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    float v;
    if (ib_cell_read(x, &v) == IB_CELL_NUMBER && ib_cell_read(y, &v) == IB_CELL_NUMBER) {
        const double p = ib_strtod(x, NULL), q = ib_strtod(y, NULL);
        return (p > q) - (p < q);
    }
    return strcasecmp(x, y);
}

ib_status ib_table_doubt_names(ib_table *t, int j, int n, char *const *names)
{
    const char **sorted = ib_alloc((size_t)n * sizeof *sorted);
    if (!sorted)
        return IB_ENOMEM;
    for (int i = 0; i < n; i++)
        sorted[i] = names[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_likeness);
    ib_status status = IB_OK;
    int alike = 0;
    for (int i = 1; i < n && !alike; i++)
        if (!by_likeness(&sorted[i - 1], &sorted[i])) {
            status = ib_table_say(t, "'%.20s' and '%.20s' in column '%.60s' are two names", sorted[i - 1], sorted[i],
                                  t->names[j]);
            alike = 1;
        }
    ib_free(sorted);
    if (!status && n > MANY_INPUTS && j != t->label)
        status = ib_table_say(t, "column '%.60s' has %d names, each of which is an input", t->names[j], n);
    return status;
}
