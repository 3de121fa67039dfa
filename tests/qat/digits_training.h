/* digits_training.h - some steps of training on the digits, and what verification says of the network. */
#ifndef IB_TESTS_QAT_DIGITS_TRAINING_H
#define IB_TESTS_QAT_DIGITS_TRAINING_H

#include "tests/digits.h"
#include "tests/numbers.h"
#include "autograd/quantizer.h"
#include "program/program.h"
#include "qat/plan.h"

static inline void begin(void)
{
    begin_with(IB_SPLIT_TRAIN, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 3});
}

/* Takes n training steps; the last loss. */
static inline float train(ib_layer *net, int n, float lr)
{
    ib_optim *opt = ib_adamw_new(net, dev, &(ib_adamw_opts){.lr = lr});
    float loss = NAN;
    ib_batch b;
    for (int i = 0; i < n; i++) {
        if (!i || !ib_loader_next(loader, &b)) {
            ib_loader_start(loader, i, 0);
            ib_loader_next(loader, &b);
        }
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *l = ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)), b.y, 0);
        if (!l || ib_backward(g, l) || ib_optim_step(opt)) {
            printf("\n    %s\n", ib_error());
            CHECK(0);
            break;
        }
        CHECK(!ib_loss_value(g, l, &loss));
    }
    ib_optim_free(opt);
    return loss;
}

static inline int64_t differences(ib_layer *net)
{
    ib_verify_report r;
    ib_dataset *test = ib_digits_new(IB_SPLIT_TEST);
    ib_dataset_limit(test, 60);
    int64_t wrong = -1;
    if (ib_verify(net, g, test, &(ib_verify_opts){.batch = 7}, &r))
        printf("\n    %s\n", ib_error());
    else
        wrong = r.mismatches;
    ib_verify_report_free(&r);
    ib_dataset_free(test);
    return wrong;
}

#endif
