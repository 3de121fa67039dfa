/* folds.c - isobit train --folds: what networks reach on rows that they were not trained on, each row tested once. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/train/training.h"

/* What the network of one fold reaches: accuracy, or R^2. */
typedef struct fold {
    int64_t rows; /* of its test part */
    double score, float_score, loss;
} fold;

typedef struct folds {
    int64_t n;
    fold *fold; /* [n] */
    int is_float_known, is_regression;
    char model[64], told[sizeof((session *)0)->told]; /* the last note about the data */
} folds;

/* Mean, and standard error sqrt(sum (x - mean)^2 / (n - 1) / n): how far another draw of the rows may move the mean.
 * Folds share training rows, so that it is a little too small. */
static double mean_of(const folds *f, int of_float, double *error)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < f->n; i++)
        sum += of_float ? f->fold[i].float_score : f->fold[i].score;
    const double mean = sum / (double)f->n;
    for (int64_t i = 0; i < f->n; i++) {
        const double off = (of_float ? f->fold[i].float_score : f->fold[i].score) - mean;
        square += off * off;
    }
    *error = sqrt(square / (double)(f->n - 1) / (double)f->n);
    return mean;
}

/* The network of fold i, trained and dropped. */
static int run_fold(folds *f, const train_options *o, int64_t i)
{
    char now[40], in_float[40];
    training t = {.o = *o};
    t.o.out = NULL;
    t.o.common.table.folds = (int)f->n;
    t.o.common.table.fold = (int)i;
    snprintf(t.part, sizeof t.part, "fold %lld/%lld", (long long)i + 1, (long long)f->n);
    memcpy(t.s.told, f->told, sizeof f->told);
    int status = train_open(&t);
    if (!status && !i)
        train_print_start(&t);
    if (!status)
        status = train_run(&t);
    if (!status) {
        f->fold[i] = (fold){ib_dataset_count(t.s.test), t.state.score, t.state.float_score, t.state.loss};
        f->is_float_known = train_has_float(&t);
        f->is_regression = train_is_regression(&t);
        memcpy(f->model, t.model, sizeof f->model);
        FILE *out = report_stream(&o->common);
        fprintf(out, "%s: %s of %lld rows", t.part, train_score(&t, "accuracy ", t.state.score, now),
                (long long)f->fold[i].rows);
        if (f->is_float_known)
            fprintf(out, " in integers, %s in float before quantization",
                    train_score(&t, "", t.state.float_score, in_float));
        fprintf(out, "\n");
        fflush(out);
    }
    memcpy(f->told, t.s.told, sizeof f->told);
    train_close(&t);
    return status;
}

/* The network that is kept. It has no test part: what is to be expected of it is what the folds have shown. */
static int run_whole(const folds *f, const train_options *o, int64_t *rows)
{
    training t = {.o = *o, .part = "all rows"};
    t.o.whole = 1;
    memcpy(t.s.told, f->told, sizeof f->told);
    int status = train_open(&t);
    t.o.out = NULL; /* written when it is done: nothing goes on from a part of it */
    if (!status)
        status = train_run(&t);
    if (!status) {
        *rows = ib_dataset_count(t.s.train);
        status = train_save(&t, o->out);
    }
    train_close(&t);
    return status;
}

static void print_mean(const folds *f, int of_float)
{
    double error;
    const double mean = mean_of(f, of_float, &error);
    if (f->is_regression)
        printf("R^2 %.4f +- %.4f", mean, error);
    else
        printf("%s%.2f +- %.2f %%", of_float ? "" : "accuracy ", 100 * mean, 100 * error);
}

static void add_mean(struct json_object *j, const folds *f, int of_float)
{
    const char *name = f->is_regression ? of_float ? "float_r2" : "r2" : of_float ? "float_accuracy" : "accuracy";
    char error_name[64];
    double error;
    const double mean = mean_of(f, of_float, &error);
    const int known = !of_float || f->is_float_known;
    snprintf(error_name, sizeof error_name, "%s_standard_error", name);
    json_object_object_add(j, name, known ? json_object_new_double(mean) : NULL);
    json_object_object_add(j, error_name, known ? json_object_new_double(error) : NULL);
}

static struct json_object *list(const folds *f)
{
    struct json_object *all = json_object_new_array();
    for (int64_t i = 0; i < f->n; i++) {
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "rows", json_object_new_int64(f->fold[i].rows));
        json_object_object_add(one, f->is_regression ? "r2" : "accuracy", json_object_new_double(f->fold[i].score));
        json_object_object_add(one, f->is_regression ? "float_r2" : "float_accuracy",
                               f->is_float_known ? json_object_new_double(f->fold[i].float_score) : NULL);
        json_object_object_add(one, "loss", json_object_new_double(f->fold[i].loss));
        json_object_array_add(all, one);
    }
    return all;
}

static void report(const folds *f, const train_options *o, int64_t rows, double time)
{
    if (o->common.json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "model", json_object_new_string(f->model));
        json_object_object_add(j, "qat", json_object_new_string(o->qat));
        json_object_object_add(j, "profile", json_object_new_string(ib_profile_name(o->quant.profile)));
        add_mean(j, f, 0);
        add_mean(j, f, 1);
        json_object_object_add(j, "folds", list(f));
        json_object_object_add(j, "seconds", json_object_new_double(time));
        json_object_object_add(j, "checkpoint", o->out ? json_object_new_string(o->out) : NULL);
        print_json(j);
        return;
    }
    printf("mean and standard error of %lld folds: ", (long long)f->n);
    print_mean(f, 0);
    if (f->is_float_known) {
        printf(" in integers, ");
        print_mean(f, 1);
        printf(" in float before quantization");
    }
    if (o->out)
        printf("; expect that of the network in %s, which is trained on all %lld rows\n", o->out, (long long)rows);
    else
        printf("; -o FILE keeps a network that is trained on all rows\n");
}

int train_folds(const train_options *o)
{
    folds f = {.n = o->folds, .fold = calloc((size_t)o->folds, sizeof *f.fold)};
    int64_t rows = 0;
    const double start = seconds();
    int status = !f.fold ? fprintf(stderr, "isobit: out of memory\n") > 0 : train_options_onto_data(o) ? 2 : 0;
    for (int64_t i = 0; i < f.n && !status; i++)
        status = run_fold(&f, o, i);
    if (!status && o->out)
        status = run_whole(&f, o, &rows);
    if (!status)
        report(&f, o, rows, seconds() - start);
    free(f.fold);
    return status;
}
