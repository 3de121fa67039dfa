/* test_runner.c - integer programs on every level of the device, any number of samples at once and of threads, against
 * the plain C: equal in every code. Broken by: a border that something writes to, a value whose place is taken too
 * early, a sample that goes to two threads. */
#include "tests/check.h"

#include "program/program.h"

enum { MOST = 23 };

static ib_program *program_of(ib_layer *net, ib_graph *g, int channels, int size, ib_profile profile)
{
    const int64_t values = (int64_t)40 * channels * size * size;
    float *x = malloc((size_t)values * sizeof *x);
    int32_t *y = calloc(40, sizeof *y);
    for (int64_t i = 0; i < values; i++)
        x[i] = ib_rng_normal((ib_rng){5, 1}, (uint64_t)i);
    ib_dataset *d = ib_dataset_new(40, channels, size, size, 10, 0, x, y);
    ib_loader *l = ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 20});
    REQUIRE(!ib_qat_prepare(net, g, &(ib_qat_opts){.observer = "minmax", .profile = profile}) &&
            !ib_qat_calibrate(net, g, l, 2) && !ib_qat_set_phase(net, g, IB_FROZEN));
    ib_program *p = ib_program_lower(net, g);
    ib_loader_free(l);
    ib_dataset_free(d);
    free(x);
    free(y);
    return p;
}

static void check_program(const ib_program *p)
{
    static const int64_t counts[] = {0, 1, 2, 5, MOST};
    const int64_t in = ib_program_input_size(p), out = ib_program_output_size(p);
    int8_t *x = malloc((size_t)(MOST * in)), *want = malloc((size_t)(MOST * out)), *got = malloc((size_t)(MOST * out));
    ib_device *ref = ib_device_open("cpu:ref");
    for (int64_t i = 0; i < MOST * in; i++)
        x[i] = (int8_t)ib_rng_u32((ib_rng){5, 2}, (uint64_t)i);
    ib_runner *plain = ib_runner_new(p, ref, MOST);
    REQUIRE(plain && !ib_runner_run(plain, MOST, x, want));
    for (int l = 1; ib_device_name_at(l); l++)
        for (int threads = 1; threads <= 3; threads++) {
            ib_device *dev = ib_device_open(ib_device_name_at(l));
            if (!dev)
                continue;
            ib_threads_set(threads);
            ib_runner *r = ib_runner_new(p, dev, MOST);
            REQUIRE(r != NULL);
            ib_threads_set(threads == 2 ? 4 : threads); /* more than it was made with */
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
                for (int again = 0; again < 2; again++) { /* the second run finds the first one's values */
                    memset(got, 0x5A, (size_t)(MOST * out));
                    CHECK(!ib_runner_run(r, counts[i], x, got));
                    CHECK(!memcmp(got, want, (size_t)(counts[i] * out)));
                    for (int64_t j = counts[i] * out; j < MOST * out; j++)
                        if (got[j] != 0x5A)
                            CHECK(0);
                }
            CHECK_ERROR(ib_runner_run(r, MOST + 1, x, got) != IB_OK, "24 samples, made for at most 23");
            ib_runner_free(r);
            ib_device_close(dev);
        }
    ib_threads_set(0);
    ib_runner_free(plain);
    ib_device_close(ref);
    free(x), free(want), free(got);
}

/* Takes the network. */
static void check_network(ib_device *dev, ib_layer *net, int channels, int size, ib_profile profile)
{
    ib_graph *g = ib_graph_new(dev);
    REQUIRE(g != NULL);
    ib_program *p = program_of(net, g, channels, size, profile);
    REQUIRE(p != NULL);
    check_program(p);
    ib_program_free(p);
    ib_layer_free(net);
    ib_graph_free(g);
}

static void models_run_alike_everywhere(void)
{
    static const struct {
        const char *name;
        int channels, size;
    } models[] = {{"mlp", 1, 12}, {"lenet", 1, 28}, {"lenet", 2, 21}, {"resnet8", 3, 20}, {"dscnn", 1, 22}};
    static const ib_profile profiles[] = {IB_TFLITE_DOUBLE, IB_FP32_RNE, IB_XNNPACK};
    ib_device *dev = ib_device_open(NULL);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int k = 0; k < 3; k++) {
            ib_layer *net = ib_model_new(models[i].name, models[i].channels, models[i].size, models[i].size, 10);
            REQUIRE(net && !ib_layer_init(net, 3));
            check_network(dev, net, models[i].channels, models[i].size, profiles[k]);
        }
    ib_device_close(dev);
}

/* Sigmoid, tanh, concatenation and a product of results run in the program's own order, between layers that do not. */
static void orders_mix(void)
{
    ib_device *dev = ib_device_open(NULL);
    ib_layer *net = ib_import_onnx(IB_TEST_SOURCE "/golden/onnx/branches_torchscript.onnx", dev);
    REQUIRE(net != NULL);
    check_network(dev, net, 2, 8, IB_FP32_RNE);
    ib_device_close(dev);
}

SUITE("runner", T(models_run_alike_everywhere), T(orders_mix))
