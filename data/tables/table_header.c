/* table_header.c - a table's first line and the columns' names.
 *
 * The first line is a header if in some column it is a word while numbers stand below, and no number in any such
 * column, or whole ones alone (years) where there are more words than numbers and no word stands again in its own
 * column; or if these are in a row and stand nowhere below, beside words of which none does. Where no column has
 * numbers it is one if its words are all different and none stands again in its own column. A line of numbers is data.
 * For a schema that is known, the first line is a header if it holds the name of a column, be it in another case.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/number.h"
#include "data/tables/table.h"

int64_t ib_table_line(const ib_table *t, int64_t i)
{
    return t->cells.rows[t->first + i].line;
}

void ib_table_go(ib_table *t, int j)
{
    const int from = t->at[0] && t->where <= j ? t->where : 0;
    for (int64_t i = 0; i < t->n; i++) {
        if (!from)
            t->at[i] = ib_cells_row(&t->cells, t->first + i);
        for (int k = from; k < j; k++)
            t->at[i] = ib_next_cell(t->at[i]);
    }
    t->where = j;
}

ib_status ib_table_say(ib_table *t, const char *format, ...)
{
    char text[400];
    va_list a;
    va_start(a, format);
    ib_vsnprintf(text, sizeof text, format, a);
    va_end(a);
    char *more = t->note ? ib_format_text("%s; %s", t->note, text) : ib_strdup(text);
    if (!more)
        return IB_ENOMEM;
    ib_free(t->note);
    t->note = more;
    return IB_OK;
}

/* What stands below the first line in one column. */
typedef struct below {
    int64_t numbers, words;
    int recurs; /* what the first line has */
} below;

static int is_numeric(const below *b)
{
    return b->numbers && b->numbers >= b->words;
}

static void look_below(const ib_cells *c, below *b)
{
    for (int64_t i = 1; i < c->n; i++) {
        const char *cell = ib_cells_row(c, i), *top = ib_cells_row(c, 0);
        for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell), top = ib_next_cell(top)) {
            float v;
            const ib_cell_kind kind = ib_cell_read(cell, &v);
            b[j].numbers += kind == IB_CELL_NUMBER;
            b[j].words += kind == IB_CELL_WORD || kind == IB_CELL_LIKE_ONE || kind == IB_CELL_DATE;
            b[j].recurs |= !strcmp(cell, top);
        }
    }
}

/* Digits alone, as a year that is the name of a column. */
static int is_whole(const char *cell)
{
    return *cell && *cell != '0' && !cell[strspn(cell, "0123456789")];
}

/* How many columns of numbers have whole numbers in a row in the first line, as years, which stand nowhere below; 0:
 * one has another. *first: the first line's first number. */
static int count_numbers(const ib_cells *c, const below *b, const char **first)
{
    const char *cell = ib_cells_row(c, 0);
    int numbers = 0, others = 0;
    double last = 0;
    for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell)) {
        float v;
        if (!is_numeric(&b[j]) || ib_cell_read(cell, &v) != IB_CELL_NUMBER)
            continue;
        *first = *first ? *first : cell;
        others += !is_whole(cell) || b[j].recurs || (numbers && v != last + 1);
        last = v;
        numbers++;
    }
    return others ? 0 : numbers;
}

/* 1, 0, or -1 with ib_error(). */
static int is_header(const ib_cells *c, const below *b)
{
    const char *cell = ib_cells_row(c, 0), *word = NULL;
    int named = 0, valued = 0, numeric = 0, recurs = 0, others = 0, whole = 0, words = 0, repeated = 0;
    for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell)) {
        float v;
        const ib_cell_kind kind = ib_cell_read(cell, &v);
        numeric += is_numeric(&b[j]);
        valued += is_numeric(&b[j]) && kind == IB_CELL_NUMBER;
        named += is_numeric(&b[j]) && kind == IB_CELL_WORD;
        others += kind != IB_CELL_WORD;
        whole += is_numeric(&b[j]) && kind == IB_CELL_NUMBER && is_whole(cell);
        words += kind == IB_CELL_WORD;
        repeated += kind == IB_CELL_WORD && b[j].recurs;
        recurs += b[j].recurs;
        if (!word && is_numeric(&b[j]) && kind == IB_CELL_WORD)
            word = cell;
    }
    if (named && valued && (whole < valued || words + valued < c->columns || words <= valued || repeated))
        return ib_fail(IB_EFORMAT,
                       "%s: line %lld has '%.40s' where a number is expected (a header names every column in words)",
                       c->name, (long long)c->rows[0].line, word),
               -1;
    if (!named && words && words + valued == c->columns && !repeated && count_numbers(c, b, &word) > 1)
        return 1;
    return numeric ? named > 0 : !others && !recurs;
}

