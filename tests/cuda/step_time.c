/* step_time.c - step_time DEVICE MODEL WEIGHTS ACTIVATIONS BATCH STEPS ROUNDS: milliseconds of a step of training
 * (float with 0 bits), the median of rounds of so many steps: forward, backward, AdamW; the loss of a round's last one
 * is read. On CUDA also how many of all steps were one graph. Inputs are as isobit bench has them, 1x28x28, for resnet8
 * 3x32x32; they are uploaded in each step. */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <isobit/isobit.h>

#include "backends/cuda/plugin.h"

enum { MOST_ROUNDS = 100, MOST_SAMPLES = 256 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int within(const char *text, int most)
{
    const int n = atoi(text);
    return n < 1 ? 1 : n > most ? most : n;
}

static ib_dataset *random_pictures(const char *model, int n)
{
    static float x[MOST_SAMPLES * 3 * 32 * 32];
    static int32_t y[MOST_SAMPLES];
    const int colour = !strcmp(model, "resnet8"), size = colour ? 32 : 28;
    for (int i = 0; i < n * (colour ? 3 : 1) * size * size; i++)
        x[i] = (float)ib_rng_below((ib_rng){7, 7}, (uint64_t)i, 256) / 255.0f;
    for (int i = 0; i < n; i++)
        y[i] = (int32_t)ib_rng_below((ib_rng){7, 8}, (uint64_t)i, 10);
    return ib_dataset_new(n, colour ? 3 : 1, size, size, 10, 255, x, y);
}

static int step(ib_graph *g, ib_layer *net, ib_optim *opt, const ib_batch *b, float *read)
{
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, b->shape, b->x));
    ib_tensor *loss = y ? ib_cross_entropy(g, y, b->y, 0) : NULL;
    return loss && !ib_backward(g, loss) && !ib_optim_step(opt) && (!read || !ib_loss_value(g, loss, read));
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fputs("usage: step_time DEVICE MODEL WEIGHTS ACTIVATIONS BATCH STEPS ROUNDS\n", stderr);
        return 2;
    }
    const int batch = within(argv[5], MOST_SAMPLES), steps = within(argv[6], INT_MAX),
              rounds = within(argv[7], MOST_ROUNDS);
    const ib_qat_opts q = {.weight_bits = atoi(argv[3]), .act_bits = atoi(argv[4])};
    ib_device *dev = ib_device_open(argv[1]);
    ib_graph *g = dev ? ib_graph_new(dev) : NULL;
    ib_dataset *d = random_pictures(argv[2], batch);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = batch});
    ib_layer *net = ib_model_new(argv[2], info.c, info.h, info.w, info.classes);
    ib_optim *opt = dev && net ? ib_adamw_new(net, dev, NULL) : NULL;
    int ok = g && l && net && opt && !ib_layer_init(net, 1);
    if (ok)
        ib_layer_set_input(net, &info);
    if (ok && q.weight_bits)
        ok = !ib_qat_prepare(net, g, &q) && !ib_qat_calibrate(net, g, l, 1) && !ib_qat_set_phase(net, g, IB_LEARN);
    ib_batch b;
    ok = ok && !ib_loader_start(l, 0, 0) && ib_loader_next(l, &b);
    double times[MOST_ROUNDS];
    float loss = 0;
    for (int round = -1; round < rounds && ok; round++) { /* the first is not counted */
        const double start = now();
        for (int i = 0; i < steps && ok; i++)
            ok = step(g, net, opt, &b, i == steps - 1 ? &loss : NULL);
        if (round >= 0)
            times[round] = (now() - start) / steps;
    }
    if (ok) {
        qsort(times, (size_t)rounds, sizeof *times, by_value);
        printf("%s w%da%d: %.4f ms a step, loss %.6g", argv[2], q.weight_bits, q.act_bits, times[rounds / 2],
               (double)loss);
        if (!strncmp(argv[1], "cuda", 4)) {
            const ib_cuda_counts *n = &((const ib_cuda_device *)(const void *)dev)->counts;
            printf(", %lld of %lld steps one graph", (long long)n->whole, (long long)(n->whole + n->cut + n->plain));
        }
        puts("");
    } else
        printf("%s on %s: %s\n", argv[2], argv[1], ib_error());
    ib_optim_free(opt);
    ib_layer_free(net);
    ib_loader_free(l);
    ib_dataset_free(d);
    ib_graph_free(g);
    ib_device_close(dev);
    return !ok;
}
