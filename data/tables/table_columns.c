/* table_columns.c - a table's columns as numbers: which hold numbers and which names, means and deviations over the
 * training rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/number.h"
#include "data/tables/table.h"

enum { MOST_NAMES = 1000, MOST_ALL_DIFFERENT = 5 /* rows that may have a name each */ };

/* What one column holds. */
typedef struct survey {
    int64_t count[IB_CELL_WORD + 1], first[IB_CELL_WORD + 1]; /* rows of each kind, and the first of them */
} survey;

static void look(const ib_table *t, survey *s)
{
    *s = (survey){0};
    for (int64_t i = 0; i < t->n; i++) {
        float v;
        const ib_cell_kind kind = ib_cell_read(t->at[i], &v);
        if (!s->count[kind]++)
            s->first[kind] = i;
    }
}

static ib_status bad_cell(const ib_table *t, int j, int64_t i, const char *why)
{
    return ib_fail(IB_EFORMAT, "%s: line %lld has '%.40s' in column '%s'%s", t->cells.name,
                   (long long)ib_table_line(t, i), t->at[i], t->names[j], why);
}

/* Cells that no column may have, and missing ones where they are not filled in. */
static ib_status check_cells(const ib_table *t, int j, const survey *s, int numeric, int fill)
{
    if (s->count[IB_CELL_ERROR])
        return bad_cell(t, j, s->first[IB_CELL_ERROR],
                        ", an error of a spreadsheet: mend it there, or leave the "
                        "column out with --drop");
    if (s->count[IB_CELL_BEYOND])
        return bad_cell(t, j, s->first[IB_CELL_BEYOND], ", beyond single precision");
    if (s->count[IB_CELL_LIKE_ONE] && (numeric || s->count[IB_CELL_LIKE_ONE] >= s->count[IB_CELL_WORD]))
        return bad_cell(t, j, s->first[IB_CELL_LIKE_ONE],
                        " where a number is expected: digits, a point before decimals, nothing between thousands, no "
                        "percent, currency or unit (--categorical takes the column as names)");
    if (s->count[IB_CELL_DATE] && (numeric || s->count[IB_CELL_DATE] >= s->count[IB_CELL_WORD]))
        return bad_cell(t, j, s->first[IB_CELL_DATE],
                        ", a day or a time: write it as numbers (a year, days since another), or leave the column out "
                        "with --drop, or take it as names with --categorical");
    if (numeric && s->count[IB_CELL_WORD])
        return bad_cell(t, j, s->first[IB_CELL_WORD], " where a number is expected");
    if (s->count[IB_CELL_MISSING] && !fill)
        return ib_fail(IB_EFORMAT,
                       "%s: line %lld has no value in column '%s' ('%.40s'): --missing mean fills it in, --drop leaves "
                       "the column out",
                       t->cells.name, (long long)ib_table_line(t, s->first[IB_CELL_MISSING]), t->names[j],
                       t->at[s->first[IB_CELL_MISSING]]);
    return IB_OK;
}

/* Numbers of file column j as column k of t->raw, [n, of]. */
static void read_numbers(ib_table *t, int k, int of)
{
    for (int64_t i = 0; i < t->n; i++)
        ib_cell_read(t->at[i], &t->raw[i * of + k]); /* NaN where it is missing */
}

/* Names as the index among n sorted ones; -1 or the row of an unknown one. */
static int64_t read_names(ib_table *t, int k, int of, int n, char *const *names)
{
    float v;
    for (int64_t i = 0; i < t->n; i++) {
        const int at = ib_sorted_find(n, names, t->at[i]);
        const int missing = ib_cell_read(t->at[i], &v) == IB_CELL_MISSING;
        if (at < 0 && !missing)
            return i;
        t->raw[i * of + k] = at < 0 ? NAN : (float)at;
    }
    return -1;
}

/* Mean and standard deviation of the training rows, of the values as the file has them. */
static ib_status measure(ib_table *t, int j, int k, int of, ib_column *c)
{
    double sum = 0, square = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (!t->test[i] && !isnan(t->raw[i * of + k])) {
            sum += ib_strtod(t->at[i], NULL);
            n++;
        }
    if (!n)
        return ib_fail(IB_EFORMAT, "%s: column '%s' has no value in the training rows: --drop leaves it out",
                       t->cells.name, t->names[j]);
    const double mean = sum / (double)n;
    for (int64_t i = 0; i < t->n; i++)
        if (!t->test[i] && !isnan(t->raw[i * of + k])) {
            const double off = ib_strtod(t->at[i], NULL) - mean;
            square += off * off;
        }
    const double std = sqrt(square / (double)n);
    c->mean = (float)mean;
    c->std = (float)std;
    if (!(std > 0))
        c->std = 1;
    if (std > 0 && std < fabs(mean) * 0x1p-16)
        return ib_fail(IB_EFORMAT,
                       "%s: column '%s' has mean %g and standard deviation %g, which single precision hardly tells "
                       "apart: subtract the mean "
                       "in the file, or leave it out with --drop",
                       t->cells.name, t->names[j], mean, std);
    if (!isfinite(c->mean) || !isfinite(c->std) || !isfinite(1.0f / c->std))
        return ib_fail(IB_EFORMAT, "%s: column '%s' has mean %g and standard deviation %g, beyond single precision",
                       t->cells.name, t->names[j], mean, std);
    return std > 0 ? IB_OK : ib_table_say(t, "column '%s' is %g in every training row", t->names[j], mean);
}

