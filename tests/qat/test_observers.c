/* test_observers.c - every observer on data of few values and of odd magnitudes: what may be lost, and what may not.
 * The properties are measured on the values themselves, by code of this file, not by the observers' histograms.
 * Broken by: a cut that is taken unmeasured, zeros that vote, equal scores that take the narrower range, bins that
 * cannot follow growing values. */
#include "tests/check.h"

#include "autograd/quantizer.h"
#include "qat/observer.h"

enum { N = 20000, BATCHES = 4, EACH = N / BATCHES };

static ib_device *dev;

static float uniform(int64_t i)
{
    return ib_rng_uniform((ib_rng){7, 3}, (uint64_t)i);
}

/* ---- kinds of data: value i of N; a batch is EACH values in a row ---- */

static float mask_of_rare_ones(int64_t i)
{
    return i % 1000 == 999 ? 1 : 0;
}
static float one_one(int64_t i)
{
    return i == 7 ? 1 : 0;
}
static float one_hot(int64_t i)
{
    return i % 10 == i / 10 % 10 ? 1 : 0;
}
static float rare_negative(int64_t i)
{
    return i % 1000 == 5 ? -0.25f : 0;
}
static float two_values(int64_t i)
{
    return i % 7 ? 0.3f : 1.7f;
}
static float near_and_far(int64_t i)
{
    return i % 50 == 0 ? 1 : i % 3 ? 0.5f : 0.504f;
}
static float three_values(int64_t i)
{
    return (float)(i % 3 - 1);
}
static float five_values(int64_t i)
{
    return (float[]){-3, -0.5f, 0, 0.25f, 2}[(i * i + i / 3) % 5];
}
static float mostly_small(int64_t i)
{
    return i % 100 ? 0.01f : 1;
}
static float mostly_large(int64_t i)
{
    return i % 100 ? 1 : 0.01f;
}
static float spike_at_the_top(int64_t i)
{
    return fminf(6, 12 * uniform(i) * uniform(i));
}
static float constant(int64_t i)
{
    return i >= 0 ? 3.5f : 0;
}
static float negative_constant(int64_t i)
{
    return i >= 0 ? -1e-3f : 0;
}
static float all_zero(int64_t i)
{
    return i >= 0 ? 0 : 1;
}
static float tiny_mask(int64_t i)
{
    return i % 100 ? 0 : 1e-12f;
}
static float huge_mask(int64_t i)
{
    return i % 100 ? 0 : 1e15f;
}
static float tiny_then_large(int64_t i)
{
    return i % 4 == 0 ? i < EACH ? 1e-9f : 8 : 0;
}
static float zero_then_ones(int64_t i)
{
    return i < EACH ? 0 : (float)(i % 2);
}
static float zero_then_tiny(int64_t i)
{
    return i < EACH ? 0 : i % 2 ? 1e-9f : 3e-10f;
}
static float one_tiny_then_more(int64_t i)
{
    return i < EACH || i % 2 ? 1e-9f : 5e-9f;
}
static float constant_then_both_sides(int64_t i)
{
    return i < EACH ? 2 : i % 2 ? -40 : 30;
}
static float growing(int64_t i)
{
    return (float)(i / EACH + 1) * (i % 2 ? 1.0f : -1.0f);
}
static float edges_of_bins(int64_t i)
{
    return (float)(i % 17) / 16;
}

static const struct {
    const char *name;
    float (*value)(int64_t i);
} kinds[] = {
#define KIND(name)                                                                                                     \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
    KIND(mask_of_rare_ones),
    KIND(one_one),
    KIND(one_hot),
    KIND(rare_negative),
    KIND(two_values),
    KIND(near_and_far),
    KIND(three_values),
    KIND(five_values),
    KIND(mostly_small),
    KIND(mostly_large),
    KIND(spike_at_the_top),
    KIND(constant),
    KIND(negative_constant),
    KIND(all_zero),
    KIND(tiny_mask),
    KIND(huge_mask),
    KIND(tiny_then_large),
    KIND(zero_then_ones),
    KIND(zero_then_tiny),
    KIND(one_tiny_then_more),
    KIND(constant_then_both_sides),
    KIND(growing),
    KIND(edges_of_bins)};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* What a network would see: the value behind x's code. */
static double through(const ib_quantizer *q, float x)
{
    const double code = fmin(fmax(rint((double)x / q->scale) + q->zero, q->qmin), q->qmax);
    return q->scale * (code - q->zero);
}

/* The quantizer of `bits` bits after BATCHES batches of x. */
static ib_quantizer observed(const char *observer, int bits, int symmetric, const float *x)
{
    ib_observer o = {.cls = ib_observer_find(observer), .symmetric = symmetric};
    ib_quantizer q = {.bits = bits, .qmin = -(1 << (bits - 1)), .qmax = (1 << (bits - 1)) - 1};
    float lo, hi;
    for (int b = 0; b < BATCHES; b++)
        REQUIRE(!ib_observer_see_batch(&o, &dev->k, x + b * EACH, EACH, "x"));
    o.cls->range(&o, &q, symmetric, &lo, &hi);
    ib_quantizer_set_range(&q, lo, hi, symmetric);
    ib_free(o.bins);
    return q;
}

