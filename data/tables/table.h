/* table.h - rows of texts to rows of numbers: which columns there are, what their values mean, which rows are the test
 * part. */
#ifndef IB_DATA_TABLES_TABLE_H
#define IB_DATA_TABLES_TABLE_H

#include "data/tables/csv_cells.h"
#include "data/dataset.h"

typedef struct ib_table {
    ib_cells cells;
    const ib_data_opts *opts;
    const ib_schema *known; /* what the columns are to be, or NULL: the rows say */
    int64_t first, n;       /* of the cells' rows: that of the first sample, samples */
    int columns;            /* of the file */
    int headerless;
    int whole;            /* the network knows no test part: both parts are all rows */
    char **names;         /* [columns] of the header, or "column 3" */
    int label;            /* the column of labels; -1: there is none */
    uint8_t *left_out;    /* [columns] by --drop, or as the network knows nothing of it */
    uint8_t *categorical; /* [columns] by --categorical: values are names whatever they look like */
    char *coded;          /* columns of integers that may be codes, as a list of names, or NULL */
    int n_coded;
    const char **at; /* [n] the value of each row in the column that is looked at, which is `where` */
    int where;
    int32_t *y;        /* [n] classes, or NULL */
    int n_targets;     /* of regression, found so far */
    int *target_at;    /* [columns] the column of each target; NULL: the labels are classes */
    ib_target *target; /* [columns] what the rows say of each */
    float *targets;    /* [n, n_targets] as the network is to give them */
    uint8_t *test;     /* [n] rows of the test part */
    float *raw;        /* [n, columns of the schema], as schema.h says */
    ib_schema *schema;
    char *note; /* what the reader should know, or NULL */
} ib_table;

/* Finds the header, the names and the label's column (table_header.c). */
ib_status ib_table_header(ib_table *t);
/* Goes to column j: t->at. Columns in their order cost one step each. */
void ib_table_go(ib_table *t, int j);
/* The line of the file that sample i begins in. */
int64_t ib_table_line(const ib_table *t, int64_t i);
/* Adds a sentence to the note. */
ib_status ib_table_say(ib_table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads the labels as t->y (table_labels.c). Where the schema is not known, also the names of the classes, to be freed
 * by ib_names_free. */
ib_status ib_table_labels(ib_table *t, char ***classes, int *n_classes);
/* Regression: column j is the next target; those of the known network (table_targets.c). */
ib_status ib_table_add_target(ib_table *t, int j);
ib_status ib_table_known_targets(ib_table *t);
int ib_table_is_label(const ib_table *t, int j);
/* Reads t->targets and, where the schema is not known, measures t->target; t->test says which rows are for training. */
ib_status ib_table_targets(ib_table *t);
/* The different values of t->at, sorted; owned. NULL with ib_error(). */
char **ib_table_names(const ib_table *t, int *n);
void ib_names_free(int n, char **names);
/* Where a name stands among n sorted ones; -1: nowhere. */
int ib_sorted_find(int n, char *const *names, const char *name);

/* What column j of numbers, or of these names, may be besides what it is taken for, as sentences of the note
 * (table_doubts.c); and behind the last column what all of them have in common. */
ib_status ib_table_doubt_numbers(ib_table *t, int j);
ib_status ib_table_doubt_names(ib_table *t, int j, int n, char *const *names);
ib_status ib_table_doubt_end(ib_table *t);

/* Reads the columns as t->raw and makes t->schema, or takes the known one (table_columns.c). */
ib_status ib_table_columns(ib_table *t, char **classes, int n_classes);

/* A table of a file. parts[split] is made where wanted[split] (IB_SPLIT_ALL: means are of all rows). */
ib_status ib_table_open(ib_cells *cells, const ib_data_opts *opts, const int wanted[3], ib_dataset *parts[3]);

#endif
