/* test_cuda_watches.c - on "cuda:host" as many looks as there are graphs and optimizers tell what they find; places go
 * with the memory that they look at. Broken by: a number of places that some program exceeds, a place that outlives its
 * block, a look that gives zeroes where it cannot look. */
#define IB_CUDA_HOST

#include "tests/cuda/host_plugin.h"

#include "backends/cuda/inner.h"

enum { MANY = 20, GOOD = 3, BAD = 8 };

typedef struct training {
    ib_graph *g;
    ib_layer *net;
    ib_optim *opt;
} training;

/* A step of these numbers, whose end the host has waited for; returns whether anything was said. */
static int step(const training *t, float number)
{
    float x[8], weights[8];
    for (int i = 0; i < 8; i++)
        x[i] = i == 2 ? number : (float)i / 8;
    REQUIRE(!ib_graph_begin(t->g, IB_TRAIN));
    ib_tensor *y = ib_layer_forward(t->g, t->net, ib_input(t->g, 2, (int64_t[]){2, 4}, x));
    ib_tensor *l = y ? ib_cross_entropy(t->g, y, (int32_t[]){0, 1}, 0) : NULL;
    const int told = !l || ib_backward(t->g, l) || ib_optim_step(t->opt);
    REQUIRE(!ib_tensor_read(ib_param_at(t->net, 0), weights));
    return told;
}

static void all_optimizers_tell(void)
{
    if (!has_plugin())
        return;
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    training t[MANY];
    for (int i = 0; i < MANY; i++) {
        t[i].g = ib_graph_new(dev);
        t[i].net = ib_linear_layer(4, 2);
        REQUIRE(t[i].g && t[i].net && !ib_layer_init(t[i].net, 1));
        REQUIRE((t[i].opt = ib_adamw_new(t[i].net, dev, NULL)) != NULL);
        for (int n = 0; n < GOOD; n++)
            CHECK_INT(step(&t[i], 0.5f), 0);
    }
    for (int i = 0; i < MANY; i++) {
        int told = 0;
        for (int n = 0; n < BAD; n++)
            told += step(&t[i], NAN);
        CHECK(told > 0); /* late: a look tells what the one before it has begun to copy */
        CHECK(strstr(ib_error(), "not finite") != NULL);
        ib_optim_zero(t[i].opt);
    }
    const size_t places = ib_cuda_of(dev)->n_watches;
    CHECK(places > MANY);
    CHECK(!*dev->failure);
    for (int i = 0; i < MANY; i++) {
        ib_optim_free(t[i].opt);
        ib_layer_free(t[i].net);
        ib_graph_free(t[i].g);
    }
    size_t free_ones = 0;
    for (size_t i = 0; i < places; i++)
        free_ones += !ib_cuda_of(dev)->watch[i].from;
    CHECK(free_ones + 2 >= places); /* what is left is the device's own */
    ib_device_close(dev);
}

/* What is watched within a block goes with it, also where a copy of it was asked for in a step. */
static void places_go_with_their_blocks(void)
{
    if (!has_plugin())
        return;
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    const size_t own = ib_cuda_of(dev)->blocks.n;
    int seen = 7, *stays = dev->v.allocate(dev, 4 * sizeof *stays);
    dev->v.fill(dev, stays, 1, 4 * sizeof *stays);
    for (int i = 0; i < 100; i++) {
        int *a = dev->v.allocate(dev, 4 * sizeof *a);
        REQUIRE(a != NULL);
        for (int n = 0; n < 4; n++) { /* the plain ones, a captured one */
            dev->v.begin_step(dev);
            dev->v.fill(dev, a, 1, 4 * sizeof *a);
            dev->v.peek(dev, &seen, a + 1, sizeof seen);
            dev->v.peek(dev, &seen, stays + i % 4, sizeof seen);
            if (n < 3)
                dev->v.end_step(dev);
        }
        dev->v.release(dev, a); /* cuts the step */
        dev->v.end_step(dev);
    }
    CHECK_INT(ib_cuda_of(dev)->n_watches, 5);
    for (int i = 0; i < 50; i++)
        dev->v.peek(dev, &seen, stays + 3, sizeof seen);
    CHECK_INT(seen, 0x01010101);
    CHECK_INT(ib_cuda_of(dev)->blocks.n, own + 1);
    dev->v.release(dev, stays);
    CHECK_INT(ib_cuda_of(dev)->blocks.n, own);
    CHECK(!*dev->failure);
    ib_device_close(dev);
}

/* Where there is no place, the device says so. */
static void what_cannot_be_watched_is_said(void)
{
    if (!has_plugin())
        return;
    char seen[IB_CUDA_WATCHED + 1];
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    char *a = dev->v.allocate(dev, sizeof seen);
    dev->v.fill(dev, a, 0, sizeof seen);
    dev->v.peek(dev, seen, a, IB_CUDA_WATCHED);
    CHECK(!*dev->failure);
    dev->v.peek(dev, seen, a, sizeof seen);
    CHECK(!strcmp(dev->failure, "peek: 129 bytes, 128 may be looked at"));
    dev->v.release(dev, a);
    ib_device_close(dev);
}

SUITE("cuda watches", T(all_optimizers_tell), T(places_go_with_their_blocks), T(what_cannot_be_watched_is_said))
