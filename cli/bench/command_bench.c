/* command_bench.c - isobit bench: float and quantized training steps in turns, medians of paired ratios. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

typedef struct bench_options {
    common common;
    const char *model, *qat, *python;
    int64_t repeats;
    int peers;
} bench_options;

enum { K_MODEL = LONG_OPTION, K_QAT, K_REPEATS, K_PEERS, K_PYTHON };

static const struct argp_option options[] = {
    {"model", K_MODEL, "NAME", 0, "one model (default: mlp, lenet, resnet8 and dscnn)", 0},
    {"qat", K_QAT, "WxAy", 0, "default w8a8", 0},
    {"repeats", K_REPEATS, "N", 0, "pairs of measurements (default 9)", 0},
    {"peers", K_PEERS, NULL, 0, "also PyTorch and ONNX Runtime, where the Python has them", 0},
    {"python", K_PYTHON, "PROGRAM", 0, "for --peers (default: $ISOBIT_PYTHON or python3)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bench_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case K_MODEL: o->model = arg; return 0;
    case K_QAT: o->qat = arg; return 0;
    case K_PEERS: o->peers = 1; return 0;
    case K_PYTHON: o->python = arg; return 0;
    case K_REPEATS:
        if (parse_int(arg, "--repeats", 1, 1000, &o->repeats))
            exit(2);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int take_step(contender *c, const ib_batch *b)
{
    ib_graph_begin(c->g, IB_TRAIN);
    ib_tensor *loss =
        ib_cross_entropy(c->g, ib_layer_forward(c->g, c->net, ib_input(c->g, 4, b->shape, b->x)), b->y, 0);
    c->saved = ib_graph_saved_bytes(c->g);
    return !loss || ib_backward(c->g, loss) || ib_optim_step(c->opt) || ib_graph_synchronize(c->g);
}

static int bench_model(const bench_options *o, ib_device *dev, const char *model, struct json_object *rows)
{
    const int batch = !strcmp(model, "resnet8") || !strcmp(model, "dscnn") ? 32 : 64;
    contender f = {0}, q = {0};
    ib_qat_opts quant = {0};
    ib_dataset *d = bench_data(model, batch);
    ib_loader *l = d ? ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = batch}) : NULL;
    double *tf = calloc((size_t)o->repeats, sizeof *tf), *tq = calloc((size_t)o->repeats, sizeof *tq),
           *ratio = calloc((size_t)o->repeats, sizeof *ratio);
    ib_batch b;
    int failed = !l || !tf || !tq || !ratio || ib_qat_bits_parse(o->qat, &quant) || bench_make(&f, dev, d, model) ||
                 bench_make(&q, dev, d, model) || ib_qat_begin(q.net, q.g, l, &quant);
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
        const double mf = bench_median(tf, o->repeats) * 1e3, mq = bench_median(tq, o->repeats) * 1e3,
                     m = bench_median(ratio, o->repeats);
        const double bytes_f = (double)f.saved / 1e6, bytes_q = (double)q.saved / 1e6;
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "model", json_object_new_string(model));
        json_object_object_add(j, "batch", json_object_new_int(batch));
        json_object_object_add(j, "float_ms", json_object_new_double(mf));
        json_object_object_add(j, "qat_ms", json_object_new_double(mq));
        json_object_object_add(j, "ratio", json_object_new_double(m));
        json_object_object_add(j, "float_mb", json_object_new_double(bytes_f));
        json_object_object_add(j, "qat_mb", json_object_new_double(bytes_q));
        json_object_array_add(rows, j);
        fprintf(report_stream(&o->common), "%-8s %5d %10.2f %10.2f %8.2f %10.2f %10.2f\n", model, batch, mf, mq, m,
                bytes_f, bytes_q);
        fflush(stdout);
    }
    ib_loader_free(l);
    ib_dataset_free(d);
    bench_drop(&f);
    bench_drop(&q);
    free(tf);
    free(tq);
    free(ratio);
    return failed ? complain() : 0;
}

/* Row of a peer's table for a model (threads and batch 0: any); NULL if there is none. */
static struct json_object *peer_row(struct json_object *peers, const char *table, const char *model, int threads,
                                    int64_t batch)
{
    struct json_object *rows = NULL, *v;
    if (!peers || !json_object_object_get_ex(peers, table, &rows))
        return NULL;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *r = json_object_array_get_idx(rows, i);
        if (json_object_object_get_ex(r, "model", &v) && !strcmp(json_object_get_string(v), model) &&
            (!threads || (json_object_object_get_ex(r, "threads", &v) && json_object_get_int(v) == threads)) &&
            (!batch || (json_object_object_get_ex(r, "batch", &v) && json_object_get_int64(v) == batch)))
            return r;
    }
    return NULL;
}

