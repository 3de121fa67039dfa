/* fidelity.c - see fidelity.h */
#include "cli/answers/fidelity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/measure.h"

/* Sums over the samples seen so far, a channel each. */
typedef struct sums {
    double *signal, *noise; /* [channels] */
    int64_t right[2];       /* float, quantized */
} sums;

static double decibels(double signal, double noise)
{
    return signal > 0 && noise > 0 ? 10 * log10(signal / noise) : NAN;
}

/* What the outputs are, once: [N,...] and whether labels go with them. */
static void describe(fidelity *f, const ib_dataset *d, const ib_tensor *y)
{
    int64_t rest = 1, top = -1;
    f->ndim = ib_tensor_ndim(y);
    memcpy(f->shape, ib_tensor_shape(y), (size_t)f->ndim * sizeof *f->shape);
    f->shape[0] = 1;
    f->channels = f->ndim > 1 ? f->shape[1] : 1;
    for (int i = 2; i < f->ndim; i++)
        rest *= f->shape[i];
    for (int64_t i = 0; ib_dataset_labelled(d) && i < ib_dataset_count(d); i++)
        top = ib_dataset_label(d, i) > top ? ib_dataset_label(d, i) : top;
    f->labels_fit = top >= 0 && rest == 1 && f->channels > 1 && top < f->channels;
    if (ib_dataset_targets(d))
        snprintf(f->misfit, sizeof f->misfit, "the data hold %d numbers to learn, and there are %lld outputs",
                 ib_dataset_targets(d), (long long)f->channels);
    else if (top < 0)
        snprintf(f->misfit, sizeof f->misfit, "the data have no labels");
    else if (rest > 1 || f->channels < 2)
        snprintf(f->misfit, sizeof f->misfit, "the outputs are no scores of classes");
    else
        snprintf(f->misfit, sizeof f->misfit, "the data hold label %lld, and there are %lld outputs", (long long)top,
                 (long long)f->channels);
}

/* y [n, channels, area] against q */
static int compare(fidelity *f, sums *a, const ib_batch *b, const float *y, const float *q, int64_t size)
{
    const int64_t area = size / f->channels;
    for (int64_t i = 0; i < b->n * size; i++) {
        const int64_t c = i % size / area;
        const double error = (double)y[i] - q[i];
        if (!isfinite(y[i]) || !isfinite(q[i]))
            return fprintf(stderr, "isobit: output %lld of sample %lld is %g in float and %g quantized\n",
                           (long long)(i % size), (long long)(f->samples + i / size), y[i], q[i]) > 0;
        a->signal[c] += (double)y[i] * y[i];
        a->noise[c] += error * error;
        f->largest = fabs(error) > f->largest ? fabs(error) : f->largest;
    }
    for (int64_t i = 0; f->labels_fit && i < b->n; i++) {
        a->right[0] += ib_best_class(y + i * size, size) == b->y[i];
        a->right[1] += ib_best_class(q + i * size, size) == b->y[i];
    }
    f->samples += b->n;
    return 0;
}

/* One batch through both networks. */
static int measure_batch(const session *s, ib_layer *original, const ib_dataset *d, fidelity *f, sums *a,
                         const ib_batch *b)
{
    ib_graph_begin(s->g, IB_EVAL);
    ib_tensor *y = ib_layer_forward_float(s->g, original, ib_input(s->g, 4, b->shape, b->x));
    if (!y)
        return complain();
    if (!f->samples) {
        describe(f, d, y);
        f->channel_db = calloc((size_t)f->channels, sizeof(double));
        a->signal = calloc((size_t)f->channels, sizeof(double));
        a->noise = calloc((size_t)f->channels, sizeof(double));
    }
    const int64_t size = ib_tensor_size(y) / b->n;
    float *kept = malloc((size_t)(2 * b->n * size) * sizeof *kept), *quantized = kept + b->n * size;
    if (!kept || !f->channel_db || !a->signal || !a->noise) {
        free(kept);
        return fprintf(stderr, "isobit: out of memory for %lld outputs\n", (long long)size) > 0;
    }
    ib_tensor_read(y, kept);
    ib_graph_begin(s->g, IB_EVAL);
    ib_tensor *q = ib_layer_forward(s->g, s->net, ib_input(s->g, 4, b->shape, b->x));
    const int failed = q && !ib_tensor_read(q, quantized) ? compare(f, a, b, kept, quantized, size) : complain();
    free(kept);
    return failed;
}

