/* table.c - a table of a file as data sets. */
#include <stdio.h>

#include "base/number.h"
#include "data/tables/table.h"

/* How the test part is drawn: as asked for, as the network's was, or as usual. */
static double share_of(const ib_table *t)
{
    const double known = t->known ? ib_schema_of(t->known)->test_share : 0;
    return t->opts->test_share > 0 ? t->opts->test_share : known > 0 ? known : IB_TEST_SHARE;
}

/* A network that was trained on all rows: no row of a file is known to be of a test. */
static int is_whole(const ib_table *t)
{
    return t->known && !(ib_schema_of(t->known)->test_share > 0) && !(t->opts->test_share > 0) && !t->opts->folds;
}

static uint64_t seed_of(const ib_table *t)
{
    return t->opts->split_seed || !t->known ? t->opts->split_seed : ib_schema_of(t->known)->split_seed;
}

static ib_dataset *part(const ib_table *t, ib_split split)
{
    const int columns = ib_schema_of(t->schema)->n_columns, inputs = ib_schema_inputs(t->schema);
    const int all = split == IB_SPLIT_ALL || t->whole;
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++)
        n += all || (split == IB_SPLIT_TEST) == t->test[i];
    if (!n)
        return ib_fail_null(
            IB_EFORMAT, "%s: too few samples for a %s part of its own: there are %lld, of which %g are for the test",
            t->cells.name, split == IB_SPLIT_TEST ? "test" : "training", (long long)t->n, share_of(t));
    ib_dataset *d = ib_dataset_reserve(t->cells.name, n, inputs, 1, 1, 0, t->y != NULL);
    if (!d || (t->targets && ib_dataset_reserve_targets(d, t->n_targets)) ||
        !(d->line = ib_alloc((size_t)n * sizeof *d->line))) {
        ib_dataset_free(d);
        return NULL;
    }
    n = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (all || (split == IB_SPLIT_TEST) == t->test[i]) {
            ib_schema_apply(t->schema, t->raw + i * columns, d->x + n * inputs);
            if (t->y)
                d->y[n] = t->y[i];
            if (t->targets)
                memcpy(d->targets + n * t->n_targets, t->targets + i * t->n_targets,
                       (size_t)t->n_targets * sizeof *d->targets);
            d->line[n] = ib_table_line(t, i);
            n++;
        }
    d->schema = ib_schema_hold(t->schema);
    d = ib_dataset_finish(t->cells.name, d);
    if (d && t->y)
        d->classes = ib_schema_of(t->schema)->n_classes; /* also those that no row of this part has */
    if (d && t->note && !(d->note = ib_strdup(t->note))) {
        ib_dataset_free(d);
        d = NULL;
    }
    return d;
}

/* Every fold tests a row of each class, or two of numbers: R^2 of one means nothing. */
static ib_status check_folds(const ib_table *t, const char *class, int64_t rows)
{
    const int folds = t->opts->folds;
    const int64_t most = t->y ? rows : rows / 2;
    char advice[64];
    if (most >= folds)
        return IB_OK;
    ib_snprintf(advice, sizeof advice, most < 2 ? "there is too little for two" : "--folds %lld is the most",
                (long long)most);
    return ib_fail(IB_EINVAL, "%s: %s%.60s%s has %lld row%s, %s for each of %d folds: %s", t->cells.name,
                   class ? "class '" : "", class ? class : "it", class ? "'" : "", (long long)rows,
                   rows == 1 ? "" : "s", t->y ? "not one" : "not two", folds, advice);
}

/* Which rows are for the test; what is too few of a class is said. */
static ib_status divide(ib_table *t, const int wanted[3], char *const *classes, int n_classes)
{
    const int folds = t->opts->folds;
    ib_status status = IB_OK;
    if (!(t->test = ib_alloc((size_t)t->n)))
        return IB_ENOMEM;
    if (!wanted[IB_SPLIT_TRAIN] && !wanted[IB_SPLIT_TEST])
        return IB_OK;
    if (t->whole)
        return ib_table_say(t, "the model was trained on all rows of its table: they are no test of it");
    for (int k = 0; t->y && k < n_classes && !status; k++) {
        int64_t rows = 0;
        for (int64_t i = 0; i < t->n; i++)
            rows += t->y[i] == k;
        if (folds)
            status = check_folds(t, classes[k], rows);
        else if (rows == 1)
            status = ib_table_say(t, "class '%.60s' has one row, which is never tested", classes[k]);
    }
    if (!status && folds && !t->y)
        status = check_folds(t, NULL, t->n);
    if (status || folds)
        return status ? status : ib_stratify_fold(t->n, t->y, folds, t->opts->fold, seed_of(t), t->test);
    status = ib_stratify(t->n, t->y, share_of(t), seed_of(t), t->test);
    return status || !wanted[IB_SPLIT_TRAIN] || memchr(t->test, 0, (size_t)t->n)
               ? status
               : ib_fail(IB_EINVAL, "%s: --test-share %g leaves none of its %lld rows to train on", t->cells.name,
                         share_of(t), (long long)t->n);
}

static void drop_table(ib_table *t)
{
    ib_names_free(t->columns, t->names);
    ib_free(t->left_out);
    ib_free(t->categorical);
    ib_free(t->coded);
    ib_free(t->at);
    ib_free(t->y);
    ib_free(t->target_at);
    ib_free(t->target);
    ib_free(t->targets);
    ib_free(t->test);
    ib_free(t->raw);
    ib_schema_free(t->schema);
    ib_free(t->note);
}

ib_status ib_table_open(ib_cells *cells, const ib_data_opts *opts, const int wanted[3], ib_dataset *parts[3])
{
    ib_data_opts o = *opts;
    ib_table t = {.cells = *cells, .opts = &o, .known = opts->schema, .label = -1};
    char **classes = NULL;
    int n_classes = 0;
    t.whole = is_whole(&t);
    o.test_share = !wanted[IB_SPLIT_TRAIN] && !wanted[IB_SPLIT_TEST] ? 0 : o.folds ? 1.0 / o.folds : share_of(&t);
    o.split_seed = seed_of(&t);
    ib_status status = ib_table_header(&t);
    if (!status && !t.target_at)
        status = ib_table_labels(&t, &classes, &n_classes);
    if (!status)
        status = divide(&t, wanted, classes, n_classes);
    if (!status)
        status = ib_table_targets(&t);
    if (!status)
        status = ib_table_columns(&t, classes, n_classes);
    for (int s = 0; s < 3 && !status; s++)
        if (wanted[s] && !(parts[s] = part(&t, (ib_split)s)))
            status = ib_error_status();
    for (int s = 0; s < 3 && status; s++) {
        ib_dataset_free(parts[s]);
        parts[s] = NULL;
    }
    ib_names_free(n_classes, classes);
    drop_table(&t);
    return status;
}
