/* train.h - `epochs` epochs of AdamW on the cosine from lr to lr / 20; 0, or -1 with ib_error(). */
#include <isobit/isobit.h>

static int train_epochs(ib_graph *g, ib_layer *net, ib_optim *opt, ib_loader *fit, int first, int epochs, float lr)
{
    const ib_schedule s = {.kind = IB_COSINE, .lr = lr, .total = epochs * ib_loader_batches(fit), .final = 0.05f};
    int64_t step = 0;
    for (int epoch = first; epoch < first + epochs; epoch++) {
        ib_batch b;
        ib_loader_start(fit, epoch, 0);
        while (ib_loader_next(fit, &b)) {
            ib_optim_set_lr(opt, ib_schedule_lr(&s, step++));
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *loss = ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)), b.y, 0);
            if (ib_backward(g, loss) || ib_optim_step(opt))
                return -1;
        }
    }
    return 0;
}
