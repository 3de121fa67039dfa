/* 02_mlp.c - a multilayer perceptron on handwritten digits, in float, with the loop of its training written out;
 * 03 and 04 have the library's. */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

enum { EPOCHS = 10, BATCH = 32 };

int main(void)
{
    int rc = EXIT_FAILURE;
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 128), ib_relu_layer(), ib_dropout_layer(0.1f),
                                  ib_linear_layer(128, 10));
    ib_loader *fit = NULL;
    ib_optim *opt = NULL;
    ib_evaluation e = {0};
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info);
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = BATCH, .shuffle = 1, .seed = 1});
    opt = ib_adamw_new(net, dev, &(ib_adamw_opts){.lr = 2e-3f, .weight_decay = 0.01f});
    if (!fit || !opt)
        goto done;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        ib_batch b;
        double sum = 0;
        float value;
        ib_loader_start(fit, epoch, 0);
        while (ib_loader_next(fit, &b)) {
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *loss = ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)), b.y, 0);
            if (ib_backward(g, loss) || ib_optim_step(opt) || ib_loss_value(g, loss, &value))
                goto done;
            sum += value;
        }
        if (ib_evaluate(net, g, test, NULL, &e))
            goto done;
        printf("epoch %2d  loss %.4f  accuracy %.2f %%\n", epoch + 1, sum / (double)ib_loader_batches(fit),
               100 * e.score);
    }
    rc = e.score > 0.95 ? EXIT_SUCCESS : EXIT_FAILURE;
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