/* A first line of numbers that may be meant as names, as years are: taken as data, or as some of the names. */
static ib_status doubt_header(ib_table *t, int header, const below *b)
{
    const long long line = (long long)t->cells.rows[0].line;
    const char *first = NULL;
    const int numbers = count_numbers(&t->cells, b, &first);
    if (header && first)
        return ib_table_say(t, "line %lld is taken as names of columns, '%.20s' among them", line, first);
    return header || numbers < 2 ? IB_OK
                                 : ib_table_say(t,
                                                "line %lld, '%.20s' and so on, is taken as a sample, not as names of "
                                                "columns, which are words",
                                                line, first);
}

/* Whether the first line names a column of the schema, in whatever case. */
static int names_known(const ib_cells *c, const ib_schema_opts *known)
{
    const char *cell = ib_cells_row(c, 0);
    for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell))
        for (int k = 0; k < known->n_columns; k++)
            if (!strcasecmp(cell, known->columns[k].name))
                return 1;
    return 0;
}

static ib_status take_names(ib_table *t, int header)
{
    const ib_cells *c = &t->cells;
    const char *cell = ib_cells_row(c, 0);
    t->first = header;
    t->n = c->n - header;
    t->headerless = !header;
    t->columns = (int)c->columns;
    if (t->n < 1)
        return ib_fail(IB_EFORMAT, "%s: holds a header and no sample", c->name);
    if (!(t->names = ib_alloc((size_t)t->columns * sizeof *t->names)) ||
        !(t->left_out = ib_alloc((size_t)t->columns)) || !(t->categorical = ib_alloc((size_t)t->columns)) ||
        !(t->at = ib_alloc((size_t)t->n * sizeof *t->at)))
        return IB_ENOMEM;
    for (int j = 0; j < t->columns; j++, cell = ib_next_cell(cell))
        if (!(t->names[j] = header ? ib_strdup(cell) : ib_format_text("column %d", j + 1)))
            return IB_ENOMEM;
    return IB_OK;
}

/* The column of that name or number; -1 with ib_error(). */
static int find_column(const ib_table *t, const char *option, const char *text)
{
    char *end;
    int found = -1;
    for (int j = 0; j < t->columns; j++)
        if (!strcmp(t->names[j], text))
            found = found == -1 ? j : -2;
    if (found == -2)
        return ib_fail(IB_EINVAL, "%s: %s '%s' names two columns: their numbers tell them apart", t->cells.name, option,
                       text),
               -1;
    const long n = strtol(text, &end, 10);
    if (found < 0 && *text && !*end && n >= 1 && n <= t->columns)
        found = (int)n - 1;
    if (found < 0)
        ib_fail(IB_EINVAL, "%s: %s '%s' is none of its %d columns: '%s' to '%s', or their numbers from 1",
                t->cells.name, option, text, t->columns, t->names[0], t->names[t->columns - 1]);
    return found;
}

/* Takes each column of an option's list: names or numbers with commas between. NULL is no list. */
static ib_status each_column(ib_table *t, const char *option, const char *text,
                             ib_status (*take)(ib_table *t, int column))
{
    ib_status status = IB_OK;
    char *const list = ib_strdup(text ? text : ""), *end = list;
    if (!list)
        return IB_ENOMEM;
    for (char *name = list; text && name && !status; name = end) {
        if ((end = strchr(name, ',')))
            *end++ = 0;
        if (!name[strspn(name, " \t")])
            status =
                ib_fail(IB_EINVAL, "%s: --%s '%s' names no column at one of its commas", t->cells.name, option, text);
        else {
            const int j = find_column(t, option, name);
            status = j < 0 ? ib_error_status() : take(t, j);
        }
    }
    ib_free(list);
    return status;
}

static ib_status leave_out(ib_table *t, int j)
{
    t->left_out[j] = 1;
    return IB_OK;
}

/* Its values are names whatever they look like; those of a known network are what they were in training. */
static ib_status take_as_names(ib_table *t, int j)
{
    if (t->left_out[j] || ib_table_is_label(t, j))
        return ib_fail(IB_EINVAL, "%s: categorical '%s' is %s", t->cells.name, t->names[j],
                       t->left_out[j] ? "dropped" : "the label, whose values are classes or numbers to learn");
    t->categorical[j] = 1;
    return IB_OK;
}

