/* schema.h - what the numbers of a model mean: the columns of a table that its inputs come from, and the names of its
 * classes.
 *
 * A data set that is read from a table has one (ib_dataset_schema), made of the rows of its training part. A network
 * that is trained on it is given it (ib_layer_set_schema), keeps it in its checkpoint and in its programs, and whoever
 * opens data for that network passes it on (ib_data_opts.schema), so that other files are read by the same names, means
 * and categories. A network of pictures has one with the names of its classes alone.
 *
 * A row's values as they stand in the file are `raw`: a column of numbers has its number, a column of categories the
 * index of the name among its names, a missing value is NaN. The network's inputs follow from them in fp32, each
 * operation rounded once:
 *
 *   number     one input,   x = (raw - mean) * (1 / std)
 *   category   one input a name, x = 1 for the name that raw is the index of, else 0
 *   missing    the mean, so x = 0; of a category the name that is most frequent in training (`usual`)
 *
 * A schema never changes once it is made; it is counted, not copied. */
#ifndef ISOBIT_SCHEMA_H
#define ISOBIT_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/api.h>
#include <isobit/status.h>

IB_BEGIN_API

typedef struct ib_schema ib_schema;

typedef enum ib_task {
    IB_CLASSIFICATION, /* the outputs score classes */
    IB_REGRESSION      /* the outputs are real numbers, (target - mean) / std */
} ib_task;

typedef struct ib_column {
    const char *name;
    float mean, std; /* of a number */
    int n_names;     /* of a category; 0: a number */
    const char *const *names;
    int usual; /* of a category: the name that a missing value counts as */
    int input; /* the first of its inputs; ib_schema_new counts them itself */
} ib_column;

typedef struct ib_target { /* of regression: output * std + mean is in the units of the table */
    const char *name;
    float mean, std;
} ib_target;

typedef struct ib_schema_opts {
    ib_task task;
    int n_columns; /* 0: what comes in is no table */
    const ib_column *columns;
    int n_classes; /* 0: they have no names, or the task is regression */
    const char *const *classes;
    int n_targets;
    const ib_target *targets;
    const char *label;   /* the column of the labels; NULL: there is none */
    int label_at;        /* where it stands among the columns of a file without a header, from 0 */
    int headerless;      /* columns were not named in the file: they are found by their place */
    int fill_missing;    /* missing values are understood; else they are refused */
    uint64_t split_seed; /* how the test part was drawn (data.h) */
    double test_share;   /* above 0, at most 1; 0: not at all, the network was trained on all rows */
} ib_schema_opts;

/* Copies all of it. IB_EINVAL where names are missing, not UTF-8 or the same twice, or numbers are not finite. */
ib_schema *ib_schema_new(const ib_schema_opts *opts);
ib_schema *ib_schema_hold(const ib_schema *s); /* one more ib_schema_free is needed; NULL gives NULL */
void ib_schema_free(ib_schema *s);             /* NULL is fine */

/* All that it was made of; borrowed. */
const ib_schema_opts *ib_schema_of(const ib_schema *s);
int ib_schema_inputs(const ib_schema *s); /* of the network; 0: what comes in is no table */
/* The name of a class, or NULL where it has none; s may be NULL: no class has a name. */
const char *ib_schema_class(const ib_schema *s, int64_t i);
/* The network's inputs x[inputs] of one row raw[n_columns]. */
void ib_schema_apply(const ib_schema *s, const float *raw, float *x);

/* As JSON, yours to ib_free(); and back. Equal schemas are equal texts, and numbers keep every bit. */
char *ib_schema_text(const ib_schema *s);
ib_schema *ib_schema_parse(const char *text, size_t size);

IB_END_API
#endif
