/* command_predict.c - isobit predict: what a model makes of data, sample by sample. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/answers/prediction.h"
#include "cli/answers/regression.h"
#include "train/measure.h"

typedef struct predict_options {
    common common;
    const char *model, *engine, *format, *out;
    int raw, codes, normalized;
    ib_split split;
    int64_t batch;
} predict_options;

enum { K_RAW = LONG_OPTION, K_CODES, K_NORMALIZED, K_FORMAT, K_SPLIT, K_BATCH };

static const struct argp_option options[] = {
    {"engine", 'e', "NAME", 0,
     "float: before quantization; qat: the training forward; integer: the lowered program (default: integer, float for "
     "a float model)",
     0},
    {"raw", K_RAW, NULL, 0, "the network's outputs, all of them and as they are, instead of classes and probabilities",
     0},
    {"codes", K_CODES, NULL, 0, "the same as the integer program's int8 codes; real = scale * (code - zero)", 0},
    {"format", K_FORMAT, "NAME", 0, "csv (default), json, npy (fp32 [N,...], int8 of codes) or f32 (the values alone)",
     0},
    {"output", 'o', "FILE", 0, "written whole or not at all (default: standard output, also as -)", 0},
    {"split", K_SPLIT, "PART", 0, "train or test; default: all samples, in the order of the data", 0},
    {"normalized", K_NORMALIZED, NULL, 0,
     "the data are what the first layer takes: the model's normalization is left out", 0},
    {"batch", K_BATCH, "N", 0, "samples at a time (default 64)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    predict_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'e': o->engine = arg; return 0;
    case 'o': o->out = strcmp(arg, "-") ? arg : NULL; return 0;
    case K_RAW: o->raw = 1; return 0;
    case K_CODES: o->codes = 1; return 0;
    case K_NORMALIZED: o->normalized = 1; return 0;
    case K_FORMAT: o->format = arg; return 0;
    case K_BATCH:
        if (parse_int(arg, "--batch", 1, 1 << 20, &o->batch))
            exit(2);
        return 0;
    case K_SPLIT:
        o->split = !strcmp(arg, "train") ? IB_SPLIT_TRAIN : !strcmp(arg, "test") ? IB_SPLIT_TEST : IB_SPLIT_ALL;
        if (o->split == IB_SPLIT_ALL && strcmp(arg, "all")) {
            fprintf(stderr, "isobit: --split '%s': train, test and all are possible\n", arg);
            exit(2);
        }
        return 0;
    }
    return model_argument(key, arg, state, &o->model);
}

/* What is to be written, or 1 after telling why it cannot be. */
static int describe(const predict_options *o, const engine *e, prediction *p)
{
    const session *s = e->s;
    const int raw = o->raw || o->codes || is_regression(e->schema);
    *p = (prediction){.format = p->format,
                      .model = s->net ? session_title(s) : o->model,
                      .engine = e->name,
                      .path = o->out,
                      .n = ib_dataset_count(s->test),
                      .data = s->test,
                      .ndim = e->ndim,
                      .size = e->size,
                      .classes = !raw,
                      .codes = o->codes};
    p->schema = engine_classes(e) == (e->schema ? ib_schema_of(e->schema)->n_classes : 0) ? e->schema : NULL;
    memcpy(p->shape, e->shape, sizeof p->shape);
    p->targets = is_regression(e->schema) && !o->raw && !o->codes ? ib_schema_of(e->schema)->targets : NULL;
    if (o->codes && (!e->program || e->softmax))
        return fprintf(stderr,
                       e->program ? "isobit: %s: ends with a softmax, which has no codes\n"
                                  : "isobit: %s: only --engine integer has --codes\n",
                       o->model),
               1;
    if (!raw && (!engine_classes(e) || e->meaning == UNKNOWN))
        return fprintf(stderr, "isobit: %s: its outputs are not scores of classes: --raw writes them\n", o->model), 1;
    if (!raw)
        p->ndim = 2; /* [N,K], also where the network has [N,K,1,1] */
    return 0;
}

/* Probabilities of classes in place: softmax of scores. */
static void to_probabilities(const engine *e, int64_t n, const float *y, float *out)
{
    for (int64_t i = 0; i < n; i++, y += e->size, out += e->size) {
        const float top = y[ib_best_class(y, e->size)];
        double sum = 0;
        for (int64_t j = 0; j < e->size; j++)
            sum += exp((double)y[j] - top);
        for (int64_t j = 0; j < e->size; j++)
            out[j] = e->meaning == SCORES ? (float)(exp((double)y[j] - top) / sum) : y[j];
    }
}