/* Regression: the columns that are asked for, or the last one that is not left out. */
static ib_status find_targets(ib_table *t)
{
    ib_status status = each_column(t, "label", t->opts->label, ib_table_add_target);
    if (!t->opts->label) {
        int j = t->columns - 1;
        while (j > 0 && t->left_out[j])
            j--;
        status = ib_table_add_target(t, j);
    }
    if (!status && t->known && t->n_targets != ib_schema_of(t->known)->n_targets)
        return ib_fail(IB_EINVAL, "%s: --label '%s' names %d columns; the model gives %d numbers", t->cells.name,
                       t->opts->label, t->n_targets, ib_schema_of(t->known)->n_targets);
    return status;
}

/* The last column that is not left out, or the one that is asked for. */
static ib_status find_label(ib_table *t)
{
    if (t->opts->label) {
        t->label = find_column(t, "label", t->opts->label);
        if (t->label >= 0 && t->left_out[t->label])
            return ib_fail(IB_EINVAL, "%s: '%s' is the label and dropped", t->cells.name, t->names[t->label]);
        return t->label < 0 ? ib_error_status() : IB_OK;
    }
    for (t->label = t->columns - 1; t->label > 0 && t->left_out[t->label];)
        t->label--;
    return IB_OK;
}

/* The label of a network's table: by its name, or behind as many columns as the network takes. */
static ib_status find_known_label(ib_table *t)
{
    const ib_schema_opts *known = ib_schema_of(t->known);
    int kept = 0;
    t->label = -1;
    if (t->opts->label)
        return find_label(t);
    for (int j = 0; j < t->columns; j++) {
        if (!t->headerless && known->label && !t->left_out[j] && !strcmp(t->names[j], known->label))
            t->label = j;
        kept += !t->left_out[j];
    }
    for (int j = 0, at = 0; t->headerless && kept == known->n_columns + 1 && j < t->columns; j++)
        if (!t->left_out[j] && at++ == known->label_at)
            t->label = j;
    return IB_OK;
}

static ib_status check_names(const ib_table *t)
{
    for (int j = 0; j < t->columns; j++) {
        if (t->left_out[j])
            continue;
        if (!*t->names[j])
            return ib_fail(IB_EFORMAT,
                           "%s: line %lld gives column %d no name; --drop %d leaves it out (row numbers are no inputs)",
                           t->cells.name, (long long)t->cells.rows[0].line, j + 1, j + 1);
        if (!ib_is_plain(t->names[j]))
            return ib_fail(IB_EFORMAT, "%s: line %lld names column %d '%.40s', with a control character", t->cells.name,
                           (long long)t->cells.rows[0].line, j + 1, t->names[j]);
        for (int k = 0; k < j; k++)
            if (!t->left_out[k] && !strcmp(t->names[j], t->names[k]))
                return ib_fail(IB_EFORMAT, "%s: line %lld names columns %d and %d '%s'", t->cells.name,
                               (long long)t->cells.rows[0].line, k + 1, j + 1, t->names[j]);
    }
    return IB_OK;
}

static ib_status find_labels(ib_table *t)
{
    const ib_task task = t->known ? ib_schema_of(t->known)->task : t->opts->task;
    if (task != IB_REGRESSION)
        return t->known ? find_known_label(t) : find_label(t);
    if (!(t->target_at = ib_alloc((size_t)t->columns * sizeof *t->target_at)) ||
        !(t->target = ib_alloc((size_t)t->columns * sizeof *t->target)))
        return IB_ENOMEM;
    return t->known && !t->opts->label ? ib_table_known_targets(t) : find_targets(t);
}

ib_status ib_table_header(ib_table *t)
{
    int header;
    ib_status status = IB_OK;
    if (t->known)
        header = names_known(&t->cells, ib_schema_of(t->known));
    else {
        below *b = ib_alloc((size_t)t->cells.columns * sizeof *b);
        if (!b)
            return IB_ENOMEM;
        look_below(&t->cells, b);
        header = is_header(&t->cells, b);
        status = header < 0 ? ib_error_status() : doubt_header(t, header, b);
        ib_free(b);
    }
    if (status || take_names(t, header) || each_column(t, "drop", t->opts->drop, leave_out) || check_names(t) ||
        find_labels(t))
        return ib_error_status();
    return each_column(t, "categorical", t->opts->categorical, take_as_names);
}