static double number(struct json_object *row, const char *key)
{
    struct json_object *v;
    return row && json_object_object_get_ex(row, key, &v) ? json_object_get_double(v) : NAN;
}

static void print_peers(struct json_object *steps, struct json_object *peers)
{
    printf("\ntraining step beside PyTorch (ms)\n%-8s %10s %10s %10s %10s %12s %12s\n", "model", "float", "PyTorch",
           "qat", "PyTorch", "float ratio", "qat ratio");
    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        struct json_object *r = json_object_array_get_idx(steps, i), *name;
        json_object_object_get_ex(r, "model", &name);
        struct json_object *p = peer_row(peers, "steps", json_object_get_string(name), 0, 0);
        if (p)
            printf("%-8s %10.2f %10.2f %10.2f %10.2f %12.2f %12.2f\n", json_object_get_string(name),
                   number(r, "float_ms"), number(p, "float_ms"), number(r, "qat_ms"), number(p, "qat_ms"),
                   number(p, "float_ms") / number(r, "float_ms"), number(p, "qat_ms") / number(r, "qat_ms"));
    }
}

/* The integer runtime of each model with one thread and with all; rows get the peer's figures. */
static int inference(const bench_options *o, ib_device *dev, const char *const *models, int n_models,
                     struct json_object *rows, struct json_object *peers)
{
    const int most = ib_threads();
    FILE *out = report_stream(&o->common);
    int status = 0;
    fprintf(out, "\ninteger runtime, %s, fp32_rne (us a call)%s\n%-8s %8s %6s %10s%s\n", o->qat,
            peers ? ", beside ONNX Runtime" : "", "model", "threads", "batch", "isobit",
            peers ? "       fp32       int8      ratio" : "");
    for (int i = 0; i < n_models && !status; i++)
        for (int threads = 1; threads <= most && !status; threads = threads < most ? most : most + 1) {
            inference_row r[2];
            status = bench_inference(dev, models[i], o->qat, threads, o->repeats, r);
            for (int k = 0; k < 2 && !status; k++) {
                struct json_object *p = peer_row(peers, "inference", models[i], threads, r[k].batch),
                                   *j = json_object_new_object();
                const double fp32 = number(p, "fp32_us"), int8 = number(p, "int8_us"), best = fp32 < int8 ? fp32 : int8;
                json_object_object_add(j, "model", json_object_new_string(models[i]));
                json_object_object_add(j, "threads", json_object_new_int(threads));
                json_object_object_add(j, "batch", json_object_new_int64(r[k].batch));
                json_object_object_add(j, "us", json_object_new_double(r[k].us));
                if (p) {
                    json_object_object_add(j, "onnxruntime_fp32_us", json_object_new_double(fp32));
                    json_object_object_add(j, "onnxruntime_int8_us", json_object_new_double(int8));
                }
                fprintf(out, "%-8s %8d %6lld %10.1f", models[i], threads, (long long)r[k].batch, r[k].us);
                if (p)
                    fprintf(out, " %10.1f %10.1f %10.2f", fp32, int8, best / r[k].us);
                fprintf(out, "\n");
                json_object_array_add(rows, j);
            }
        }
    ib_threads_set(most);
    return status;
}

