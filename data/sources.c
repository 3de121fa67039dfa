/* sources.c - data sets by their description: what it begins with says who reads the rest. */
#include <string.h>

#include "base/argument.h"
#include "data/dataset.h"

static char *no_file(const char *path, int i)
{
    (void)path, (void)i;
    return NULL;
}

static char *one_file(const char *path, int i)
{
    return i ? NULL : ib_strdup(path);
}

static char *shaped_file(const char *path, int i)
{
    int64_t shape[3];
    return i ? NULL : ib_dataset_split_spec(path, shape);
}

/* What a description begins with, who reads the rest, a part at a time or all that are wanted, and the files that it
 * is. */
static const struct source {
    const char *prefix;
    ib_data_reader *read;
    ib_parts_reader *read_parts;
    ib_data_files *file;
    int numbers; /* its labels may be numbers to learn */
} sources[] = {{"digits", ib_digits_open, NULL, no_file, 0},   {"idx:", ib_idx_open, NULL, ib_idx_file, 0},
               {"hdf5:", ib_hdf5_open, NULL, one_file, 1},     {"csv:", NULL, ib_csv_open, shaped_file, 1},
               {"images:", NULL, ib_images_open, one_file, 0}, {"npy:", ib_npy_open, NULL, ib_npy_file, 1},
               {"npz:", ib_npz_open, NULL, one_file, 1},       {"f32:", ib_f32_open, NULL, shaped_file, 0}};
enum { N_SOURCES = sizeof sources / sizeof *sources };

static const struct source *find_source(const char *spec)
{
    for (int i = 0; i < N_SOURCES; i++)
        if (!strncmp(spec, sources[i].prefix, strlen(sources[i].prefix)))
            return &sources[i];
    return NULL;
}

/* A path alone, whose ending says who would read it, or NULL. */
static const struct source *source_of_ending(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < N_SOURCES; i++) {
        const size_t n = strlen(dot + 1);
        if (strlen(sources[i].prefix) == n + 1 && !strncmp(sources[i].prefix, dot + 1, n) &&
            sources[i].prefix[n] == ':')
            return &sources[i];
    }
    return NULL;
}

static ib_status refuse_source(const char *spec)
{
    const struct source *meant = source_of_ending(spec);
    return ib_fail(IB_EINVAL,
                   "data '%s': digits, idx:DIR, images:DIR, hdf5:FILE, csv:FILE, npy:FILE, npz:FILE and f32:FILE are "
                   "possible%s%s%s",
                   spec, meant ? ": perhaps " : "", meant ? meant->prefix : "", meant ? spec : "");
}

char *ib_dataset_file(const char *spec, int i)
{
    const struct source *s = find_source(spec);
    return s ? s->file(spec + strlen(s->prefix), i) : NULL;
}

/* Columns as they are become what the network takes. */
static ib_dataset *apply_schema(ib_dataset *d, const ib_schema *schema)
{
    const int columns = schema ? ib_schema_of(schema)->n_columns : 0, inputs = columns ? ib_schema_inputs(schema) : 0;
    if (!d || !columns)
        return d;
    ib_status status = IB_OK;
    if (inputs != columns || d->raw_max || d->c != columns || d->h != 1 || d->w != 1)
        status = ib_fail(IB_EINVAL, "%s: the model takes the %d columns of a table: csv:FILE holds them by name",
                         d->name, columns);
    float *row = status ? NULL : ib_alloc((size_t)columns * sizeof *row);
    for (int64_t i = 0; row && i < d->n; i++) {
        memcpy(row, d->x + i * columns, (size_t)columns * sizeof *row);
        ib_schema_apply(schema, row, d->x + i * columns);
    }
    if (!row) {
        ib_dataset_free(d);
        return NULL;
    }
    ib_free(row);
    d->schema = ib_schema_hold(schema);
    return d;
}

/* Rows of real numbers that a network is to be made for: a table, whose columns the training part measures. */
static ib_status standardize(ib_dataset *parts[3])
{
    ib_dataset *train = parts[IB_SPLIT_TRAIN], *test = parts[IB_SPLIT_TEST];
    if (!ib_columns_are(train) || !ib_columns_are(test) || train->c != test->c)
        return IB_OK;
    ib_schema *schema = ib_columns_measure(train);
    if (schema) {
        parts[IB_SPLIT_TRAIN] = apply_schema(train, schema);
        parts[IB_SPLIT_TEST] = apply_schema(test, schema);
    }
    ib_schema_free(schema);
    return schema && parts[IB_SPLIT_TRAIN] && parts[IB_SPLIT_TEST] ? IB_OK : ib_error_status();
}

/* Parts that are wanted. Where targets are to be scaled and no network says how, the training part does, wanted or not.
 */
static ib_status read_parts(ib_data_reader *read, const char *rest, const ib_input_info *net, ib_task task,
                            const ib_schema *schema, const int wanted[3], ib_dataset *parts[3])
{
    const int measure = task == IB_REGRESSION && !schema && wanted[IB_SPLIT_TEST];
    ib_status status = IB_OK;
    for (int s = 0; s < 3 && !status; s++)
        if ((wanted[s] || (measure && s == IB_SPLIT_TRAIN)) &&
            !(parts[s] = apply_schema(read(rest, (ib_split)s, net, task), schema)))
            status = ib_error_status();
    if (!status && !schema && !net && wanted[IB_SPLIT_TRAIN] && wanted[IB_SPLIT_TEST])
        status = standardize(parts);
    if (!status && task == IB_REGRESSION)
        status = ib_dataset_scale_targets(parts, schema);
    for (int s = 0; s < 3; s++)
        if (!wanted[s]) {
            ib_dataset_free(parts[s]);
            parts[s] = NULL;
        }
    return status;
}

