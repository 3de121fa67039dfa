/* table_targets.c - a table's real-valued labels: which columns they are, their values, their means and deviations. */
#include <math.h>
#include <stdio.h>

#include "data/tables/table.h"

int ib_table_is_label(const ib_table *t, int j)
{
    for (int k = 0; k < t->n_targets; k++)
        if (t->target_at[k] == j)
            return 1;
    return j == t->label;
}

ib_status ib_table_add_target(ib_table *t, int j)
{
    if (j < 0)
        return ib_error_status();
    if (ib_table_is_label(t, j))
        return ib_fail(IB_EINVAL, "%s: label '%s' stands there twice", t->cells.name, t->names[j]);
    if (t->left_out[j])
        return ib_fail(IB_EINVAL, "%s: '%s' is a label and dropped", t->cells.name, t->names[j]);
    t->target_at[t->n_targets++] = j;
    return IB_OK;
}

ib_status ib_table_known_targets(ib_table *t)
{
    const ib_schema_opts *known = ib_schema_of(t->known);
    int kept = 0;
    for (int j = 0; j < t->columns; j++)
        kept += !t->left_out[j];
    if (t->headerless && kept == known->n_columns)
        return IB_OK;
    for (int k = 0; k < known->n_targets; k++)
        for (int j = 0; j < t->columns; j++)
            if (!t->left_out[j] && !strcmp(t->names[j], known->targets[k].name))
                t->target_at[t->n_targets++] = j;
    if (!t->n_targets || t->n_targets == known->n_targets)
        return IB_OK;
    for (int k = 0; k < known->n_targets; k++)
        for (int i = 0; i < t->n_targets && strcmp(t->names[t->target_at[i]], known->targets[k].name); i++)
            if (i == t->n_targets - 1)
                return ib_fail(IB_EINVAL,
                               "%s: lacks the label '%s' of the model, which has %d: --drop leaves the others out",
                               t->cells.name, known->targets[k].name, known->n_targets);
    return IB_OK;
}

/* Column j as target k of t->targets. */
static ib_status read_target(ib_table *t, int j, int k)
{
    ib_table_go(t, j);
    for (int64_t i = 0; i < t->n; i++) {
        const ib_cell_kind kind = ib_cell_read(t->at[i], &t->targets[i * t->n_targets + k]);
        if (kind != IB_CELL_NUMBER)
            return ib_fail(IB_EFORMAT, "%s: line %lld has '%.40s' as label in column '%s'%s", t->cells.name,
                           (long long)ib_table_line(t, i), t->at[i], t->names[j],
                           kind == IB_CELL_MISSING  ? ": every row needs one"
                           : kind == IB_CELL_BEYOND ? ", beyond single precision"
                                                    : ", no number: --task regression learns numbers");
    }
    return IB_OK;
}

/* Over the training rows. */
static ib_status measure_target(const ib_table *t, int j, int k, ib_target *target)
{
    double sum = 0, square = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (!t->test[i]) {
            sum += t->targets[i * t->n_targets + k];
            n++;
        }
    const double mean = n ? sum / (double)n : 0;
    for (int64_t i = 0; i < t->n; i++)
        if (!t->test[i]) {
            const double off = t->targets[i * t->n_targets + k] - mean;
            square += off * off;
        }
    const double std = n ? sqrt(square / (double)n) : 0;
    return ib_target_scale(t->cells.name, t->names[j], mean, std, target);
}

ib_status ib_table_targets(ib_table *t)
{
    const int of = t->n_targets;
    const ib_target *scale = t->known ? ib_schema_of(t->known)->targets : t->target;
    if (!of)
        return IB_OK;
    if (!(t->targets = ib_alloc((size_t)t->n * (size_t)of * sizeof *t->targets)))
        return IB_ENOMEM;
    for (int k = 0; k < of; k++)
        if (read_target(t, t->target_at[k], k) || (!t->known && measure_target(t, t->target_at[k], k, &t->target[k])))
            return ib_error_status();
    for (int64_t i = 0; i < t->n * of; i++)
        t->targets[i] = (t->targets[i] - scale[i % of].mean) / scale[i % of].std;
    return IB_OK;
}
