/* networks_alike.c - networks_alike DEVICE [MODEL WEIGHTS ACTIVATIONS]: four training steps of networks on the device
 * and on plain C, float (0 bits) and quantized, to the same bytes: every parameter, statistic, scale and loss. A line
 * each; fails if one is another. */
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

int main(int argc, char **argv)
{
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"};
    static const int widths[][2] = {{0, 0}, {8, 8}, {4, 8}, {2, 2}};
    int ok = 1;
    if (argc == 5)
        return !is_alike(argv[1], argv[2], atoi(argv[3]), atoi(argv[4]));
    if (argc != 2) {
        fputs("usage: networks_alike DEVICE [MODEL WEIGHTS ACTIVATIONS]\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
            ok &= is_alike(argv[1], models[i], widths[j][0], widths[j][1]);
    return !ok;
}
