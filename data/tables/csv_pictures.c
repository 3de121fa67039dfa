/* csv_pictures.c - see csv_pictures.h */
#include "data/tables/csv_pictures.h"

#include <math.h>
#include <stdlib.h>

static int64_t side_of(int64_t values)
{
    for (int64_t side = 8; side * side <= values; side++)
        if (side * side == values)
            return side;
    return 0;
}

/* The first line names the columns: words all of them. */
static int has_header(const ib_cells *c)
{
    const char *cell = ib_cells_row(c, 0);
    float v;
    for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell))
        if (ib_cell_read(cell, &v) != IB_CELL_WORD)
            return 0;
    return 1;
}

/* The label's column; -1 with ib_error(). Pictures have it by its name in the first line, or by its number; the last,
 * unless the first line calls another one "label". */
static int64_t find_label(const ib_cells *c, const char *label)
{
    char *end;
    const char *cell = ib_cells_row(c, 0), *name = label ? label : "label";
    for (int64_t j = 0; j < c->columns && (label || has_header(c)); j++, cell = ib_next_cell(cell))
        if (!strcmp(cell, name))
            return j;
    if (!label)
        return c->columns - 1;
    const long n = strtol(label, &end, 10);
    if (*label && !*end && n >= 1 && n <= c->columns)
        return n - 1;
    return ib_fail(IB_EINVAL, "%s: label '%s' is none of its %lld columns", c->name, label, (long long)c->columns), -1;
}

static ib_status check_header(const ib_cells *c)
{
    const char *a = ib_cells_row(c, 0);
    for (int64_t j = 0; j < c->columns; j++, a = ib_next_cell(a)) {
        const char *b = ib_next_cell(a);
        for (int64_t k = j + 1; k < c->columns; k++, b = ib_next_cell(b))
            if (!strcmp(a, b))
                return ib_fail(IB_EFORMAT, "%s: line %lld: '%.40s' stands twice: no numbers, and no names of columns",
                               c->name, (long long)c->rows[0].line, a);
    }
    return IB_OK;
}

int ib_csv_like_pictures(const ib_cells *c, const char *label)
{
    const int64_t at = find_label(c, label);
    int integers = 1, fractions = 1;
    if (at < 0 || !side_of(c->columns - 1))
        return 0;
    for (int64_t i = has_header(c); i < c->n && (integers || fractions); i++) {
        const char *cell = ib_cells_row(c, i);
        for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell)) {
            float v;
            const int number = ib_cell_read(cell, &v) == IB_CELL_NUMBER,
                      integer = number && v >= 0 && v <= 65535 && v == floorf(v);
            if (j == at && !integer)
                return 0;
            integers &= j == at || integer;
            fractions &= j == at || (number && v >= 0 && v <= 1);
        }
    }
    return integers || fractions;
}

typedef struct pictures {
    const ib_cells *c;
    const ib_data_opts *opts;
    const ib_input_info *net;
    int64_t asked[3], shape[4];
    int64_t first, n, label; /* label -1: none */
} pictures;

/* The shape of a sample as shape[1..3], and whether a label stands beside it. */
static ib_status find_shape(pictures *p)
{
    const ib_cells *c = p->c;
    const ib_input_info *net = p->net;
    const int64_t *asked = p->asked, columns = c->columns;
    const int64_t k = asked[0] ? asked[0] * asked[1] * asked[2] : net ? (int64_t)net->c * net->h * net->w : columns - 1;
    if (columns < 2 && k != 1)
        return ib_fail(IB_EFORMAT, "%s: line %lld has 1 value, 2 are expected", c->name, (long long)c->rows[0].line);
    if (columns != k && columns != k + 1 && asked[0])
        return ib_fail(IB_EINVAL, "%s: %lld values a line; a sample of %lldx%lldx%lld has %lld, with its label %lld",
                       c->name, (long long)columns, (long long)asked[0], (long long)asked[1], (long long)asked[2],
                       (long long)k, (long long)k + 1);
    if (columns != k && columns != k + 1)
        return ib_fail(
            IB_EINVAL,
            "%s: %lld values a line; the model was made for %dx%dx%d, which are %lld, with a label %lld (line %lld)",
            c->name, (long long)columns, net->c, net->h, net->w, (long long)k, (long long)k + 1,
            (long long)c->rows[0].line);
    if (!asked[0] && net && net->c > 1 && net->h * net->w > 1)
        return ib_fail(IB_EINVAL, "%s: does not say the order of its values; csv:%s:%dx%dx%d does (channel by channel)",
                       c->name, c->name, net->c, net->h, net->w);
    p->label = columns == k + 1 ? find_label(c, p->opts->label) : -1;
    if (p->label < 0 && p->opts->label)
        return columns == k + 1 ? ib_error_status()
                                : ib_fail(IB_EINVAL, "%s: label '%s': its %lld values are a sample without a label",
                                          c->name, p->opts->label, (long long)k);
    for (int i = 0; i < 3; i++)
        p->shape[1 + i] = asked[i];
    return asked[0] ? IB_OK : ib_dataset_shape(c->name, 2, (int64_t[]){p->n, k}, net, p->shape);
}

/* All integers: they are raw values 0..raw_max, what the network says or else what the values say, and the data become
 * x / raw_max. */
