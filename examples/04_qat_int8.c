/* 04_qat_int8.c - quantization-aware training to INT8: one line at one epoch, then the C that ships. */
#include <stdio.h>
#include <stdlib.h>

#include "accuracy.h" // defines: accuracy
#include "train.h"    // defines: train_epochs

int main(int argc, char **argv)
{
    int rc = EXIT_FAILURE;
    const char *dir = argc > 1 ? argv[1] : "out";
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *net = ib_model_new("mlp", 1, 8, 8, 10);
    ib_loader *fit = NULL;
    ib_optim *opt = NULL;
    ib_program *program = NULL;
    ib_verify_report report = {0};
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info); /* the normalization becomes the input's scale and zero point */
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 1});
    opt = ib_adamw_new(net, dev, NULL);
    if (!fit || !opt || train_epochs(g, net, opt, fit, 0, 6, 2e-3f))
        goto done;
    printf("float:        %.2f %%\n", 100 * accuracy(g, net, test, &info));
    if (ib_qat_begin(net, g, fit, &(ib_qat_opts){.weight_bits = 8, .act_bits = 8}))
        goto done;
    printf("quantized:    %.2f %%\n", 100 * accuracy(g, net, test, &info));
    if (train_epochs(g, net, opt, fit, 6, 4, 5e-4f))
        goto done;
    printf("learned INT8: %.2f %%\n", 100 * accuracy(g, net, test, &info));
    if (ib_verify(net, g, test, NULL, &report)) /* training = evaluation = runtime = compiled C */
        goto done;
    printf("verified:     %lld codes differ over %lld samples\n", (long long)report.mismatches,
           (long long)report.samples);
    if (!(program = ib_program_lower(net, g)) || ib_export_c(program, dev, dir, "digits_int8", NULL))
        goto done;
    printf("written to %s/digits_int8.c, %lld bytes of RAM\n", dir, (long long)ib_program_arena(program));
    rc = report.mismatches ? EXIT_FAILURE : EXIT_SUCCESS;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    ib_verify_report_free(&report);
    ib_program_free(program);
    ib_optim_free(opt);
    ib_loader_free(fit);
    ib_layer_free(net);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
