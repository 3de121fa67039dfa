/* test_crossing.c - a network that goes to another device is refused where quantization begins, with layer and devices;
 * networks each on a device of its own are quantized each. Broken by: a trace that takes the crossing for an operator
 * without integer form, which a rule would keep in fp32, or for none. */
#include <isobit/isobit.h>

#include "tests/check.h"

static const char *const pairs[][2] = {{"test:poison", "cpu:ref"}, {"cpu:ref", "test:poison"}};
static const ib_input_info digits = {1, 8, 8, 10, 0, 1, 16};
static ib_device *elsewhere;

static ib_tensor *go(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    (void)self;
    return ib_to_device(g, x, elsewhere);
}

static ib_tensor *go_and_return(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    (void)self;
    return ib_to_device(g, ib_relu(g, ib_to_device(g, x, elsewhere)), ib_graph_device(g));
}

static const ib_layer_class classes[] = {{"go", go}, {"go_and_return", go_and_return}};

/* The crossing as the last layer, in the middle, and there and back in one. */
static ib_layer *network(int kind)
{
    ib_layer *middle = ib_layer_new(&classes[kind == 2], 0), *first = ib_linear_layer(64, 10);
    ib_layer *net = kind == 0 ? ib_sequential(ib_flatten_layer(), first, middle)
                              : ib_sequential(ib_flatten_layer(), first, middle, ib_linear_layer(10, 10));
    REQUIRE(net && !ib_layer_init(net, 1) && !ib_layer_set_input(net, &digits));
    return net;
}

static void a_crossing_is_refused_by_name(void)
{
    static const ib_qat_opts opts[] = {{0}, {.weight_bits = 4, .act_bits = 8}, {.dynamic = 1}, {.rules = "go*=float"}};
    for (int i = 0; i < 2 * 3 * 4; i++) {
        char words[160];
        ib_device *dev = ib_device_open(pairs[i % 2][0]);
        elsewhere = ib_device_open(pairs[i % 2][1]);
        ib_graph *g = ib_graph_new(dev);
        ib_layer *net = network(i / 2 % 3);
        snprintf(words, sizeof words, "layer '%s2': copies from %s to %s (ib_to_device)",
                 i / 2 % 3 == 2 ? "go_and_return" : "go", pairs[i % 2][0], pairs[i % 2][1]);
        CHECK_ERROR(ib_qat_check(net, g, &opts[i / 6]) == IB_EUNSUPPORTED, words);
        CHECK_ERROR(ib_qat_prepare(net, g, &opts[i / 6]) == IB_EUNSUPPORTED, words);
        CHECK(strstr(ib_error(), "lies on one device: ") && !strchr(ib_error(), '\n'));
        CHECK(ib_qat_phase(net) == IB_FLOAT);
        ib_layer_free(net);
        ib_graph_free(g);
        ib_device_close(elsewhere);
        ib_device_close(dev);
    }
}

/* A network in integers on each device, the second fed by the first across the tape: results and gradients are there,
 * and are those of a tape of one device. */
static void networks_in_integers_follow_each_other(void)
{
    float *want = NULL;
    for (int i = 0; i < 3; i++) { /* on one device; across */
        ib_device *dev = ib_device_open("cpu:ref"), *far = ib_device_open(i == 1 ? "test:poison" : "cpu:ref");
        if (i == 2) {
            ib_device_close(dev);
            dev = ib_device_open("test:poison");
        }
        ib_graph *g = ib_graph_new(dev), *h = ib_graph_new(far);
        ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
        ib_loader *l = ib_loader_new(d, &digits, &(ib_loader_opts){.batch = 8});
        ib_layer *first = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 64), ib_relu_layer()),
                 *second = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10));
        REQUIRE(!ib_layer_init(first, 1) && !ib_layer_init(second, 2));
        REQUIRE(!ib_layer_set_input(first, &digits) && !ib_layer_set_input(second, &digits));
        REQUIRE(!ib_qat_begin(first, g, l, NULL) && !ib_qat_begin(second, h, l, NULL));
        ib_batch b;
        ib_loader_start(l, 0, 0);
        REQUIRE(ib_loader_next(l, &b));
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *y = ib_layer_forward(g, first, ib_input(g, 4, b.shape, b.x));
        y = ib_to_device(g, ib_reshape(g, y, 4, (int64_t[]){0, 1, 8, 8}), far);
        y = ib_layer_forward(g, second, y);
        if (!y || ib_backward(g, ib_mean(g, y)))
            printf("\n    %s ", ib_error());
        REQUIRE(y != NULL);
        float *got = malloc(80 * sizeof *got);
        REQUIRE(got && !ib_tensor_read(y, got));
        if (!i)
            want = got;
        else
            CHECK(!memcmp(got, want, 80 * sizeof *got));
        ib_layer_free(first), ib_layer_free(second);
        ib_loader_free(l), ib_dataset_free(d);
        ib_graph_free(g), ib_graph_free(h);
        ib_device_close(far), ib_device_close(dev);
        if (i)
            free(got);
    }
    free(want);
}

SUITE("crossing", T(a_crossing_is_refused_by_name), T(networks_in_integers_follow_each_other))