static double squared_error(const ib_quantizer *q, const float *x)
{
    double sum = 0;
    for (int64_t i = 0; i < N; i++)
        sum += (x[i] - through(q, x[i])) * (x[i] - through(q, x[i]));
    return sum;
}

/* A hundredth or more of the values that are not 0 */
static int is_frequent(const float *x, float value)
{
    int64_t same = 0, nonzero = 0;
    for (int64_t i = 0; i < N; i++) {
        same += x[i] == value;
        nonzero += x[i] != 0;
    }
    return same * 100 >= nonzero;
}

static void say(const char *observer, const char *kind, int bits, int symmetric, float value, const ib_quantizer *q)
{
    printf("\n    %s, %s, %d bits%s: %g becomes %g (scale %g, zero %d)\n", observer, kind, bits,
           symmetric ? ", symmetric" : "", value, through(q, value), q->scale, q->zero);
}

/* minmax, percentile and kl keep each frequent value to half a step of the widest range (and what a bin is wide, for
 * those that look at bins); so does ema where each batch reaches as far. */
static void frequent_values_are_kept(void)
{
    static const char *const observers[] = {"minmax", "ema", "percentile", "kl", "mse", "histogram"};
    static float x[N];
    dev = ib_device_open(NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        float seen[64];
        int distinct = 0;
        for (int64_t i = 0; i < N; i++)
            x[i] = kinds[kind].value(i);
        for (int64_t i = 0; i < N && distinct < 64; i++) {
            int j = 0;
            while (j < distinct && seen[j] != x[i])
                j++;
            if (j == distinct && is_frequent(x, x[i]))
                seen[distinct++] = x[i];
        }
        const int grows =
            strstr("tiny_then_large one_tiny_then_more constant_then_both_sides growing", kinds[kind].name) != NULL;
        for (int o = 0; o < 6; o++)
            for (int bits = 8; bits >= 2; bits /= 2)
                for (int symmetric = 0; symmetric < 2; symmetric++) {
                    const ib_quantizer q = observed(observers[o], bits, symmetric, x),
                                       widest = observed("minmax", bits, symmetric, x);
                    const double range = (double)widest.scale * (widest.qmax - widest.qmin),
                                 bin = o < 2 ? 0 : range / 1024;
                    CHECK(through(&q, 0) == 0);
                    if (o >= 4 || (o == 1 && grows)) /* these have their own contracts, below */
                        continue;
                    for (int j = 0; j < distinct; j++) {
                        const double off = fabs(through(&q, seen[j]) - seen[j]),
                                     most =
                                         fmax(widest.scale * 0.5001, fabs(through(&widest, seen[j]) - seen[j])) + bin;
                        if (!(off <= most))
                            say(observers[o], kinds[kind].name, bits, symmetric, seen[j], &q);
                        CHECK(off <= most);
                    }
                }
    }
    ib_device_close(dev);
}

/* mse and histogram choose by squared error: never a larger one than the whole range's, but for what a bin hides. */
static void squared_error_is_never_above_that_of_the_whole_range(void)
{
    static const char *const observers[] = {"mse", "histogram"};
    static float x[N];
    dev = ib_device_open(NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t i = 0; i < N; i++)
            x[i] = kinds[kind].value(i);
        for (int o = 0; o < 2; o++)
            for (int bits = 8; bits >= 2; bits /= 2)
                for (int symmetric = 0; symmetric < 2; symmetric++) {
                    const ib_quantizer q = observed(observers[o], bits, symmetric, x),
                                       widest = observed("minmax", bits, symmetric, x);
                    double nonzero = 0;
                    for (int64_t i = 0; i < N; i++)
                        nonzero += x[i] != 0;
                    const double bin = (double)widest.scale * (widest.qmax - widest.qmin) / 1024;
                    const double error = squared_error(&q, x), whole = squared_error(&widest, x);
                    const double most =
                        whole + 2 * bin * sqrt(whole * nonzero) + bin * bin * nonzero; /* each value moved by a bin */
                    if (!(error <= most))
                        printf("\n    %s, %s, %d bits%s: error %g, of the whole range %g\n", observers[o],
                               kinds[kind].name, bits, symmetric ? ", symmetric" : "", error, whole);
                    CHECK(error <= most);
                }
    }
    ib_device_close(dev);
}

/* percentile p: at most 1 - p of the values lie outside of the range, and of those that are not 0 at most so many
 * percent or one. */
