/* command_bench.c - isobit bench: float and quantized training steps in turns, medians of paired ratios. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct bench_options {
    common common;
    const char *model, *qat;
    int64_t repeats;
} bench_options;

enum { K_MODEL = 1, K_QAT, K_REPEATS };

static const struct argp_option options[] = {
    {"model", K_MODEL, "NAME", 0, "one model (default: mlp, lenet, resnet8 and dscnn)", 0},
    {"qat", K_QAT, "WxAy", 0, "default w8a8", 0},
    {"repeats", K_REPEATS, "N", 0, "pairs of measurements (default 9)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bench_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case K_MODEL: o->model = arg; return 0;
    case K_QAT: o->qat = arg; return 0;
    case K_REPEATS:
        if (parse_int(arg, "--repeats", 1, 1000, &o->repeats))
            exit(2);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* One network with what it needs to take steps. */
typedef struct contender {
    ib_layer *net;
    ib_optim *opt;
    ib_graph *g;
} contender;

static int take_step(contender *c, const ib_batch *b)
{
    ib_graph_begin(c->g, IB_TRAIN);
    ib_tensor *loss = ib_cross_entropy(c->g, ib_layer_forward(c->g, c->net, ib_input(c->g, 4, b->shape, b->x)), b->y, 0);
    return !loss || ib_backward(c->g, loss) || ib_optim_step(c->opt);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int64_t n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n & 1 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static int make(contender *c, ib_device *dev, const ib_dataset *d, const char *model)
{
    const ib_input_info in = ib_dataset_info(d);
    if (!(c->net = ib_model_new(model, in.c, in.h, in.w, in.classes)) || ib_layer_init(c->net, 1))
        return 1;
    ib_layer_set_input(c->net, &in);
    return !(c->g = ib_graph_new(dev)) || !(c->opt = ib_adamw_new(c->net, dev, NULL));
}

static void drop(contender *c)
{
    ib_optim_free(c->opt);
    ib_graph_free(c->g);
    ib_layer_free(c->net);
}

/* Random images and labels of the size that the model is usually measured with. */
static ib_dataset *make_data(const char *model, int batch)
{
    const int colour = !strcmp(model, "resnet8"), size = colour ? 32 : 28, c = colour ? 3 : 1;
    const int64_t n = batch, values = n * c * size * size;
    float *x = malloc((size_t)values * sizeof *x);
    int32_t *y = malloc((size_t)n * sizeof *y);
    const ib_rng rng = {7, 7};
    for (int64_t i = 0; x && i < values; i++)
        x[i] = (float)ib_rng_below(rng, (uint64_t)i, 256) / 255.0f;
    for (int64_t i = 0; y && i < n; i++)
        y[i] = (int32_t)ib_rng_below(rng, (uint64_t)(values + i), 10);
    ib_dataset *d = x && y ? ib_dataset_new(n, c, size, size, 10, 255, x, y) : NULL;
    free(x);
    free(y);
    return d;
}

static int bench_model(const bench_options *o, ib_device *dev, const char *model, struct json_object *rows)
{
    const int batch = !strcmp(model, "resnet8") || !strcmp(model, "dscnn") ? 32 : 64;
    contender f = {0}, q = {0};
    ib_qat_opts quant = {0};
    ib_dataset *d = make_data(model, batch);
    ib_loader *l = d ? ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = batch}) : NULL;
    double *tf = calloc((size_t)o->repeats, sizeof *tf), *tq = calloc((size_t)o->repeats, sizeof *tq), *ratio = calloc((size_t)o->repeats, sizeof *ratio);
    ib_batch b;
    int failed = !l || !tf || !tq || !ratio || ib_qat_bits_parse(o->qat, &quant) || make(&f, dev, d, model) || make(&q, dev, d, model) ||
                 ib_qat_begin(q.net, q.g, l, &quant);
    if (!failed) {
        ib_loader_start(l, 0, 0);
        failed = !ib_loader_next(l, &b);
    }
    for (int i = 0; i < 3 && !failed; i++)
        failed = take_step(&f, &b) || take_step(&q, &b);
    double once = seconds();
    failed = failed || take_step(&f, &b);
    once = seconds() - once;
    const int inner = once > 0.05 ? 1 : (int)(0.05 / once) + 1;
    for (int64_t r = 0; r < o->repeats && !failed; r++) {
        double t = seconds();
        for (int i = 0; i < inner && !failed; i++)
            failed = take_step(&f, &b);
        tf[r] = (seconds() - t) / inner;
        t = seconds();
        for (int i = 0; i < inner && !failed; i++)
            failed = take_step(&q, &b);
        tq[r] = (seconds() - t) / inner;
        ratio[r] = tq[r] / tf[r];
    }
    if (!failed) {
        const double mf = median(tf, o->repeats) * 1e3, mq = median(tq, o->repeats) * 1e3, m = median(ratio, o->repeats);
        const double bytes_f = (double)ib_graph_bytes(f.g) / 1e6, bytes_q = (double)ib_graph_bytes(q.g) / 1e6;
        if (rows) {
            struct json_object *j = json_object_new_object();
            json_object_object_add(j, "model", json_object_new_string(model));
            json_object_object_add(j, "batch", json_object_new_int(batch));
            json_object_object_add(j, "float_ms", json_object_new_double(mf));
            json_object_object_add(j, "qat_ms", json_object_new_double(mq));
            json_object_object_add(j, "ratio", json_object_new_double(m));
            json_object_object_add(j, "float_mb", json_object_new_double(bytes_f));
            json_object_object_add(j, "qat_mb", json_object_new_double(bytes_q));
            json_object_array_add(rows, j);
        } else {
            printf("%-8s %5d %10.2f %10.2f %8.2f %10.1f %10.1f\n", model, batch, mf, mq, m, bytes_f, bytes_q);
            fflush(stdout);
        }
    }
    ib_loader_free(l);
    ib_dataset_free(d);
    drop(&f);
    drop(&q);
    free(tf);
    free(tq);
    free(ratio);
    return failed ? complain() : 0;
}

int command_bench(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {options, parse, NULL,
                              "Times whole training steps (forward, backward, AdamW) of float and quantized networks in turns; medians, and the median of the "
                              "paired ratios.\vExample:\n  isobit bench --model lenet --qat w4a8 --threads 1\n"
                              "JSON keys: device, threads, qat, steps[]: model, batch, float_ms, qat_ms, ratio, float_mb, qat_mb (memory of a step).", children, NULL, NULL};
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"};
    bench_options o = {.qat = "w8a8", .repeats = 9};
    session s = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    int status = session_open(&s, &o.common);
    struct json_object *rows = o.common.json ? json_object_new_array() : NULL;
    if (!status && !rows)
        printf("training step on %s, %d thread(s), %s\n%-8s %5s %10s %10s %8s %10s %10s\n", ib_device_name(s.dev), ib_threads(), o.qat, "model", "batch", "float ms",
               "qat ms", "ratio", "float MB", "qat MB");
    for (int i = 0; i < (o.model ? 1 : 4) && !status; i++)
        status = bench_model(&o, s.dev, o.model ? o.model : models[i], rows);
    if (!status && rows) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "device", json_object_new_string(ib_device_name(s.dev)));
        json_object_object_add(j, "threads", json_object_new_int(ib_threads()));
        json_object_object_add(j, "qat", json_object_new_string(o.qat));
        json_object_object_add(j, "steps", rows);
        print_json(j);
    } else if (rows) {
        json_object_put(rows);
    }
    session_close(&s);
    return status;
}