int command_bench(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        NULL,
        "Times whole training steps (forward, backward, AdamW) of float and quantized networks in turns, and the "
        "integer runtime at batch 1 and "
        "64; medians, and the median of the paired ratios.\vExample:\n  isobit bench --model lenet --qat w4a8 "
        "--threads 1\n"
        "JSON keys: device, threads, qat, steps[]: model, batch, float_ms, qat_ms, ratio, float_mb, qat_mb "
        "(activations saved for the backward pass); inference[]: model, threads, "
        "batch, us, onnxruntime_fp32_us, onnxruntime_int8_us; kernels: gemm_1024_gops, gemm_64_gops, int8_peak_gops, "
        "int4_row_gbs, read_gbs; peers: as bench_peers.py prints it.",
        children,
        NULL,
        NULL};
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"};
    bench_options o = {.qat = "w8a8", .repeats = 9};
    session s = {0};
    parse_options(&argp, argc, argv, &o);
    int status = session_open(&s, &o.common);
    struct json_object *rows = json_object_new_array(), *runs = json_object_new_array();
    if (!status)
        fprintf(report_stream(&o.common), "training step on %s, %d thread(s), %s\n%-8s %5s %10s %10s %8s %10s %10s\n",
                ib_device_name(s.dev), ib_threads(), o.qat, "model", "batch", "float ms", "qat ms", "ratio", "float MB",
                "qat MB");
    const int n_models = o.model ? 1 : 4;
    for (int i = 0; i < n_models && !status; i++)
        status = bench_model(&o, s.dev, o.model ? o.model : models[i], rows);
    const kernel_rates k = status || o.model ? (kernel_rates){0} : bench_kernels(s.dev, o.repeats);
    if (k.square > 0 && !o.common.json) {
        printf("\nproducts of codes, requantized (GOP/s)\nGEMM 1024x1024x1024 %6.0f", k.square);
        if (k.peak > 0)
            printf(", %.0f %% of the %.0f that the instruction allows", 100 * k.square / k.peak, k.peak);
        printf(
            "\nGEMM   64x1024x1024 %6.0f\n4-bit weights, one row: %.1f GB/s, %.0f %% of the %.1f that memory gives\n",
            k.wide, k.int4_row, 100 * k.int4_row / k.read, k.read);
    }
    struct json_object *peers = !status && o.peers ? bench_peers(o.python, o.repeats, ib_threads()) : NULL;
    if (peers && !o.common.json)
        print_peers(rows, peers);
    if (!status)
        status = inference(&o, s.dev, o.model ? &o.model : models, n_models, runs, peers);
    if (!status && o.common.json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "device", json_object_new_string(ib_device_name(s.dev)));
        json_object_object_add(j, "threads", json_object_new_int(ib_threads()));
        json_object_object_add(j, "qat", json_object_new_string(o.qat));
        json_object_object_add(j, "steps", json_object_get(rows));
        json_object_object_add(j, "inference", json_object_get(runs));
        if (k.square > 0) {
            struct json_object *rates = json_object_new_object();
            json_object_object_add(rates, "gemm_1024_gops", json_object_new_double(k.square));
            json_object_object_add(rates, "gemm_64_gops", json_object_new_double(k.wide));
            json_object_object_add(rates, "int8_peak_gops", json_object_new_double(k.peak));
            json_object_object_add(rates, "int4_row_gbs", json_object_new_double(k.int4_row));
            json_object_object_add(rates, "read_gbs", json_object_new_double(k.read));
            json_object_object_add(j, "kernels", rates);
        }
        if (peers)
            json_object_object_add(j, "peers", json_object_get(peers));
        print_json(j);
    }
    json_object_put(rows);
    json_object_put(runs);
    json_object_put(peers);
    session_close(&s);
    return status;
}