/* The name that most training rows have. */
static ib_status find_usual(const ib_table *t, int k, int of, ib_column *c)
{
    int64_t *count = ib_alloc((size_t)c->n_names * sizeof *count);
    if (!count)
        return IB_ENOMEM;
    for (int64_t i = 0; i < t->n; i++)
        if (!t->test[i] && !isnan(t->raw[i * of + k]))
            count[(int)t->raw[i * of + k]]++;
    for (int n = 1; n < c->n_names; n++)
        c->usual = count[n] > count[c->usual] ? n : c->usual;
    ib_free(count);
    return IB_OK;
}

/* The survey of what is no name; all else is one, whatever it looks like. */
static survey nameless(const survey *s)
{
    survey only = {0};
    static const ib_cell_kind kinds[] = {IB_CELL_MISSING, IB_CELL_ERROR};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        only.count[kinds[i]] = s->count[kinds[i]];
        only.first[kinds[i]] = s->first[kinds[i]];
    }
    return only;
}

/* File column j as column k of a schema that is being made. */
static ib_status learn_column(ib_table *t, int j, int k, int of, ib_column *c)
{
    survey s;
    ib_table_go(t, j);
    look(t, &s);
    if (t->categorical[j])
        s = nameless(&s);
    const int numeric = s.count[IB_CELL_NUMBER] && s.count[IB_CELL_NUMBER] >= s.count[IB_CELL_WORD];
    if (check_cells(t, j, &s, numeric, t->opts->fill_missing))
        return ib_error_status();
    if (s.count[IB_CELL_MISSING] == t->n)
        return ib_fail(IB_EFORMAT, "%s: column '%s' has no value in any row: --drop leaves it out", t->cells.name,
                       t->names[j]);
    if (!numeric && s.count[IB_CELL_NUMBER])
        return bad_cell(t, j, s.first[IB_CELL_NUMBER], ", a number among names (--categorical takes all as names)");
    *c = (ib_column){.name = t->names[j]};
    if (numeric) {
        read_numbers(t, k, of);
        return measure(t, j, k, of, c) || ib_table_doubt_numbers(t, j) ? ib_error_status() : IB_OK;
    }
    char **names = ib_table_names(t, &c->n_names);
    if (!names)
        return ib_error_status();
    c->names = (const char *const *)names;
    const int64_t there = t->n - s.count[IB_CELL_MISSING];
    if (c->n_names > MOST_NAMES || (c->n_names > 20 && 2 * (int64_t)c->n_names > t->n) ||
        (c->n_names == there && there > MOST_ALL_DIFFERENT))
        return ib_fail(IB_EFORMAT,
                       "%s: column '%s' has %d different names in %lld rows ('%.20s', ...), which are no categories: "
                       "--drop leaves it out",
                       t->cells.name, t->names[j], c->n_names, (long long)t->n, names[0]);
    read_names(t, k, of, c->n_names, names);
    return find_usual(t, k, of, c) || ib_table_doubt_names(t, j, c->n_names, names) ? ib_error_status() : IB_OK;
}

/* The schema that the rows make. */
static ib_status learn(ib_table *t, char **classes, int n_classes)
{
    const char *label = t->names[t->target_at ? t->target_at[0] : t->label];
    ib_schema_opts o = {.task = t->target_at ? IB_REGRESSION : IB_CLASSIFICATION,
                        .n_targets = t->n_targets,
                        .targets = t->target,
                        .n_classes = n_classes,
                        .classes = (const char *const *)classes,
                        .label = t->target_at ? NULL : label,
                        .headerless = t->headerless,
                        .fill_missing = t->opts->fill_missing,
                        .split_seed = t->opts->split_seed,
                        .test_share = t->opts->test_share};
    int of = 0;
    for (int j = 0; j < t->columns; j++)
        of += !t->left_out[j] && !ib_table_is_label(t, j);
    if (!of)
        return ib_fail(
            IB_EFORMAT,
            "%s: has no column besides the label '%s' (are its values separated by commas, semicolons or tabs?)",
            t->cells.name, label);
    ib_column *columns = ib_alloc((size_t)of * sizeof *columns);
    t->raw = ib_alloc((size_t)t->n * (size_t)of * sizeof *t->raw);
    ib_status status = columns && t->raw ? IB_OK : IB_ENOMEM;
    for (int j = 0; j < t->columns && !status; j++) {
        if (!t->target_at && j == t->label)
            o.label_at = o.n_columns;
        else if (!t->left_out[j] && !ib_table_is_label(t, j)) {
            status = learn_column(t, j, o.n_columns, of, &columns[o.n_columns]);
            o.n_columns++;
        }
    }
    o.columns = columns;
    if (!status)
        status = ib_table_doubt_end(t);
    if (!status && !(t->schema = ib_schema_new(&o)))
        status = ib_error_status();
    for (int k = 0; columns && k < o.n_columns; k++)
        ib_names_free(columns[k].n_names, (char **)columns[k].names);
    ib_free(columns);
    return status;
}

