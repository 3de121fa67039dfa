/* bench_steps.c - isobit bench: training steps of float and quantized networks in turns. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

typedef struct steppers {
    contender c[2 * MOST_DEVICES]; /* float and quantized of each device */
    ib_batch batch;
} steppers;

static int take_step(void *user, int i)
{
    steppers *s = user;
    contender *c = &s->c[i];
    const ib_batch *b = &s->batch;
    ib_graph_begin(c->g, IB_TRAIN);
    ib_tensor *loss =
        ib_cross_entropy(c->g, ib_layer_forward(c->g, c->net, ib_input(c->g, 4, b->shape, b->x)), b->y, 0);
    c->saved = ib_graph_saved_bytes(c->g);
    return !loss || ib_backward(c->g, loss) || ib_optim_step(c->opt) || ib_graph_synchronize(c->g);
}

static void add_row(bench *b, const char *model, int batch, const steppers *s, const double *taken,
                    struct json_object *rows)
{
    FILE *out = report_stream(&b->common);
    const int64_t n = b->repeats;
    for (int i = 0; i < b->n; i++) {
        const double *f = taken + 2 * i * n, *q = f + n;
        const struct {
            const char *key;
            double value;
        } numbers[] = {{"float_ms", 1e3 * bench_median(f, n)},
                       {"qat_ms", 1e3 * bench_median(q, n)},
                       {"ratio", bench_paired(q, f, n)},
                       {"float_mb", (double)s->c[2 * i].saved / 1e6},
                       {"qat_mb", (double)s->c[2 * i + 1].saved / 1e6},
                       {"float_speed", bench_paired(taken, f, n)},
                       {"qat_speed", bench_paired(taken + n, q, n)}};
        struct json_object *j = bench_object(b, i);
        json_object_object_add(j, "model", json_object_new_string(model));
        json_object_object_add(j, "batch", json_object_new_int(batch));
        for (int k = 0; k < 7; k++)
            json_object_object_add(j, numbers[k].key, json_object_new_double(numbers[k].value));
        json_object_array_add(rows, j);
        bench_put_device(b, ib_device_name(b->dev[i]));
        fprintf(out, "%-8s %5d %10.2f %10.2f %8.2f %10.2f %10.2f", model, batch, numbers[0].value, numbers[1].value,
                numbers[2].value, numbers[3].value, numbers[4].value);
        bench_put_speed(b, numbers[5].value);
        bench_put_speed(b, numbers[6].value);
        fputc('\n', out);
    }
    flush_or_end(out);
}

static int bench_model(bench *b, const char *model, struct json_object *rows)
{
    const int batch = !strcmp(model, "resnet8") || !strcmp(model, "dscnn") ? 32 : 64;
    steppers s = {0};
    ib_qat_opts quant = {0};
    ib_dataset *d = bench_data(model, batch);
    ib_loader *l = d ? ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = batch}) : NULL;
    double *taken = calloc((size_t)(2 * b->n * b->repeats), sizeof *taken);
    int failed = !l || !taken || ib_qat_bits_parse(b->qat, &quant);
    for (int i = 0; i < b->n && !failed; i++) {
        contender *f = &s.c[2 * i], *q = f + 1;
        failed = bench_make(f, b->dev[i], d, model) || bench_make(q, b->dev[i], d, model) ||
                 ib_qat_begin(q->net, q->g, l, &quant);
    }
    if (!failed) {
        ib_loader_start(l, 0, 0);
        failed = !ib_loader_next(l, &s.batch);
    }
    if (failed)
        complain();
    const turns t = {model, 2 * b->n, b->repeats, 0.05, take_step, &s};
    failed = failed || take_turns(&t, taken);
    if (!failed)
        add_row(b, model, batch, &s, taken, rows);
    for (int i = 0; i < 2 * b->n; i++)
        bench_drop(&s.c[i]);
    ib_loader_free(l);
    ib_dataset_free(d);
    free(taken);
    return failed;
}

int bench_steps(bench *b, const char *const *models, int n)
{
    FILE *out = report_stream(&b->common);
    struct json_object *rows = json_object_new_array();
    int failed = 0;
    bench_part(b);
    fprintf(out, "training step on ");
    for (int i = 0; i < b->n; i++)
        fprintf(out, "%s%s", i ? ", " : "", ib_device_name(b->dev[i]));
    fprintf(out, ", %d thread(s), %s, medians of %lld turn(s)\n", ib_threads(), b->qat, (long long)b->repeats);
    bench_put_device(b, "device");
    fprintf(out, "%-8s %5s %10s %10s %8s %10s %10s%s\n", "model", "batch", "float ms", "qat ms", "ratio", "float MB",
            "qat MB", b->n > 1 ? "  float x    qat x" : "");
    for (int i = 0; i < n && !failed; i++)
        failed = bench_model(b, models[i], rows);
    bench_add(b, "steps", rows);
    return failed;
}
