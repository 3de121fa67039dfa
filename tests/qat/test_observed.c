/* test_observed.c - what observers keep of weights, channels, long runs and values that have no range. Broken by: a
 * row of weights that is cut, a channel lost without a word, a count that stops at 2^24. */
#include "tests/numbers.h"
#include "tests/qat/observed.h"

/* Counts beyond 2^24, where fp32 stops counting. */
static void bins_count_on(void)
{
    enum { MANY = 1 << 20 };
    float *x = ib_alloc(MANY * sizeof *x);
    double sum = 0;
    dev = ib_device_open(NULL);
    ib_observer o = {.cls = &ib_observer_percentile};
    REQUIRE(x != NULL);
    x[0] = 1;
    for (int b = 0; b < 17; b++)
        REQUIRE(!see(&o, x, MANY, "x"));
    for (int i = 0; i < IB_BINS; i++)
        sum += o.bins[i];
    CHECK(sum == 17.0 * MANY);
    CHECK(o.zeros == 17.0 * (MANY - 1));
    ib_free(x);
    ib_free(o.bins);
    ib_device_close(dev);
}

static void values_without_a_range_are_refused(void)
{
    static const float bad[][2] = {{0, INFINITY}, {NAN, 1}, {-3e38f, 3e38f}, {-INFINITY, 0}};
    dev = ib_device_open(NULL);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++) {
            ib_observer o = {.cls = j ? &ib_observer_kl : &ib_observer_minmax};
            CHECK_ERROR(see(&o, bad[i], 2, "conv1"), "layer 'conv1': calibration values reach from");
            ib_free(o.bins);
        }
    ib_device_close(dev);
}

/* Weights of few values, a row each: absmax keeps every weight to half its step, mse has no larger error than
 * absmax. */
static void weights_of_few_values_are_kept(void)
{
    enum { COLS = 1000, ROWS = 10 };
    static float w[ROWS][COLS];
    dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_tensor *t = ib_tensor_new(IB_F32, 2, (int64_t[]){ROWS, COLS}, 1, "w");
    REQUIRE(t != NULL);
    for (int64_t i = 0; i < COLS; i++) {
        const float row[ROWS] = {mask_of_rare_ones(i), one_hot(i),     -rare_negative(i),
                                 three_values(i),      five_values(i), mostly_small(i),
                                 mostly_large(i),      constant(i),    i == 3 ? 100 : uniform(i) - 0.5f,
                                 edges_of_bins(i)};
        for (int r = 0; r < ROWS; r++)
            w[r][i] = row[r];
    }
    REQUIRE(!ib_tensor_write(t, w[0]));
    for (int bits = 8; bits >= 2; bits /= 2) {
        double error[2][ROWS] = {{0}};
        for (int mse = 0; mse < 2; mse++) {
            ib_graph_begin(g, IB_EVAL);
            const ib_tensor *q =
                ib_quantize_weight(g, t, NULL, &(ib_weight_attrs){.bits = bits, .per_channel = 1, .mse = mse});
            REQUIRE(q != NULL);
            const float *scale = scales_of(q);
            const int8_t *codes = codes_of(q);
            for (int r = 0; r < ROWS; r++)
                for (int64_t i = 0; i < COLS; i++) {
                    const double off = w[r][i] - (double)scale[r] * codes[r * COLS + i];
                    CHECK(mse || fabs(off) <= 0.5001 * scale[r]);
                    CHECK(w[r][i] != 0 || off == 0);
                    error[mse][r] += off * off;
                }
        }
        for (int r = 0; r < ROWS; r++)
            CHECK(error[1][r] <= error[0][r] * (1 + 1e-5));
    }
    ib_tensor_free(t);
    ib_graph_free(g);
    ib_device_close(dev);
}

/* Four channels of one image: one reaches far, one a ten-thousandth as far, one is 0, one half as far. */
static void channels_lost_under_one_scale_are_counted(void)
{
    static const float weights[] = {1, 1e-4f, 0, -0.5f};
    dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *data = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info info = ib_dataset_info(data);
    ib_loader *loader = ib_loader_new(data, &info, &(ib_loader_opts){.batch = 32});
    for (int threads = 1; threads <= 4; threads += 3)
        for (int bits = 8; bits >= 2; bits /= 2) {
            ib_layer *net = ib_sequential(
                ib_named("c", ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 4, .kernel_h = 1, .no_bias = 1})),
                ib_flatten_layer());
            REQUIRE(net && !ib_layer_init(net, 1));
            ib_layer_set_input(net, &info);
            REQUIRE(!ib_tensor_write(ib_param_find(net, "c.weight"), weights));
            ib_threads_set(threads);
            REQUIRE(
                !ib_qat_prepare(net, g, &(ib_qat_opts){.act_bits = bits, .output_bits = bits, .observer = "minmax"}));
            REQUIRE(!ib_qat_calibrate(net, g, loader, 3));
            CHECK_INT(ib_qat_layer_at(net, 1).lost_channels, 0); /* not known yet */
            REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
            const ib_qat_layer l = ib_qat_layer_at(net, 1);
            CHECK(!strcmp(l.name, "c"));
            CHECK_INT(l.channels, 3);
            CHECK_INT(l.lost_channels, 1);
            CHECK_NEAR(l.lost_ratio, 1e4, 1);
            ib_layer_free(net);
        }
    ib_threads_set(0);
    ib_loader_free(loader);
    ib_dataset_free(data);
    ib_graph_free(g);
    ib_device_close(dev);
}

SUITE("observed", T(bins_count_on), T(values_without_a_range_are_refused), T(weights_of_few_values_are_kept),
      T(channels_lost_under_one_scale_are_counted))
