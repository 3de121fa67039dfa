/* contender.c - isobit bench: networks that are measured, and their data. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

int bench_make(contender *c, ib_device *dev, const ib_dataset *d, const char *model)
{
    const ib_input_info in = ib_dataset_info(d);
    if (!(c->net = ib_model_new(model, in.c, in.h, in.w, in.classes)) || ib_layer_init(c->net, 1))
        return 1;
    ib_layer_set_input(c->net, &in);
    return !(c->g = ib_graph_new(dev)) || !(c->opt = ib_adamw_new(c->net, dev, NULL));
}

void bench_drop(contender *c)
{
    ib_optim_free(c->opt);
    ib_graph_free(c->g);
    ib_layer_free(c->net);
}

ib_dataset *bench_data(const char *model, int batch)
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