/* File column j as the network's column k. */
static ib_status take_column(ib_table *t, int j, int k)
{
    const ib_schema_opts *known = ib_schema_of(t->known);
    const ib_column *c = &known->columns[k];
    survey s;
    int64_t odd;
    ib_table_go(t, j);
    look(t, &s);
    if (t->categorical[j] && !c->n_names)
        return ib_fail(IB_EINVAL, "%s: categorical '%s' is a column of numbers to the model", t->cells.name, c->name);
    if (c->n_names) {
        s = nameless(&s);
        if (check_cells(t, j, &s, 0, known->fill_missing || t->opts->fill_missing))
            return ib_error_status();
        int sorted = 1;
        for (int n = 1; n < c->n_names; n++)
            sorted &= strcmp(c->names[n - 1], c->names[n]) < 0;
        if (!sorted)
            return ib_fail(IB_EINVAL, "%s: the names of column '%s' are not sorted in the schema", t->cells.name,
                           c->name);
        odd = read_names(t, k, known->n_columns, c->n_names, (char *const *)c->names);
        if (odd < 0)
            return IB_OK;
        char why[120];
        ib_snprintf(why, sizeof why, ", which is none of the %d names that the model knows ('%.20s' to '%.20s')",
                    c->n_names, c->names[0], c->names[c->n_names - 1]);
        return bad_cell(t, j, odd, why);
    }
    if (check_cells(t, j, &s, 1, known->fill_missing || t->opts->fill_missing))
        return ib_error_status();
    read_numbers(t, k, known->n_columns);
    return IB_OK;
}

/* The column of the file that is the network's column k; -1 with ib_error(). */
static int find_known(const ib_table *t, int k)
{
    const ib_schema_opts *known = ib_schema_of(t->known);
    int place = 0;
    for (int j = 0; j < t->columns; j++) {
        if (t->left_out[j] || ib_table_is_label(t, j))
            continue;
        if (t->headerless ? place++ == k : !strcmp(t->names[j], known->columns[k].name))
            return j;
    }
    for (int j = 0; j < t->columns; j++)
        if (!t->left_out[j] && !strcasecmp(t->names[j], known->columns[k].name))
            return ib_fail(IB_EINVAL,
                           "%s: lacks the column '%s', which the model takes ('%.60s' is another: case matters)",
                           t->cells.name, known->columns[k].name, t->names[j]),
                   -1;
    return ib_fail(IB_EINVAL, "%s: lacks the column '%s', which the model takes", t->cells.name,
                   known->columns[k].name),
           -1;
}

/* The columns that the network knows. */
static ib_status take(ib_table *t)
{
    const ib_schema_opts *known = ib_schema_of(t->known);
    int *column_of = ib_alloc((size_t)t->columns * sizeof *column_of), kept = 0; /* 0: none */
    ib_status status =
        column_of && (t->raw = ib_alloc((size_t)t->n * (size_t)known->n_columns * sizeof *t->raw)) ? IB_OK : IB_ENOMEM;
    for (int j = 0; j < t->columns; j++)
        kept += !t->left_out[j] && !ib_table_is_label(t, j);
    if (!status && t->headerless && kept != known->n_columns)
        status = ib_fail(IB_EINVAL,
                         "%s: %d columns without names; the model takes %d, and '%s' as label: name them in the first "
                         "line, or bring all in the same order",
                         t->cells.name, t->columns, known->n_columns,
                         known->n_targets ? known->targets[0].name
                         : known->label   ? known->label
                                          : "");
    for (int k = 0; k < known->n_columns && !status; k++) {
        const int j = find_known(t, k);
        if (j < 0)
            status = ib_error_status();
        else
            column_of[j] = k + 1;
    }
    for (int j = 0; j < t->columns && !status; j++)
        if (column_of[j])
            status = take_column(t, j, column_of[j] - 1);
        else if (!ib_table_is_label(t, j) && !t->left_out[j])
            status = ib_table_say(t, "column '%.60s' is not used: the model does not know it", t->names[j]);
    if (!status)
        t->schema = ib_schema_hold(t->known);
    ib_free(column_of);
    return status;
}

ib_status ib_table_columns(ib_table *t, char **classes, int n_classes)
{
    return t->known ? take(t) : learn(t, classes, n_classes);
}
