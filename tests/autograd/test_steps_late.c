/* test_steps_late.c - optimizers on test:poison, whose kernels run late, step to the bytes of plain C, also where steps
 * between are refused before the host knows. Broken by: a step that the host counts, one that is lost because it was
 * told of another. */
#include <math.h>
#include <string.h>

#include "optim/optim.h"
#include "tests/check.h"

enum { WIDE = 5000 }; /* states of 8 bits are for large parameters */

typedef struct place {
    ib_device *dev;
    ib_graph *g;
    ib_layer *net; /* WIDE inputs, one output */
} place;

static place open_place(const char *device)
{
    place p = {.dev = ib_device_open(device), .net = ib_linear_layer(WIDE, 1)};
    REQUIRE(p.dev && (p.g = ib_graph_new(p.dev)) && !ib_layer_init(p.net, 1));
    return p;
}

static void close_place(place *p)
{
    ib_layer_free(p->net);
    ib_graph_free(p->g);
    ib_device_close(p->dev);
}

/* which: sgd, Nesterov, adamw and with states of 8 bits. */
static ib_optim *an_optimizer(int which, const place *p)
{
    ib_optim *opt = which < 2 ? ib_sgd_new(p->net, p->dev, &(ib_sgd_opts){0.1f, 0.9f, 0.01f, which})
                              : ib_adamw_new(p->net, p->dev, &(ib_adamw_opts){.lr = 0.1f, .bits8 = which == 3});
    REQUIRE(opt != NULL);
    return opt;
}

/* One pass on data of that number; broken: with a NaN. */
static ib_status pass(const place *p, uint64_t number, int broken)
{
    static float x[WIDE];
    for (int i = 0; i < WIDE; i++)
        x[i] = ib_rng_uniform((ib_rng){7, number}, (uint64_t)i) - 0.5f;
    x[7] = broken ? NAN : x[7];
    ib_graph_begin(p->g, IB_TRAIN);
    ib_tensor *loss = ib_mean(p->g, ib_layer_forward(p->g, p->net, ib_input(p->g, 2, (int64_t[]){1, WIDE}, x)));
    REQUIRE(loss != NULL);
    return ib_backward(p->g, loss);
}

/* Steps of an optimizer on some gradients, on the device; its parameter afterwards. */
static void step_with(int which, const char *device, float after[WIDE])
{
    place p = open_place(device);
    ib_optim *opt = an_optimizer(which, &p);
    for (uint64_t step = 0; step < 3; step++)
        REQUIRE(!pass(&p, step, 0) && !ib_optim_step(opt));
    REQUIRE(!ib_tensor_read(ib_param_at(p.net, 0), after));
    ib_optim_free(opt);
    close_place(&p);
}

static void optimizers_step_to_the_same_bytes(void)
{
    static float here[WIDE], there[WIDE], adamw[WIDE];
    for (int which = 0; which < 4; which++) {
        step_with(which, "cpu:ref", here);
        step_with(which, "test:poison", there);
        CHECK(isfinite(here[0]) && !memcmp(here, there, sizeof here));
        CHECK(memcmp(here, adamw, sizeof here) != 0);
        for (int i = 0; which == 3 && i < WIDE; i++)
            CHECK_NEAR(here[i], adamw[i], 0.02);
        memcpy(adamw, here, sizeof here);
    }
}

/* What one does about a step that fails. */
typedef enum answer { IGNORE, FORGET, ADD_UP, ANSWERS } answer; /* ADD_UP: two backward passes a step, ignored */

/* Twelve steps of which some have no gradients; bit i of `waits`: the device is waited for behind step i. */
static void steps_with_gaps(int which, const char *device, answer a, unsigned waits, float after[WIDE + 1])
{
    static const int broken[12] = {0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0};
    place p = open_place(device);
    ib_optim *opt = an_optimizer(which, &p);
    for (int i = 0; i < 12; i++) {
        ib_param_at(p.net, 1)->needs_grad = i != 6; /* frozen for a step, which it does not take */
        int failed = a == ADD_UP && pass(&p, (uint64_t)i + 100, 0);
        failed |= pass(&p, (uint64_t)i, broken[i]) != IB_OK;
        if (!failed || a != FORGET)
            failed |= ib_optim_step(opt) != IB_OK;
        if (failed && a == FORGET)
            REQUIRE(!ib_optim_zero(opt));
        if (waits >> i & 1)
            p.dev->v.synchronize(p.dev);
    }
    REQUIRE(!ib_tensor_read(ib_param_at(p.net, 0), after) && !ib_tensor_read(ib_param_at(p.net, 1), after + WIDE));
    CHECK_INT(ib_optim_taken(opt, &opt->slots[0]), 8);
    CHECK_INT(ib_optim_taken(opt, &opt->slots[1]), 7);
    ib_optim_free(opt);
    close_place(&p);
}

static void what_is_forgotten_is_not_said(void)
{
    place p = open_place("test:poison");
    ib_optim *opt = an_optimizer(2, &p);
    REQUIRE(!pass(&p, 1, 1) && !ib_optim_step(opt)); /* not known yet */
    p.dev->v.synchronize(p.dev);
    REQUIRE(!ib_optim_forget(opt));
    CHECK(!pass(&p, 2, 0) && !ib_optim_step(opt) && !ib_optim_synchronize(opt));
    ib_optim_free(opt);
    close_place(&p);
}

/* Steps that are refused change nothing and are not counted, and no other step is lost for them, whenever it is that
 * the host comes to know. */
static void a_refused_step_is_none(void)
{
    static float here[WIDE + 1], there[WIDE + 1];
    for (int which = 0; which < 4; which++)
        for (answer a = 0; a < ANSWERS; a++) {
            steps_with_gaps(which, "cpu:ref", a, 0, here);
            CHECK(isfinite(here[7]));
            for (unsigned waits = 0; waits < 4; waits++) { /* never, each time, and between */
                steps_with_gaps(which, "test:poison", a, (unsigned[]){0, 0xfff, 0x555, 0xbf7}[waits], there);
                CHECK(!memcmp(here, there, sizeof here));
            }
        }
}

SUITE("late steps", T(optimizers_step_to_the_same_bytes), T(a_refused_step_is_none), T(what_is_forgotten_is_not_said))
