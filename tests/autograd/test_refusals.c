/* test_refusals.c - what a backward pass or a norm that is not finite keeps from being done, and what not: on devices
 * that compute at once and late the same steps are refused, to the same bytes, and each error is said. Broken by: a
 * refusal that is a device's and not an optimizer's, a verdict that is taken for another pass's, an error that zeroing
 * the gradients forgets. */
#include <math.h>
#include <string.h>

#include <isobit/isobit.h>

#include "tests/check.h"

static const char *const devices[] = {"cpu:ref", "test:poison"};
enum { DEVICES = 2, STEPS = 6, BROKEN = 2 };
static const int64_t shape[] = {2, 4};

typedef struct place {
    ib_device *dev;
    ib_graph *g;
    ib_layer *a, *b; /* b(a(x)) */
    ib_optim *of_a, *of_b;
} place;

static place open_place(const char *device)
{
    place p = {.dev = ib_device_open(device), .a = ib_linear_layer(4, 3), .b = ib_linear_layer(3, 2)};
    REQUIRE(p.dev && (p.g = ib_graph_new(p.dev)) && !ib_layer_init(p.a, 1) && !ib_layer_init(p.b, 2));
    p.of_a = ib_sgd_new(p.a, p.dev, &(ib_sgd_opts){.lr = 0.1f, .momentum = 0.9f});
    p.of_b = ib_adamw_new(p.b, p.dev, &(ib_adamw_opts){.lr = 0.1f, .weight_decay = 0.1f});
    REQUIRE(p.of_a && p.of_b);
    return p;
}

static void close_place(place *p)
{
    ib_optim_free(p->of_a);
    ib_optim_free(p->of_b);
    ib_layer_free(p->a);
    ib_layer_free(p->b);
    ib_graph_free(p->g);
    ib_device_close(p->dev);
}

static ib_tensor *input(const place *p, int step, int is_broken)
{
    float x[8];
    for (int i = 0; i < 8; i++)
        x[i] = (float)sin(0.9 * i + step);
    x[5] = is_broken ? NAN : x[5];
    return ib_input(p->g, 2, shape, x);
}

/* Of both networks, or of the first alone. */
static ib_tensor *loss_of(const place *p, int step, int is_broken, int both)
{
    ib_tensor *y = ib_layer_forward(p->g, p->a, input(p, step, is_broken));
    y = both ? ib_layer_forward(p->g, p->b, y) : y;
    ib_tensor *loss = ib_mean(p->g, ib_mul(p->g, y, y));
    REQUIRE(loss != NULL);
    return loss;
}

/* All parameters of both. */
static void read_all(const place *p, float to[32])
{
    memset(to, 0, 32 * sizeof *to);
    for (int i = 0, n = 0; i < 4; n += (int)ib_tensor_size(ib_param_at(i / 2 ? p->b : p->a, i % 2)), i++)
        REQUIRE(!ib_tensor_read(ib_param_at(i / 2 ? p->b : p->a, i % 2), to + n));
}

/* What a run comes to on each device; the first is what the others are held by. */
static void alike(void (*run)(place *p, float to[32]))
{
    float first[32], other[32];
    for (int i = 0; i < DEVICES; i++) {
        place p = open_place(devices[i]);
        run(&p, i ? other : first);
        close_place(&p);
        CHECK(i == 0 || !memcmp(first, other, sizeof first));
        CHECK(isfinite(first[0]) && isfinite(first[15]));
    }
}

static void both_steps(place *p, float to[32])
{
    float before[32];
    for (int i = 0; i < STEPS; i++) {
        read_all(p, before);
        ib_graph_begin(p->g, IB_TRAIN);
        (void)ib_backward(p->g, loss_of(p, i, i == BROKEN, 1));
        (void)ib_optim_step(p->of_a), (void)ib_optim_step(p->of_b);
        read_all(p, to);
        CHECK_INT(!memcmp(before, to, 15 * sizeof *to), i == BROKEN);
        CHECK_INT(!memcmp(before + 15, to + 15, 8 * sizeof *to), i == BROKEN);
    }
}

