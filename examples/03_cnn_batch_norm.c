/* 03_cnn_batch_norm.c - a convolutional network with batch norm, trained and saved as a checkpoint. */
#include <stdio.h>
#include <stdlib.h>

#include "accuracy.h" // defines: accuracy
#include "train.h"    // defines: train_epochs

int main(int argc, char **argv)
{
    int rc = EXIT_FAILURE;
    const char *path = argc > 1 ? argv[1] : "cnn.h5";
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *net = ib_sequential(
        ib_named("conv1", ib_conv2d_layer(&(ib_conv2d_config){
                              .in = 1, .out = 8, .kernel_h = 3, .pad_h = 1, .pad_w = 1, .no_bias = 1})),
        ib_batch_norm_layer(8), ib_relu_layer(), ib_max_pool_layer(2, 2),
        ib_named("conv2", ib_conv2d_layer(&(ib_conv2d_config){
                              .in = 8, .out = 16, .kernel_h = 3, .pad_h = 1, .pad_w = 1, .no_bias = 1})),
        ib_batch_norm_layer(16), ib_relu_layer(), ib_max_pool_layer(2, 2), ib_flatten_layer(), ib_linear_layer(64, 10));
    ib_loader *fit = NULL;
    ib_optim *opt = NULL;
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info);
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 1, .drop_last = 1});
    opt = ib_sgd_new(net, dev, &(ib_sgd_opts){.momentum = 0.9f, .nesterov = 1, .weight_decay = 1e-4f});
    if (!fit || !opt || train_epochs(g, net, opt, fit, 0, 8, 0.05f))
        goto done;
    const double before = accuracy(g, net, test, &info);
    printf("accuracy %.2f %%\n", 100 * before);
    ib_checkpoint c = {.seed = 1, .epoch = 8};
    if (ib_checkpoint_save(path, net, opt, &c) || ib_layer_init(net, 2)) /* saved, then forgotten */
        goto done;
    printf("with other weights %.2f %%\n", 100 * accuracy(g, net, test, &info));
    if (ib_checkpoint_restore(path, net, g, opt, &c))
        goto done;
    ib_checkpoint_release(&c);
    printf("restored from %s: %.2f %%\n", path, 100 * accuracy(g, net, test, &info));
    rc = accuracy(g, net, test, &info) == before && before > 0.95 ? EXIT_SUCCESS : EXIT_FAILURE;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    ib_optim_free(opt);
    ib_loader_free(fit);
    ib_layer_free(net);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
