/* test_devices.c - what lies on several devices is refused where one is meant, in one line, and harms nothing. */
#include <isobit/isobit.h>

#include "tests/check.h"

static const int64_t square[] = {2, 2};
static const float numbers[] = {1, -1, 0.5f, 2};
static const char *const pairs[][2] = {{"test:poison", "cpu:ref"}, {"cpu:ref", "test:poison"}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

typedef struct place {
    ib_device *dev, *other;
    ib_graph *g; /* on dev */
} place;

static place open_place(int pair)
{
    place p = {ib_device_open(pairs[pair][0]), ib_device_open(pairs[pair][1]), NULL};
    REQUIRE(p.dev && p.other && (p.g = ib_graph_new(p.dev)));
    return p;
}

static void close_place(place *p)
{
    ib_graph_free(p->g);
    ib_device_close(p->dev);
    ib_device_close(p->other);
}

/* Kernels of an optimizer are given no memory of another device. */
static void an_optimizer_has_one_device(void)
{
    for (int i = 0; i < PAIRS; i++) {
        place p = open_place(i);
        ib_layer *net = ib_sequential(ib_linear_layer(2, 3));
        REQUIRE(net && !ib_layer_init(net, 1));
        ib_optim *opt = ib_sgd_new(net, p.other, NULL);
        REQUIRE(opt != NULL);
        ib_graph_begin(p.g, IB_TRAIN);
        ib_tensor *loss = ib_mean(p.g, ib_layer_forward(p.g, net, ib_input(p.g, 2, square, numbers)));
        REQUIRE(loss && !ib_backward(p.g, loss));
        CHECK_ERROR(ib_optim_step(opt), "and the optimizer works on");
        CHECK_ERROR(ib_optim_limit(opt, 1), "and the optimizer works on");
        CHECK_ERROR(ib_optim_clip(opt, 1) < 0, "and the optimizer works on");
        CHECK_ERROR(ib_optim_zero(opt), "and the optimizer works on");
        ib_optim_free(opt);
        ib_layer_free(net);
        close_place(&p);
    }
}

/* A parameter that a tape has used is not moved under it. */
static void a_parameter_stays_in_its_step(void)
{
    for (int i = 0; i < PAIRS; i++) {
        place p = open_place(i);
        ib_tensor *w = ib_tensor_new(IB_F32, 2, square, 1, "w");
        REQUIRE(w && !ib_tensor_write(w, numbers));
        ib_graph_begin(p.g, IB_TRAIN);
        ib_tensor *h = ib_matmul(p.g, ib_input(p.g, 2, square, numbers), w), *there = ib_to_device(p.g, h, p.other);
        REQUIRE(there != NULL);
        CHECK_ERROR(!ib_matmul(p.g, there, w), "'w' was used on");
        CHECK(!ib_backward(p.g, ib_mean(p.g, there)));
        ib_graph_begin(p.g, IB_TRAIN); /* another step may */
        CHECK(ib_matmul(p.g, ib_to_device(p.g, ib_input(p.g, 2, square, numbers), p.other), w) != NULL);
        ib_graph_free(p.g);
        p.g = NULL;
        ib_tensor_free(w);
        close_place(&p);
    }
}

/* A parameter is an input, that of a view, running statistics, an added view. */
static ib_tensor *use_of(int how, ib_graph *g, ib_tensor *w, ib_tensor *v, ib_tensor *s)
{
    ib_tensor *x = ib_input(g, 2, square, numbers);
    if (how == 0)
        return ib_mean(g, ib_matmul(g, x, w));
    if (how == 1)
        return ib_mean(g, ib_matmul(g, x, ib_reshape(g, w, 2, square)));
    if (how == 2)
        return ib_mean(g, ib_batch_norm(g, x, v, ib_relu(g, v), w, s, 0, 0));
    return ib_mean(g, ib_mul(g, x, ib_add(g, v, ib_reshape(g, w, 1, square))));
}

/* A tape is told of what other graphs have moved since, to another device and perhaps back; those are not. */
static void a_parameter_that_was_moved_is_missed(void)
{
    for (int i = 0; i < PAIRS * 8; i++) {
        place p = open_place(i % PAIRS);
        ib_graph *others = ib_graph_new(p.other), *back = ib_graph_new(p.dev);
        const int how = i / PAIRS % 4, rank = how < 2 ? 2 : 1;
        ib_tensor *w = ib_tensor_new(IB_F32, rank, square, how != 2, "w"),
                  *v = ib_tensor_new(IB_F32, rank, square, 1, "v"), *s = ib_tensor_new(IB_F32, 1, square, 0, "s");
        REQUIRE(others && back && w && v && s && !ib_tensor_write(w, numbers) && !ib_tensor_write(v, numbers));
        ib_graph_begin(p.g, IB_TRAIN);
        ib_tensor *loss = use_of(how, p.g, w, v, s), *view = ib_reshape(p.g, w, rank, square);
        REQUIRE(loss && view);
        ib_graph_begin(others, IB_TRAIN);
        ib_tensor *theirs = ib_mean(others, ib_mul(others, w, w));
        REQUIRE(theirs && (how == 2 || !ib_backward(others, theirs)));
        if (i >= PAIRS * 4) {
            ib_graph_begin(back, IB_EVAL);
            REQUIRE(ib_mean(back, w) != NULL);
        }
        float four[4];
        CHECK_ERROR(ib_backward(p.g, loss), "ib_backward: 'w', which this step has used, was moved since");
        CHECK_ERROR(!ib_relu(p.g, view), "relu: 'w', which this step has used, was moved since");
        CHECK_ERROR(ib_tensor_read(view, four), "'w', which this step has used, was moved since");
        ib_graph_begin(p.g, IB_TRAIN);
        CHECK(!ib_backward(p.g, use_of(how, p.g, w, v, s)));
        ib_graph_free(others);
        ib_graph_free(back);
        ib_tensor_free(w);
        ib_tensor_free(v);
        ib_tensor_free(s);
        close_place(&p);
    }
}

static void an_input_lies_on_the_graphs_device(void)
{
    for (int i = 0; i < PAIRS; i++) {
        place p = open_place(i);
        ib_graph_begin(p.g, IB_TRAIN);
        ib_tensor *a = ib_input(p.g, 2, square, numbers), *b = ib_to_device(p.g, a, p.other);
        CHECK(b && ib_add(p.g, a, ib_input(p.g, 2, square, numbers)));
        close_place(&p);
    }
}

/* A layer that goes to another device, and stays there. */
static ib_device *elsewhere;
static ib_tensor *go(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    (void)self;
    return ib_to_device(g, x, elsewhere);
}

static void a_networks_result_is_counted_at_home(void)
{
    static const ib_layer_class cls = {"go", go};
    for (int i = 0; i < PAIRS; i++) {
        place p = open_place(i);
        elsewhere = p.other;
        ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
        ib_layer *net = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10), ib_layer_new(&cls, 0));
        ib_evaluation e;
        REQUIRE(d && net && !ib_layer_init(net, 1));
        REQUIRE(!ib_layer_set_input(net, &(ib_input_info){1, 8, 8, 10, 0, 1, 16}));
        CHECK_ERROR(ib_evaluate(net, p.g, d, NULL, &e), "ib_to_device");
        ib_layer_free(net);
        ib_dataset_free(d);
        close_place(&p);
    }
}

SUITE("devices", T(an_optimizer_has_one_device), T(a_parameter_stays_in_its_step),
      T(a_parameter_that_was_moved_is_missed), T(an_input_lies_on_the_graphs_device),
      T(a_networks_result_is_counted_at_home))
