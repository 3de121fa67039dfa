/* array_columns.c - rows of real numbers in an array, [N,K], as a table whose columns are known by their place: each is
 * standardized by its own mean and deviation, for it has its own unit. */
#include <math.h>

#include "base/number.h"
#include "data/dataset.h"

typedef struct columns {
    const ib_dataset *d;
    ib_column *column;
    char (*name)[24];
    int constant, first; /* columns of one value; one of them */
} columns;

void ib_column_moments(const float *x, int64_t n, int64_t columns, double *mean, double *std)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i * columns];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i * columns] - *mean) * (x[i * columns] - *mean);
    *std = sqrt(square / (double)n);
}

static ib_status measure(columns *c, int k)
{
    const ib_dataset *d = c->d;
    double mean, std;
    ib_column_moments(d->x + k, d->n, d->c, &mean, &std);
    ib_snprintf(c->name[k], sizeof c->name[k], "column %d", k + 1);
    c->column[k] = (ib_column){.name = c->name[k], .mean = (float)mean, .std = std > 0 ? (float)std : 1};
    if (!(std > 0) && !c->constant++)
        c->first = k;
    if (std > 0 && (std < fabs(mean) * 0x1p-16 || !isfinite(1.0f / (float)std) || !isfinite((float)std)))
        return ib_fail(
            IB_EFORMAT,
            "%s: column %d has mean %g and standard deviation %g, which single precision does not tell apart", d->name,
            k + 1, mean, std);
    return IB_OK;
}

static ib_status note_constant(const columns *c, ib_dataset *d)
{
    char more[48] = "";
    if (!c->constant)
        return IB_OK;
    if (c->constant > 1)
        ib_snprintf(more, sizeof more, ", as %d more have one value", c->constant - 1);
    char *note = ib_format_text("%s%s%s: column %d is %g in every training row%s", d->note ? d->note : "",
                                d->note ? "; " : "", d->name, c->first + 1, d->x[c->first], more);
    ib_free(d->note);
    return (d->note = note) ? IB_OK : IB_ENOMEM;
}

ib_schema *ib_columns_measure(ib_dataset *d)
{
    columns c = {
        .d = d, .column = ib_alloc((size_t)d->c * sizeof *c.column), .name = ib_alloc((size_t)d->c * sizeof *c.name)};
    ib_status status = c.column && c.name ? IB_OK : IB_ENOMEM;
    for (int k = 0; k < d->c && !status; k++)
        status = measure(&c, k);
    if (!status)
        status = note_constant(&c, d);
    ib_schema *s =
        status ? NULL : ib_schema_new(&(ib_schema_opts){.n_columns = d->c, .columns = c.column, .headerless = 1});
    ib_free(c.column);
    ib_free(c.name);
    return s;
}

int ib_columns_are(const ib_dataset *d)
{
    return d && d->x && !d->raw_max && !d->schema && d->c > 1 && d->h == 1 && d->w == 1;
}
