/* bench_inference.c - isobit bench: the integer runtime at batch 1 and 64. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

/* A program on each device at both batches. */
typedef struct runners {
    ib_program *p;
    ib_runner *r[2 * MOST_DEVICES];
    int8_t *x, *y; /* of the larger batch */
} runners;

static int64_t batch_of(int i)
{
    return i & 1 ? 64 : 1;
}

static int run(void *user, int i)
{
    const runners *s = user;
    return ib_runner_run(s->r[i], batch_of(i), s->x, s->y);
}

/* One network with one number of threads; lowered on the first device: programs are the same on all. */
static int measure(bench *b, const char *model, double *taken)
{
    contender c = {0};
    runners s = {0};
    ib_qat_opts quant = {.profile = IB_FP32_RNE};
    ib_dataset *d = bench_data(model, 64);
    ib_loader *l = d ? ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 64}) : NULL;
    int failed = !l || ib_qat_bits_parse(b->qat, &quant) || bench_make(&c, b->dev[0], d, model) ||
                 ib_qat_begin(c.net, c.g, l, &quant) || ib_qat_set_phase(c.net, c.g, IB_FROZEN) ||
                 !(s.p = ib_program_lower(c.net, c.g));
    const int64_t in = failed ? 0 : 64 * ib_program_input_size(s.p),
                  out = failed ? 0 : 64 * ib_program_output_size(s.p);
    for (int i = 0; i < 2 * b->n && !failed; i++)
        failed = !(s.r[i] = ib_runner_new(s.p, b->dev[i / 2], batch_of(i)));
    if (failed)
        complain();
    else if (!(s.x = malloc((size_t)in)) || !(s.y = malloc((size_t)out)))
        failed = fprintf(stderr, "isobit: out of memory\n") > 0;
    for (int64_t j = 0; j < in && !failed; j++)
        s.x[j] = (int8_t)ib_rng_u32((ib_rng){1, 1}, (uint64_t)j);
    const turns t = {model, 2 * b->n, b->repeats, 0.02, run, &s};
    failed = failed || take_turns(&t, taken);
    for (int i = 0; i < 2 * b->n; i++)
        ib_runner_free(s.r[i]);
    free(s.x);
    free(s.y);
    ib_program_free(s.p);
    ib_loader_free(l);
    ib_dataset_free(d);
    bench_drop(&c);
    return failed;
}

static void add_row(bench *b, const char *model, int i, const double *taken, struct json_object *peers,
                    struct json_object *rows)
{
    FILE *out = report_stream(&b->common);
    const int64_t n = b->repeats, batch = batch_of(i);
    const double us = 1e6 * bench_median(taken + i * n, n), speed = bench_paired(taken + (i & 1) * n, taken + i * n, n);
    const int threads = ib_threads();
    struct json_object *p = bench_peer_row(peers, "inference", model, threads, batch), *j = bench_object(b, i / 2);
    const double fp32 = bench_number(p, "fp32_us"), int8 = bench_number(p, "int8_us"), best = fp32 < int8 ? fp32 : int8;
    json_object_object_add(j, "model", json_object_new_string(model));
    json_object_object_add(j, "threads", json_object_new_int(threads));
    json_object_object_add(j, "batch", json_object_new_int64(batch));
    json_object_object_add(j, "us", json_object_new_double(us));
    json_object_object_add(j, "speed", json_object_new_double(speed));
    if (p) {
        json_object_object_add(j, "onnxruntime_fp32_us", json_object_new_double(fp32));
        json_object_object_add(j, "onnxruntime_int8_us", json_object_new_double(int8));
    }
    bench_put_device(b, ib_device_name(b->dev[i / 2]));
    fprintf(out, "%-8s %8d %6lld %10.1f", model, threads, (long long)batch, us);
    if (p)
        fprintf(out, " %10.1f %10.1f %10.2f", fp32, int8, best / us);
    bench_put_speed(b, speed);
    fputc('\n', out);
    json_object_array_add(rows, j);
}

int bench_inference(bench *b, const char *const *models, int n, struct json_object *peers)
{
    const int most = ib_threads();
    FILE *out = report_stream(&b->common);
    struct json_object *rows = json_object_new_array();
    double *taken = calloc((size_t)(2 * b->n * b->repeats), sizeof *taken);
    int failed = !taken ? fprintf(stderr, "isobit: out of memory\n") > 0 : 0;
    bench_part(b);
    fprintf(out, "integer runtime, %s, fp32_rne (us a call)%s, medians of %lld turn(s)\n", b->qat,
            peers ? ", beside ONNX Runtime" : "", (long long)b->repeats);
    bench_put_device(b, "device");
    fprintf(out, "%-8s %8s %6s %10s%s%s\n", "model", "threads", "batch", "isobit",
            peers ? "       fp32       int8      ratio" : "", b->n > 1 ? "        x" : "");
    for (int i = 0; i < n && !failed; i++)
        for (int threads = 1; threads <= most && !failed; threads = threads < most ? most : most + 1) {
            failed = ib_threads_set(threads) ? complain() : measure(b, models[i], taken);
            for (int k = 0; k < 2 * b->n && !failed; k++)
                add_row(b, models[i], k / b->n + k % b->n * 2, taken, peers, rows);
            flush_or_end(out);
        }
    ib_threads_set(most);
    free(taken);
    bench_add(b, "inference", rows);
    return failed;
}