static void apart_steps(place *p, float to[32])
{
    float before[32];
    for (int i = 0; i < STEPS; i++) {
        read_all(p, before);
        ib_graph_begin(p->g, IB_TRAIN);
        ib_tensor *own = ib_layer_forward(p->g, p->b, ib_input(p->g, 2, (int64_t[]){1, 3}, (float[]){1, (float)i, 2}));
        REQUIRE(!ib_backward(p->g, ib_mean(p->g, ib_mul(p->g, own, own))));
        ib_graph_begin(p->g, IB_TRAIN);
        (void)ib_backward(p->g, loss_of(p, i, i == BROKEN, 0));
        CHECK(!ib_optim_step(p->of_b));
        (void)ib_optim_step(p->of_a);
        read_all(p, to);
        CHECK_INT(!memcmp(before, to, 15 * sizeof *to), i == BROKEN);
        CHECK(memcmp(before + 15, to + 15, 8 * sizeof *to) != 0);
    }
}

/* Every optimizer of what a pass has used, and no other. */
static void a_refused_pass_concerns_whom_it_reaches(void)
{
    alike(both_steps);
    alike(apart_steps);
}

/* Gradients of a that add up to infinity, though no loss does. */
static void norms(place *p, float to[32])
{
    float before[32], large[12];
    ib_tensor *w = ib_param_at(p->a, 0);
    for (int i = 0; i < 12; i++)
        large[i] = 3e37f;
    for (int limit = 0; limit < 2; limit++) {
        read_all(p, before);
        ib_graph_begin(p->g, IB_TRAIN);
        REQUIRE(!ib_backward(p->g, loss_of(p, limit, 0, 1)));
        for (int i = 0; i < 200; i++)
            REQUIRE(!ib_backward(p->g, ib_mean(p->g, ib_mul(p->g, w, ib_input(p->g, 2, (int64_t[]){3, 4}, large)))));
        (void)(limit ? ib_optim_limit(p->of_a, 1) : ib_optim_clip(p->of_a, 1));
        CHECK(limit ? !ib_optim_limit(p->of_b, 1) : ib_optim_clip(p->of_b, 1) > 0);
        CHECK(!ib_optim_step(p->of_b));
        CHECK_ERROR(ib_optim_step(p->of_a) || ib_optim_synchronize(p->of_a), "the gradients' norm is");
        read_all(p, to);
        CHECK(!memcmp(before, to, 15 * sizeof *to) && memcmp(before + 15, to + 15, 8 * sizeof *to) != 0);
    }
}

static void a_norm_is_its_optimizers(void)
{
    alike(norms);
}

/* Zeroing before each step, as is common, loses no error. */
static void errors_outlive_zeroing(void)
{
    for (int d = 0; d < DEVICES; d++) {
        place p = open_place(devices[d]);
        int told = 0;
        for (int i = 0; i < STEPS; i++) {
            ib_graph_begin(p.g, IB_TRAIN);
            REQUIRE(!ib_optim_zero(p.of_a));
            told += ib_backward(p.g, loss_of(&p, i, i == BROKEN, 0)) != IB_OK;
            told += ib_optim_step(p.of_a) != IB_OK;
        }
        CHECK(told > 0 || ib_optim_synchronize(p.of_a));
        REQUIRE(!ib_optim_set_lr(p.of_a, 3e38f));
        for (int i = 0; i < 2; i++) { /* the parameters of the first step are not finite */
            ib_graph_begin(p.g, IB_TRAIN);
            REQUIRE(!ib_optim_zero(p.of_a));
            if (!i)
                REQUIRE(!ib_backward(p.g, loss_of(&p, i, 0, 0)));
            told = ib_optim_step(p.of_a) && strstr(ib_error(), "is not finite after a step of lr 3e+38") ? 1 : told;
        }
        CHECK(told == 1 || (ib_optim_synchronize(p.of_a) && strstr(ib_error(), "is not finite after a step")));
        CHECK(!ib_optim_synchronize(p.of_b));
        close_place(&p);
    }
}

static void same_numbers(place *p, float to[32])
{
    float loss_value;
    for (int i = 0; i < STEPS; i++) {
        ib_graph_seed(p->g, 1, 0);
        ib_graph_begin(p->g, IB_TRAIN);
        ib_tensor *loss = loss_of(p, i, i == BROKEN, 0);
        const ib_status read = ib_loss_value(p->g, loss, &loss_value), failed = ib_backward(p->g, loss);
        CHECK_INT(read != IB_OK, i == BROKEN);
        CHECK(i == BROKEN || !failed);
        (void)ib_optim_step(p->of_a);
    }
    read_all(p, to);
}

