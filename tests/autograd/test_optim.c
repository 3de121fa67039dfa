/* test_optim.c - optimizers against PyTorch, schedules, clipping, groups. Broken by: another order of updates. */
#include "tests/check.h"

#include "layers/layer.h"
#include "optim/optim.h"
#include "tests/golden/pytorch.h"
#include "tests/numbers.h"

static ib_device *dev;
static ib_layer *net;
static ib_tensor *p;

static ib_tensor *forward(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    (void)g;
    return self ? x : NULL;
}

/* A network of one parameter [2,4], sin(0.7 i). */
static void begin(void)
{
    static const ib_layer_class cls = {"one", forward};
    dev = ib_device_open(NULL);
    net = ib_layer_new(&cls, 0);
    p = ib_layer_param(net, "p", 2, (int64_t[]){2, 4}, IB_INIT_ZEROS, 1, 1);
    REQUIRE(p && !ib_layer_init(net, 1));
    for (int i = 0; i < 8; i++)
        set_value(p, i, (float)sin(0.7 * i));
}

static void end(void)
{
    ib_layer_free(net);
    ib_device_close(dev);
}

/* Twenty steps on mean (p - 2 sin(0.7 i + 0.1 step))^2, as in make_pytorch.py */
static void run(ib_optim *o, const float *want)
{
    for (int step = 0; step < 20; step++) {
        for (int i = 0; i < 8; i++)
            set_grad(p, i, 2.0f / 8 * (values_of(p)[i] - 2 * (float)sin(0.7 * i + 0.1 * step)));
        REQUIRE(!ib_optim_step(o));
        for (int i = 0; i < 8; i++)
            CHECK_NEAR(grads_of(p)[i], 0, 0);
    }
    for (int i = 0; i < 8; i++)
        CHECK_NEAR(values_of(p)[i], want[i], 2e-6);
    ib_optim_free(o);
}

static void updates_are_pytorchs(void)
{
    begin();
    run(ib_sgd_new(net, dev, &(ib_sgd_opts){0.05f, 0.9f, 0.01f, 0}), sgd_p);
    end();
    begin();
    run(ib_sgd_new(net, dev, &(ib_sgd_opts){0.05f, 0.9f, 0, 1}), nesterov_p);
    end();
    begin();
    run(ib_adamw_new(net, dev, &(ib_adamw_opts){.lr = 0.05f, .weight_decay = 0.1f}), adamw_p);
    end();
}

static void clipping_scales_to_the_norm(void)
{
    begin();
    ib_optim *o = ib_sgd_new(net, dev, NULL);
    for (int i = 0; i < 8; i++)
        set_grad(p, i, 3);
    CHECK_NEAR(ib_optim_clip(o, 1), sqrt(72), 1e-6);
    CHECK_NEAR(grads_of(p)[0], 3 / sqrt(72), 1e-6);
    CHECK_NEAR(ib_optim_clip(o, 2), 1, 1e-6);
    CHECK_NEAR(grads_of(p)[0], 3 / sqrt(72), 1e-6);
    for (int i = 0; i < 8; i++)
        set_grad(p, i, 3);
    CHECK(!ib_optim_limit(o, 1));
    CHECK_NEAR(grads_of(p)[0], 3 / sqrt(72), 1e-6);
    const float before = values_of(p)[5];
    set_grad(p, 5, NAN);
    CHECK(ib_optim_clip(o, 1) < 0);
    CHECK(!strcmp(ib_error(), "ib_optim_clip: the gradients' norm is nan"));
    const char *who = dev->is_host ? "ib_optim_limit" : "ib_optim_step"; /* which are late */
    CHECK_ERROR(ib_optim_limit(o, 1) || ib_optim_step(o) || ib_optim_synchronize(o), who);
    CHECK(strstr(ib_error(), ": the gradients' norm is nan") && values_of(p)[5] == before);
    CHECK(!ib_optim_zero(o) && !ib_optim_step(o) && values_of(p)[5] == before); /* told, it is over */
    ib_optim_free(o);
    end();
}

static void groups_change_rate_by_name(void)
{
    begin();
    ib_optim *o = ib_sgd_new(net, dev, &(ib_sgd_opts){.lr = 1});
    CHECK_ERROR(ib_optim_group(o, "q*", 100, 1), "pattern 'q*' matches no trainable parameter");
    REQUIRE(!ib_optim_group(o, "p*", 0.25f, 1));
    const float before = values_of(p)[1];
    set_grad(p, 1, 2);
    REQUIRE(!ib_optim_step(o));
    CHECK_NEAR(values_of(p)[1], before - 0.5f, 1e-6);
    ib_optim_free(o);
    end();
}

static void schedules_have_their_shapes(void)
{
    ib_schedule s = {.kind = IB_COSINE, .lr = 1, .total = 110, .warmup = 10, .final = 0.1f};
    CHECK_NEAR(ib_schedule_lr(&s, 0), 1.0 / 11, 1e-6);
    CHECK_NEAR(ib_schedule_lr(&s, 10), 1, 1e-6);
    CHECK_NEAR(ib_schedule_lr(&s, 60), 0.55, 1e-6);
    CHECK_NEAR(ib_schedule_lr(&s, 110), 0.1, 1e-6);
    s.kind = IB_LINEAR;
    CHECK_NEAR(ib_schedule_lr(&s, 60), 0.55, 1e-6);
    s = (ib_schedule){.kind = IB_STEP, .lr = 1, .every = 10, .gamma = 0.5f};
    CHECK_NEAR(ib_schedule_lr(&s, 9), 1, 0);
    CHECK_NEAR(ib_schedule_lr(&s, 25), 0.25, 1e-6);
    s = (ib_schedule){.kind = IB_PLATEAU, .lr = 1, .every = 2};
    const double losses[] = {3, 2, 2.1, 2.2, 1, 1.5, 1.5};
    for (int i = 0; i < 7; i++)
        ib_schedule_report(&s, losses[i]);
    CHECK_INT(s.drops, 2);
    CHECK_NEAR(ib_schedule_lr(&s, 1), 0.01, 1e-6);
    ib_schedule_kind kind;
    CHECK_ERROR(ib_schedule_parse("zigzag", &kind), "zigzag");
}

SUITE("optim", T(updates_are_pytorchs), T(clipping_scales_to_the_norm), T(groups_change_rate_by_name),
      T(schedules_have_their_shapes))