static ib_status open_parts(const char *spec, const ib_input_info *net, const ib_data_opts *opts, const int wanted[3],
                            ib_dataset *parts[3])
{
    const ib_data_opts none = {0}, *o = opts ? opts : &none;
    const struct source *source = find_source(spec);
    if (!source)
        return refuse_source(spec);
    const char *rest = spec + strlen(source->prefix);
    if (source->file != no_file && !*rest)
        return ib_fail(IB_EINVAL, "data '%s': names no file", spec);
    const char *of_tables = o->label            ? "label"
                            : o->drop           ? "drop"
                            : o->categorical    ? "categorical"
                            : o->fill_missing   ? "missing"
                            : o->split_seed     ? "split-seed"
                            : o->test_share > 0 ? "test-share"
                            : o->folds          ? "folds"
                                                : NULL;
    const ib_task task = o->schema ? ib_schema_of(o->schema)->task : o->task;
    if (source->read_parts != ib_images_open && (o->input[0] || o->input[1] || o->input[2] || o->memory))
        return ib_fail(IB_EINVAL, "data '%s': --input is for folders of pictures, which images:DIR holds", spec);
    if (source->read_parts == ib_csv_open)
        return ib_csv_open(rest, net, o, wanted, parts);
    const int divides = of_tables && (!strcmp(of_tables, "split-seed") || !strcmp(of_tables, "test-share"));
    if (of_tables && !(divides && source->read_parts == ib_images_open))
        return ib_fail(IB_EINVAL, "data '%s': --%s is for tables, which csv:FILE holds%s", spec, of_tables,
                       divides ? ", and for pictures in folders, images:DIR" : "");
    if (o->task == IB_REGRESSION && !source->numbers)
        return ib_fail(IB_EINVAL, "data '%s': --task regression is for csv:FILE, hdf5:FILE, npy:FILE and npz:FILE",
                       spec);
    return source->read_parts ? source->read_parts(rest, net, o, wanted, parts)
                              : read_parts(source->read, rest, net, task, o->schema, wanted, parts);
}

static ib_status check_opts(const char *function, const ib_data_opts *opts)
{
    if (!opts)
        return IB_OK;
    const int *in = opts->input;
    const int sides = in[1] > 0 && in[2] > 0 && in[1] <= 65536 && in[2] <= 65536;
    IB_TAKE_FOR(function, opts->test_share, opts->test_share >= 0 && opts->test_share <= 1, IB_EINVAL, "is %g",
                opts->test_share);
    IB_TAKE_FOR(function, opts->folds, opts->folds == 0 || opts->folds >= 2, IB_EINVAL, "is %d", opts->folds);
    IB_TAKE_FOR(function, opts->fold, opts->fold >= 0 && (opts->fold < opts->folds || !opts->folds), IB_EINVAL,
                "is %d of %d", opts->fold, opts->folds);
    IB_TAKE_FOR(function, opts->input, (!in[0] && !in[1] && !in[2]) || ((in[0] == 1 || in[0] == 3) && sides), IB_EINVAL,
                "is %dx%dx%d; pictures have 1 channel or 3, and sides of 1 to 65536", in[0], in[1], in[2]);
    IB_TAKE_FOR(function, opts->task, opts->task == IB_CLASSIFICATION || opts->task == IB_REGRESSION, IB_EINVAL,
                "is %d", (int)opts->task);
    IB_TAKE_FOR(function, opts->memory, opts->memory >= 0, IB_EINVAL, "is %lld", (long long)opts->memory);
    return IB_OK;
}

ib_status ib_dataset_open_parts(const char *spec, const ib_input_info *net, const ib_data_opts *opts,
                                ib_dataset **train, ib_dataset **test)
{
    IB_NEED(spec);
    IB_NEED(train);
    IB_NEED(test);
    if (check_opts(__func__, opts))
        return IB_EINVAL;
    ib_dataset *parts[3] = {0};
    const ib_status status = open_parts(spec, net, opts, (int[]){1, 1, 0}, parts);
    if (status)
        for (int s = 0; s < 3; s++) {
            ib_dataset_free(parts[s]);
            parts[s] = NULL;
        }
    *train = parts[IB_SPLIT_TRAIN];
    *test = parts[IB_SPLIT_TEST];
    return status;
}

ib_dataset *ib_dataset_open_with(const char *spec, ib_split split, const ib_input_info *net, const ib_data_opts *opts)
{
    IB_NEED_OR(spec, NULL);
    IB_TAKE_OR(split, split >= IB_SPLIT_TRAIN && split <= IB_SPLIT_ALL, NULL, "is %d, which is no ib_split",
               (int)split);
    if (check_opts(__func__, opts))
        return NULL;
    ib_dataset *parts[3] = {0};
    int wanted[3] = {0};
    wanted[split] = 1;
    return open_parts(spec, net, opts, wanted, parts) ? NULL : parts[split];
}

ib_dataset *ib_dataset_open_for(const char *spec, ib_split split, const ib_input_info *net)
{
    IB_NEED_OR(spec, NULL);
    IB_TAKE_OR(split, split >= IB_SPLIT_TRAIN && split <= IB_SPLIT_ALL, NULL, "is %d, which is no ib_split",
               (int)split);
    return ib_dataset_open_with(spec, split, net, NULL);
}

ib_dataset *ib_dataset_open(const char *spec, ib_split split)
{
    IB_NEED_OR(spec, NULL);
    IB_TAKE_OR(split, split >= IB_SPLIT_TRAIN && split <= IB_SPLIT_ALL, NULL, "is %d, which is no ib_split",
               (int)split);
    return ib_dataset_open_with(spec, split, NULL, NULL);
}
