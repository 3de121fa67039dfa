/* 10_two_devices.c - a network that lies on two devices, trained on one tape: its front on the first, its head on the
 * second, and ib_to_device() between them.
 *
 *   build/examples/example_10_two_devices cpu cuda      # default: cpu cpu:ref
 */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 32, EPOCHS = 8 };

static ib_tensor *forward(ib_graph *g, ib_layer *front, ib_layer *head, ib_device *second, const ib_batch *b)
{
    ib_tensor *h = ib_layer_forward(g, front, ib_input(g, 4, b->shape, b->x)); /* on the graph's device */
    return ib_layer_forward(g, head, ib_to_device(g, h, second)); /* what reads the copy is computed there */
}

/* The number of the largest of y[10]. */
static int32_t largest(const float *y)
{
    int32_t best = 0;
    for (int32_t i = 1; i < 10; i++)
        best = y[i] > y[best] ? i : best;
    return best;
}

int main(int argc, char **argv)
{
    int rc = EXIT_FAILURE;
    ib_device *first = ib_device_open(argc > 1 ? argv[1] : "cpu");
    ib_device *second = first ? ib_device_open(argc > 2 ? argv[2] : "cpu:ref") : NULL;
    ib_graph *g = second ? ib_graph_new(first) : NULL;
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_loader *fit = ib_loader_new(train, NULL, &(ib_loader_opts){.batch = BATCH, .shuffle = 1, .seed = 1});
    ib_loader *ask = ib_loader_new(test, NULL, &(ib_loader_opts){.batch = BATCH});
    ib_layer *front = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 48), ib_relu_layer());
    ib_layer *head = ib_sequential(ib_linear_layer(48, 10));
    ib_optim *opts[2] = {NULL, NULL}; /* an optimizer is of one device */
    if (!g || !fit || !ask || ib_layer_init(front, 1) || ib_layer_init(head, 2) ||
        !(opts[0] = ib_adamw_new(front, first, &(ib_adamw_opts){.lr = 2e-3f})) ||
        !(opts[1] = ib_adamw_new(head, second, &(ib_adamw_opts){.lr = 2e-3f})))
        goto done;
    ib_batch b;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        ib_loader_start(fit, epoch, 0);
        while (ib_loader_next(fit, &b)) {
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *loss = ib_cross_entropy(g, forward(g, front, head, second, &b), b.y, 0);
            if (ib_backward(g, loss)) /* gradients come back to the first device where the copy was made */
                goto done;
            for (int i = 0; i < 2; i++)
                if (ib_optim_step(opts[i]) || ib_optim_zero(opts[i]))
                    goto done;
        }
    }
    int64_t right = 0, all = 0;
    ib_loader_start(ask, 0, 0);
    while (ib_loader_next(ask, &b)) {
        float y[BATCH * 10];
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *logits = forward(g, front, head, second, &b);
        if (!logits || ib_tensor_read(logits, y))
            goto done;
        for (int64_t i = 0; i < b.n; i++)
            right += largest(y + i * 10) == b.y[i];
        all += b.n;
    }
    printf("front on %s, head on %s: %lld of %lld images recognized\n", ib_device_name(first), ib_device_name(second),
           (long long)right, (long long)all);
    rc = right > all * 9 / 10 ? EXIT_SUCCESS : EXIT_FAILURE;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    for (int i = 0; i < 2; i++)
        ib_optim_free(opts[i]);
    ib_layer_free(front);
    ib_layer_free(head);
    ib_loader_free(fit);
    ib_loader_free(ask);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_graph_free(g);
    ib_device_close(second);
    ib_device_close(first);
    return rc;
}
