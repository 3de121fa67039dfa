/* 03_cnn_batch_norm.c - a convolutional network with batch norm, trained and saved as a checkpoint. */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

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
    ib_training t = {.at.seed = 1};
    ib_evaluation e;
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info);
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 1, .drop_last = 1});
    opt = ib_sgd_new(net, dev, &(ib_sgd_opts){.momentum = 0.9f, .nesterov = 1, .weight_decay = 1e-4f});
    const ib_train_opts o = {.epochs = 8, .schedule = IB_COSINE, .lr = 0.05f, .test = test, .out = path};
    if (!fit || !opt || ib_train(net, g, opt, fit, &o, &t)) /* writes a checkpoint after each epoch */
        goto done;
    const double before = t.score;
    printf("accuracy %.2f %%\n", 100 * before);
    if (ib_layer_init(net, 2) || ib_evaluate(net, g, test, NULL, &e)) /* forgotten */
        goto done;
    printf("with other weights %.2f %%\n", 100 * e.score);
    if (ib_train_resume(path, net, g, opt, &t) || ib_evaluate(net, g, test, NULL, &e))
        goto done;
    printf("restored from %s, behind epoch %lld: %.2f %%\n", path, (long long)t.at.epoch, 100 * e.score);
    rc = e.score == before && before > 0.95 ? EXIT_SUCCESS : EXIT_FAILURE;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    ib_training_release(&t);
    ib_optim_free(opt);
    ib_loader_free(fit);
    ib_layer_free(net);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