static void percentile_clips_no_more_than_it_says(void)
{
    static const float percents[] = {99.99f, 99.9f, 99, 90, 50, 100};
    static float x[N];
    dev = ib_device_open(NULL);
    for (int kind = 0; kind <= KINDS; kind++) {
        double nonzero = 0;
        for (int64_t i = 0; i < N; i++) {
            x[i] = kind < KINDS ? kinds[kind].value(i)
                                : uniform(i) + uniform(i + N) + uniform(i + 2 * N) - (i % 3 == 0 ? 1.5f : 1);
            nonzero += x[i] != 0;
        }
        for (int p = 0; p < 6; p++) {
            ib_observer o = {.cls = &ib_observer_percentile, .percentile = percents[p]};
            const ib_quantizer q = {.bits = 8, .qmin = -128, .qmax = 127};
            float lo, hi;
            double outside = 0;
            for (int b = 0; b < BATCHES; b++)
                REQUIRE(!ib_observer_see_batch(&o, &dev->k, x + b * EACH, EACH, "x"));
            o.cls->range(&o, &q, 0, &lo, &hi);
            for (int64_t i = 0; i < N; i++)
                outside += x[i] < lo - fabsf(lo) * 1e-6f || x[i] > hi + fabsf(hi) * 1e-6f;
            const double share = (100.0 - percents[p]) / 100;
            CHECK(outside <= share * N && outside <= fmax(share, 0.01) * nonzero);
            if (kind == KINDS && percents[p] < 100) /* and it does clip a tail */
                CHECK(outside > 0.5 * share * N - 2);
            ib_free(o.bins);
        }
    }
    ib_device_close(dev);
}

/* ema: the moving average of the batches' extremes, from the first batch that is not all zeros; batches of zeros do not
 * count. */
static void a_moving_average_passes_over_zeros(void)
{
    static const float batches[][2] = {{0, 0}, {0, 4}, {0, 0}, {0, 0}, {-1, 2}};
    dev = ib_device_open(NULL);
    ib_observer o = {.cls = &ib_observer_ema};
    for (int b = 0; b < 5; b++)
        REQUIRE(!ib_observer_see_batch(&o, &dev->k, batches[b], 2, "x"));
    CHECK_NEAR(o.lo, -0.01, 1e-7);
    CHECK_NEAR(o.hi, 4 - 0.02, 1e-6);
    ib_observer half = {.cls = &ib_observer_ema, .averaging = 0.5f};
    for (int b = 0; b < 5; b++)
        REQUIRE(!ib_observer_see_batch(&half, &dev->k, batches[b], 2, "x"));
    CHECK(half.lo == -0.5f && half.hi == 3);
    ib_device_close(dev);
}

/* Two cuts of the same divergence: four spikes that every cut above the last of them tells apart. */
static void equal_divergence_takes_the_wider_range(void)
{
    static float x[1000];
    float lo, hi;
    dev = ib_device_open(NULL);
    for (int i = 0; i < 1000; i++)
        x[i] = i == 0 ? 1 : (float)(i % 2) / 2; /* the far spike is a thousandth: no frequent value */
    ib_observer o = {.cls = &ib_observer_kl};
    const ib_quantizer q = {.bits = 8, .qmin = -128, .qmax = 127};
    REQUIRE(!ib_observer_see_batch(&o, &dev->k, x, 1000, "x"));
    o.cls->range(&o, &q, 0, &lo, &hi);
    CHECK_NEAR(hi, 1, 1e-6);
    ib_free(o.bins);
    ib_device_close(dev);
}

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
        REQUIRE(!ib_observer_see_batch(&o, &dev->k, x, MANY, "x"));
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
            CHECK_ERROR(ib_observer_see_batch(&o, &dev->k, bad[i], 2, "conv1"),
                        "layer 'conv1': calibration values reach from");
            ib_free(o.bins);
        }
    ib_device_close(dev);
}

/* Weights of few values, a row each: absmax keeps every weight to half its step, mse has no larger error than absmax.
 */
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
    memcpy(ib_tensor_f32(t), w, sizeof w);
    for (int bits = 8; bits >= 2; bits /= 2) {
        double error[2][ROWS] = {{0}};
        for (int mse = 0; mse < 2; mse++) {
            ib_graph_begin(g, IB_EVAL);
            const ib_tensor *q =
                ib_quantize_weight(g, t, NULL, &(ib_weight_attrs){.bits = bits, .per_channel = 1, .mse = mse});
            REQUIRE(q != NULL);
            for (int r = 0; r < ROWS; r++)
                for (int64_t i = 0; i < COLS; i++) {
                    const double off = w[r][i] - (double)q->q.scale[r] * ib_codes(q)[r * COLS + i];
                    CHECK(mse || fabs(off) <= 0.5001 * q->q.scale[r]);
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
            memcpy(ib_tensor_f32(ib_param_find(net, "c.weight")), weights, sizeof weights);
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

SUITE("observers", T(frequent_values_are_kept), T(squared_error_is_never_above_that_of_the_whole_range),
      T(percentile_clips_no_more_than_it_says), T(a_moving_average_passes_over_zeros),
      T(equal_divergence_takes_the_wider_range), T(bins_count_on), T(values_without_a_range_are_refused),
      T(weights_of_few_values_are_kept), T(channels_lost_under_one_scale_are_counted))
