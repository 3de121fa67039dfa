/* networks_alike.c - four training steps of networks on a device and on plain C, float (0 bits) and quantized. A line
 * each; fails if one is not as it must be.
 *
 *   networks_alike DEVICE [MODEL WEIGHTS ACTIVATIONS]: the same bytes, every parameter, statistic, scale and loss
 *   networks_alike --near DEVICE [MODEL WEIGHTS ACTIVATIONS]: where libraries order sums, twice there the same bytes,
 *       and losses near plain C's
 *   networks_alike --products DEVICE: what computes its products */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/train_steps.h"

/* Prints the line; returns whether all is equal. */
static int is_alike(const char *device, const char *model, int weights, int activations)
{
    static trained here, there;
    const ib_qat_opts q = {.weight_bits = weights, .act_bits = activations};
    if (!train_steps("cpu:ref", model, weights ? &q : NULL, NULL, &here) ||
        !train_steps(device, model, weights ? &q : NULL, NULL, &there))
        return 0;
    int others = here.n != there.n || memcmp(here.losses, there.losses, sizeof here.losses) != 0;
    for (int i = 0; i < here.n && here.n == there.n; i++)
        others += memcmp(&here.values[i], &there.values[i], sizeof *here.values) != 0;
    printf("%s w%da%d: %d of %d numbers differ from cpu:ref's, losses %.9g %.9g %.9g\n", model, weights, activations,
           others, here.n, (double)there.losses[0], (double)there.losses[1], (double)there.losses[2]);
    fflush(stdout);
    return !others && here.n > 0 && here.losses[0] > 0;
}

/* Of the first loss rounding alone is between both (that of factors to TF32 moves it by 1e-4), and codes of weights and
 * pixels where there are any. Behind it AdamW has moved each weight by about its rate, in a direction that rounding
 * turns where a gradient is next to 0. */
static int is_near(const trained *here, const trained *there, int is_float)
{
    int ok = 1;
    for (int i = 0; i < 3; i++) {
        const float most = is_float ? (i ? 1e-2f : 2e-5f) : (i ? 5e-2f : 5e-3f);
        ok &= fabsf(here->losses[i] - there->losses[i]) <= most * here->losses[i];
    }
    return ok;
}

static int is_near_and_the_same(const char *device, const char *model, int weights, int activations)
{
    static trained here, there, again;
    const ib_qat_opts q = {.weight_bits = weights, .act_bits = activations};
    if (!train_steps("cpu:ref", model, weights ? &q : NULL, NULL, &here) ||
        !train_steps(device, model, weights ? &q : NULL, NULL, &there) ||
        !train_steps(device, model, weights ? &q : NULL, NULL, &again))
        return 0;
    const int same = there.n == again.n && !memcmp(there.losses, again.losses, sizeof there.losses) &&
                     !memcmp(there.values, again.values, (size_t)there.n * sizeof *there.values);
    const int near = is_near(&here, &there, !weights);
    printf("%s w%da%d: %s bytes twice, losses %.9g %.9g %.9g %s cpu:ref's %.9g %.9g %.9g\n", model, weights,
           activations, same ? "the same" : "OTHER", (double)there.losses[0], (double)there.losses[1],
           (double)there.losses[2], near ? "near" : "FAR FROM", (double)here.losses[0], (double)here.losses[1],
           (double)here.losses[2]);
    fflush(stdout);
    return same && near && here.n == there.n && here.n > 0 && here.losses[0] > 0;
}

static int say_products(const char *device)
{
    ib_device *dev = ib_device_open(device);
    puts(dev ? ib_device_products(dev) : ib_error());
    ib_device_close(dev);
    return !dev;
}

typedef int compared(const char *device, const char *model, int weights, int activations);

int main(int argc, char **argv)
{
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"};
    static const int widths[][2] = {{0, 0}, {8, 8}, {4, 8}, {2, 2}};
    const int near = argc > 1 && !strcmp(argv[1], "--near");
    compared *compare = near ? is_near_and_the_same : is_alike;
    int ok = 1;
    if (argc == 3 && !strcmp(argv[1], "--products"))
        return say_products(argv[2]);
    argv += near;
    argc -= near;
    if (argc == 5)
        return !compare(argv[1], argv[2], atoi(argv[3]), atoi(argv[4]));
    if (argc != 2) {
        fputs("usage: networks_alike [--near] DEVICE [MODEL WEIGHTS ACTIVATIONS], or --products DEVICE\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
            ok &= compare(argv[1], models[i], widths[j][0], widths[j][1]);
    return !ok;
}
