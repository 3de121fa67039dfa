/* test_train_alloc.c - each allocation in a training, its checkpoints and its resume fails once. The result is an error
 * and every block is given back, never a crash, and what was written can be gone on from. HDF5's own allocations
 * do not fail here. Broken by: an unchecked allocation, a history that grows before there is room. */
#include "tests/train/small_training.h"

static ib_dataset *data;

/* 0 when all of it worked */
static int life(void)
{
    const ib_qat_opts int8 = {.weight_bits = 8, .act_bits = 8};
    watch w = {.stop_at = 3};
    ib_train_opts o = {.epochs = 2,
                       .lr = 1e-2f,
                       .qat = &int8,
                       .qat_from = 1,
                       .test = data,
                       .out = path,
                       .best = other,
                       .progress = watch_training,
                       .user = &w};
    small s, again;
    int failed = small_open(&s, ib_sequential(ib_flatten_layer(), ib_linear_layer(4, 3)), data, 4) ||
                 ib_train(s.net, g, s.opt, s.fit, &o, &s.t) != IB_ESTOPPED;
    small_free(&s);
    w.stop_at = 0;
    if (failed)
        return 1;
    failed = small_open(&again, ib_sequential(ib_flatten_layer(), ib_linear_layer(4, 3)), data, 4) ||
             ib_train_resume(path, again.net, g, again.opt, &again.t) ||
             ib_train(again.net, g, again.opt, again.fit, &o, &again.t);
    small_free(&again);
    return failed;
}

static void each_allocation_fails_once(void)
{
    begin();
    float x[32];
    int32_t y[8];
    for (int i = 0; i < 8; i++) {
        y[i] = i % 3;
        for (int j = 0; j < 4; j++)
            x[4 * i + j] = (float)(j == y[i]);
    }
    data = ib_dataset_new(8, 4, 1, 1, 3, 0, x, y);
    REQUIRE(data && !life());
    ib_graph_free(g);
    ib_alloc_fail_at(0);
    REQUIRE((g = ib_graph_new(dev)) && !life());
    const int64_t all = ib_alloc_fail_at(0);
    ib_graph_free(g);
    int64_t n = 1, silent = 0;
    for (; n <= all; n++) {
        const int64_t held = ib_alloc_held();
        g = ib_graph_new(dev);
        ib_alloc_fail_at(n);
        const int failed = life();
        const int64_t made = ib_alloc_fail_at(0);
        ib_graph_free(g);
        CHECK_INT(ib_alloc_held(), held);
        if (made < n)
            break;
        silent += !failed;
        CHECK(!failed || ib_error_status() == IB_ENOMEM || strstr(ib_error(), "out of memory"));
    }
    printf("%lld allocations, %lld failures did no harm ", (long long)n - 1, (long long)silent);
    CHECK(n > 200 && silent <= 3); /* the folder of a file is not synced */
    REQUIRE((g = ib_graph_new(dev)) && !life());
    ib_dataset_free(data);
    end();
}

SUITE("train_alloc", T(each_allocation_fails_once))