/* All samples, in order. 130 after Ctrl-C. */
static int predict(const predict_options *o, engine *e, prediction *p)
{
    session *s = e->s;
    ib_loader *l = ib_loader_new(s->test, &e->input, &(ib_loader_opts){.batch = (int)e->batch});
    float *values = malloc((size_t)(e->batch * e->size) * sizeof *values);
    progress bar;
    ib_batch b;
    int status = l && values ? prediction_open(p) : complain();
    progress_start(&bar, "predict", 0);
    while (!status && !interrupted && ib_loader_next(l, &b)) {
        const float *y = engine_run(e, &b);
        if (!y)
            status = complain();
        for (int64_t i = 0; y && o->codes && i < b.n * e->size; i++)
            values[i] = e->codes[i];
        if (y && p->targets)
            to_units(e->schema, b.n, y, values);
        if (y && p->classes)
            to_probabilities(e, b.n, y, values);
        if (y)
            status = prediction_add(p, b.n, p->classes || p->targets || o->codes ? values : y);
        progress_show(&bar, p->done, p->n, "samples");
    }
    if (!status && ib_loader_status(l))
        status = complain();
    progress_end(&bar);
    if (!status && interrupted)
        status = fprintf(stderr, "isobit: stopped after %lld of %lld samples%s\n", (long long)p->done, (long long)p->n,
                         o->out ? ": nothing is written" : "") > 0
                     ? 130
                     : 1;
    if (!status)
        status = prediction_close(p);
    prediction_drop(p);
    ib_loader_free(l);
    free(values);
    return status;
}

static void report(const predict_options *o, const prediction *p, double time)
{
    struct json_object *j = json_object_new_object(), *shape = json_object_new_array();
    json_object_object_add(j, "model", json_object_new_string(p->model));
    json_object_object_add(j, "engine", json_object_new_string(p->engine));
    json_object_object_add(j, "samples", json_object_new_int64(p->n));
    json_object_array_add(shape, json_object_new_int64(p->n));
    for (int i = 1; i < p->ndim; i++)
        json_object_array_add(shape, json_object_new_int64(p->shape[i]));
    json_object_object_add(j, "shape", shape);
    json_object_object_add(j, "output", json_object_new_string(o->out));
    json_object_object_add(j, "seconds", json_object_new_double(time));
    print_json(j);
}

int command_predict(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {options,
                              parse,
                              "MODEL.h5",
                              "Runs a checkpoint, float or quantized, or a program that `isobit export --to hdf5` "
                              "wrote, over data, with labels or without: for each sample "
                              "(a picture by its file, a row of a table by its line, else by its number from 0) the "
                              "class and the probabilities of all classes (softmax of the outputs, or the outputs "
                              "where the network ends with softmax or sigmoid), or with "
                              "--raw the outputs. Of a model that was trained with --task regression the numbers in "
                              "the units of its table.\vExamples:\n"
                              "  isobit predict lenet.h5 --data digits --split test -o digits.csv\n"
                              "  isobit predict net.h5 --data npy:x.npy --engine float --raw \\\n"
                              "    --format npy -o y.npy\n"
                              "\n"
                              "Integers (bytes of HDF5 and IDX, integer arrays, CSV files of integers) are raw values "
                              "and go through the model's own input transformation, "
                              "(raw / raw_max - mean) / std; isobit inspect shows it. Real numbers are what stands "
                              "before mean and std: raw / raw_max from 0 to 1 where the model "
                              "takes integers, the very inputs where it was imported without a word about them or has "
                              "mean 0 and std 1. What fits neither is refused; --normalized "
                              "takes numbers as inputs of the first layer.\n"
                              "JSON keys with -o: model, engine, samples, shape, output, seconds; without -o --json is "
                              "--format json: model, engine, samples, classes, "
                              "predictions[]: picture (the file, of images:DIR) or line (of a table's file), class, "
                              "probability, probabilities; with --raw pictures[] or lines[], shape, outputs; of "
                              "regression also targets.",
                              children,
                              NULL,
                              NULL};
    predict_options o = {.batch = 64, .split = IB_SPLIT_ALL};
    session s = {0};
    engine e = {0};
    static prediction p; /* its buffer is too large for a stack */
    parse_options(&argp, argc, argv, &o);
    if (refuse_onto("-o", o.out, "the model itself", o.model) || refuse_onto_data("-o", o.out, o.common.data))
        return 2;
    if (refuse_nowhere("-o", o.out))
        return 1;
    if (o.common.json && !o.out && o.format && strcmp(o.format, "json"))
        return fprintf(stderr,
                       "isobit: --json and --format %s both want standard output: -o FILE takes the predictions\n",
                       o.format),
               2;
    if (!(p.format = prediction_format_find(o.format ? o.format : o.common.json && !o.out ? "json" : "csv")))
        return 2;
    catch_interrupt();
    const double start = seconds();
    int status = engine_open(&e, &s, &o.common, o.model, o.engine, o.batch);
    if (!status && o.normalized) {
        e.input.mean = 0;
        e.input.std = 1;
        e.input.raw_max = 0;
    }
    if (!status)
        status = recall_data(&s, &o.common, o.model, NULL);
    if (!status && refuse_onto_data("-o", o.out, o.common.data))
        status = 2;
    if (!status)
        status = session_data(&s, &o.common, &e.input, o.normalized ? NULL : e.schema, o.split) || describe(&o, &e, &p);
    if (!status) {
        session_tell(&s, s.test);
        status = predict(&o, &e, &p);
    }
    if (!status && o.common.json && o.out)
        report(&o, &p, seconds() - start);
    engine_close(&e);
    session_close(&s);
    return status;
}