int fidelity_measure(session *s, ib_layer *original, const ib_dataset *d, fidelity *f)
{
    ib_loader *l = ib_loader_new(d, ib_layer_input(s->net), &(ib_loader_opts){.batch = 100});
    double signal = 0, noise = 0;
    session was = *s;
    was.net = original;
    sums a = {0};
    ib_batch b;
    int failed = l ? 0 : complain();
    *f = (fidelity){0};
    progress p;
    progress_start(&p, "compare", 0);
    while (!failed && ib_loader_next(l, &b)) {
        failed = measure_batch(s, original, d, f, &a, &b);
        progress_show(&p, f->samples, ib_dataset_count(d), "samples");
    }
    progress_end(&p);
    if (!failed && ib_loader_status(l))
        failed = complain();
    for (int64_t c = 0; !failed && c < f->channels; c++) {
        f->channel_db[c] = decibels(a.signal[c], a.noise[c]);
        signal += a.signal[c];
        noise += a.noise[c];
    }
    if (!failed && ib_dataset_targets(d) == f->channels && f->samples)
        failed = regression_by_network(&was, d, 1, &f->in_float) || regression_by_network(s, d, 0, &f->quantized);
    f->db = decibels(signal, noise);
    f->float_accuracy = f->samples ? (double)a.right[0] / (double)f->samples : 0;
    f->accuracy = f->samples ? (double)a.right[1] / (double)f->samples : 0;
    free(a.signal);
    free(a.noise);
    ib_loader_free(l);
    return failed;
}

void fidelity_free(fidelity *f)
{
    free(f->channel_db);
    ib_evaluation_release(&f->in_float);
    ib_evaluation_release(&f->quantized);
    *f = (fidelity){0};
}

void fidelity_print(const fidelity *f)
{
    int64_t worst = 0;
    for (int64_t c = 1; c < f->channels; c++)
        if (f->channel_db[c] < f->channel_db[worst] || isnan(f->channel_db[worst]))
            worst = c;
    printf("output [N");
    for (int i = 1; i < f->ndim; i++)
        printf(",%lld", (long long)f->shape[i]);
    printf("] against float: ");
    if (isnan(f->db))
        printf(f->largest > 0 ? "float is 0 throughout" : "no difference");
    else
        printf("SQNR %.1f dB", f->db);
    if (f->channels > 1 && !isnan(f->channel_db[worst]))
        printf(" (least %.1f dB, of channel %lld)", f->channel_db[worst], (long long)worst);
    printf(", largest error %.3g", f->largest);
    if (f->quantized.n_targets) {
        printf("; ");
        regression_print(&f->quantized);
        printf(" in integers, ");
        regression_print(&f->in_float);
        printf(" in float");
    } else if (f->labels_fit)
        printf("; accuracy %.2f %% in integers, %.2f %% in float", 100 * f->accuracy, 100 * f->float_accuracy);
    else
        printf("; no accuracy: %s", f->misfit);
}

static struct json_object *number(double x)
{
    return isnan(x) ? NULL : json_object_new_double(x);
}

void fidelity_json(const fidelity *f, struct json_object *j)
{
    struct json_object *outputs = json_object_new_array(), *o = json_object_new_object(),
                       *shape = json_object_new_array(), *db = json_object_new_array();
    if (f->quantized.n_targets) {
        struct json_object *in_float = json_object_new_object();
        regression_json(&f->in_float, in_float);
        json_object_object_add(j, "float", in_float);
        regression_json(&f->quantized, j);
    } else if (f->labels_fit) {
        json_object_object_add(j, "float_accuracy", json_object_new_double(f->float_accuracy));
        json_object_object_add(j, "accuracy", json_object_new_double(f->accuracy));
    } else {
        json_object_object_add(j, "no_accuracy", json_object_new_string(f->misfit));
    }
    json_object_object_add(j, "samples", json_object_new_int64(f->samples));
    for (int i = 1; i < f->ndim; i++)
        json_object_array_add(shape, json_object_new_int64(f->shape[i]));
    for (int64_t c = 0; c < f->channels; c++)
        json_object_array_add(db, number(f->channel_db[c]));
    json_object_object_add(o, "shape", shape);
    json_object_object_add(o, "sqnr_db", number(f->db));
    json_object_object_add(o, "largest_error", json_object_new_double(f->largest));
    json_object_object_add(o, "channels_sqnr_db", db);
    json_object_array_add(outputs, o);
    json_object_object_add(j, "outputs", outputs);
}