static void two_losses(place *p, float to[32])
{
    float value;
    ib_graph_begin(p->g, IB_TRAIN);
    ib_tensor *good = loss_of(p, 1, 0, 0), *w = ib_param_at(p->a, 0);
    ib_tensor *bad = ib_sum(p->g, ib_mul(p->g, ib_relu(p->g, w), ib_ste_clamp(p->g, w, INFINITY, INFINITY)));
    (void)ib_backward(p->g, bad);
    CHECK(ib_loss_value(p->g, bad, &value) == IB_ENUMERIC);
    REQUIRE(!ib_optim_zero(p->of_a));
    CHECK(!ib_backward(p->g, good));
    CHECK(!ib_optim_step(p->of_a));
    read_all(p, to);
}

/* Steps may have one number, and a tape several losses. */
static void a_verdict_is_of_its_pass(void)
{
    alike(same_numbers);
    alike(two_losses);
}

/* An optimizer that is gone takes its refusal along. */
static void a_refusal_ends_with_its_optimizer(void)
{
    for (int d = 0; d < DEVICES; d++) {
        place p = open_place(devices[d]);
        ib_graph_begin(p.g, IB_TRAIN);
        (void)ib_backward(p.g, loss_of(&p, 0, 1, 0));
        ib_optim_free(p.of_a);
        p.of_a = ib_sgd_new(p.a, p.dev, NULL);
        REQUIRE(p.of_a && !ib_optim_zero(p.of_a));
        ib_graph_begin(p.g, IB_TRAIN);
        CHECK(!ib_backward(p.g, loss_of(&p, 0, 0, 0)) && !ib_optim_step(p.of_a) && !ib_optim_synchronize(p.of_a));
        ib_layer_free(p.a); /* before its optimizer, which may still be freed */
        p.a = NULL;
        ib_optim_free(p.of_a);
        p.of_a = NULL;
        close_place(&p);
    }
}

/* Scales that quantization adds lie with the host until they are used: zeroing takes them along, or is refused where a
 * graph elsewhere has taken the other parameters. */
static void zeroing_takes_what_is_new(void)
{
    for (int t = 0; t < 2 * DEVICES; t++) {
        ib_device *dev = ib_device_open(devices[t / 2]), *other = t / 2 == t % 2 ? dev : ib_device_open(devices[t % 2]);
        ib_graph *g = ib_graph_new(other), *own = ib_graph_new(dev);
        ib_layer *net =
            ib_sequential(ib_flatten_layer(), ib_linear_layer(4, 3), ib_relu_layer(), ib_linear_layer(3, 2));
        REQUIRE(dev && g && own && net && !ib_layer_init(net, 1));
        REQUIRE(!ib_layer_set_input(net, &(ib_input_info){1, 1, 4, 2, 0, 1, 1}));
        ib_optim *o = ib_adamw_new(net, dev, NULL);
        REQUIRE(o && !ib_qat_prepare(net, g, &(ib_qat_opts){.weight_bits = 4, .act_bits = 4, .observer = "lsq"}));
        if (t / 2 == t % 2) {
            CHECK(!ib_optim_zero(o) && !ib_optim_step(o) && !ib_optim_synchronize(o));
        } else {
            CHECK_ERROR(ib_optim_zero(o), "each device wants its own");
        }
        ib_graph_begin(own, IB_EVAL); /* the device works still */
        CHECK(ib_relu(own, ib_input(own, 2, shape, (float[8]){0})) && !ib_graph_synchronize(own));
        ib_optim_free(o);
        ib_layer_free(net);
        ib_graph_free(g);
        ib_graph_free(own);
        ib_device_close(other != dev ? other : NULL);
        ib_device_close(dev);
    }
}

SUITE("refusals", T(a_refused_pass_concerns_whom_it_reaches), T(a_norm_is_its_optimizers), T(errors_outlive_zeroing),
      T(a_verdict_is_of_its_pass), T(a_refusal_ends_with_its_optimizer), T(zeroing_takes_what_is_new))