static ib_status find_raw_max(ib_dataset *d, const ib_input_info *net)
{
    const int64_t size = d->n * d->c * d->h * d->w;
    float top = 0;
    if (net && net->std > 0 && !net->raw_max)
        return IB_OK;
    for (int64_t i = 0; i < size; i++) {
        if (d->x[i] != floorf(d->x[i]) || d->x[i] < 0 || d->x[i] > 65535)
            return IB_OK;
        top = d->x[i] > top ? d->x[i] : top;
    }
    d->raw_max = net ? ib_dataset_raw_max(d->name, net) : top > 16 && top <= 255 ? 255 : (int)top;
    if (d->raw_max < 0)
        return ib_error_status();
    if (top > (float)d->raw_max)
        return ib_fail(IB_EINVAL, "%s: holds integers up to %g, the model's raw values end at %d", d->name, top,
                       d->raw_max);
    for (int64_t i = 0; d->raw_max && i < size; i++)
        d->x[i] /= (float)d->raw_max;
    return IB_OK;
}

/* A label: a name of the network's classes, or an integer. */
static ib_status take_label(const pictures *p, int64_t row, const char *cell, int32_t *y)
{
    const char *name;
    float v;
    for (int k = 0; p->opts->schema && (name = ib_schema_class(p->opts->schema, k)); k++)
        if (!strcmp(name, cell))
            return *y = k, IB_OK;
    const ib_cell_kind kind = ib_cell_read(cell, &v);
    if (kind == IB_CELL_NUMBER && v == floorf(v) && v >= 0 && v < 65536)
        return *y = (int32_t)v, IB_OK;
    return ib_fail(IB_EFORMAT, "%s: line %lld ends with label '%.40s', not an integer in 0..65535", p->c->name,
                   (long long)p->c->rows[row].line, cell);
}

static ib_status take_row(const pictures *p, int64_t row, float *x, int32_t *y)
{
    const ib_cells *c = p->c;
    const char *cell = ib_cells_row(c, row);
    const long long line = (long long)c->rows[row].line;
    for (int64_t j = 0; j < c->columns; j++, cell = ib_next_cell(cell)) {
        if (j == p->label) {
            if (take_label(p, row, cell, y))
                return ib_error_status();
            continue;
        }
        const ib_cell_kind kind = ib_cell_read(cell, x++);
        if (kind == IB_CELL_BEYOND)
            return ib_fail(IB_ENUMERIC, "%s: line %lld, value %lld is %.40s, beyond single precision", c->name, line,
                           (long long)j + 1, cell);
        if (kind != IB_CELL_NUMBER)
            return ib_fail(IB_EFORMAT, "%s: line %lld has '%.20s' where a number is expected, as value %lld%s", c->name,
                           line, cell, (long long)j + 1, row ? "" : " (a header names every column in words)");
    }
    return IB_OK;
}

static ib_dataset *read_pictures(const pictures *p, ib_split split)
{
    const int64_t k = p->shape[1] * p->shape[2] * p->shape[3];
    ib_dataset *d = ib_dataset_reserve(p->c->name, p->n, p->shape[1], p->shape[2], p->shape[3], 0, p->label >= 0);
    ib_status status = d ? IB_OK : ib_error_status();
    for (int64_t i = 0; i < p->n && !status; i++)
        status = take_row(p, p->first + i, d->x + i * k, d->y ? d->y + i : NULL);
    if (!status)
        status = find_raw_max(d, p->net);
    if (status) {
        ib_dataset_free(d);
        return NULL;
    }
    if (p->opts->schema)
        d->schema = ib_schema_hold(p->opts->schema);
    if (p->label >= 0 && p->label < p->c->columns - 1 && !p->opts->label)
        d->note = ib_format_text("%s: column %lld, 'label', holds the labels", p->c->name, (long long)p->label + 1);
    return ib_dataset_every_fifth(ib_dataset_finish(p->c->name, d), split);
}

ib_status ib_csv_pictures_open(const ib_cells *c, const ib_data_opts *opts, const ib_input_info *net,
                               const int64_t asked[3], const int wanted[3], ib_dataset *parts[3])
{
    pictures p = {.c = c, .opts = opts, .net = net, .asked = {asked[0], asked[1], asked[2]}};
    const char *of_tables = opts->drop             ? "drop"
                            : opts->categorical    ? "categorical"
                            : opts->fill_missing   ? "missing"
                            : opts->split_seed     ? "split-seed"
                            : opts->test_share > 0 ? "test-share"
                            : opts->folds          ? "folds"
                            : opts->task           ? "task"
                                                   : NULL;
    if (of_tables)
        return ib_fail(IB_EINVAL, "%s: holds pictures, not a table: --%s has no effect on them", c->name, of_tables);
    p.first = has_header(c);
    if (p.first && check_header(c))
        return ib_error_status();
    p.n = c->n - p.first;
    if (p.n < 1)
        return ib_fail(IB_EFORMAT, "%s: holds no sample", c->name);
    if (find_shape(&p))
        return ib_error_status();
    for (int s = 0; s < 3; s++)
        if (wanted[s] && !(parts[s] = read_pictures(&p, (ib_split)s)))
            return ib_error_status();
    return IB_OK;
}
