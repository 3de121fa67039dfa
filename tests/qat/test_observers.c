/* test_observers.c - every observer on data of few values and of odd magnitudes: what may be lost, and what may not.
 * The properties are measured on the values themselves, by code of this file, not by the observers' histograms.
 * Broken by: a cut that is taken unmeasured, zeros that vote, equal scores that take the narrower range, bins that
 * cannot follow growing values. */
#include "tests/qat/observed.h"

#include "autograd/tap.h"

/* Codes of an observed range. */
typedef struct coding {
    int qmin, qmax;
    float scale;
    int32_t zero;
} coding;

/* What a network would see: the value behind x's code. */
static double through(const coding *q, float x)
{
    const double code = fmin(fmax(rint((double)x / q->scale) + q->zero, q->qmin), q->qmax);
    return q->scale * (code - q->zero);
}

/* The codes of `bits` bits after BATCHES batches of x. */
static coding observed(const char *observer, int bits, int symmetric, const float *x)
{
    ib_observer o = {.cls = ib_observer_row_of(observer)->cls, .symmetric = symmetric};
    const ib_quantizer q = {.bits = bits, .qmin = -(1 << (bits - 1)), .qmax = (1 << (bits - 1)) - 1};
    coding made = {q.qmin, q.qmax, 0, 0};
    float lo, hi;
    for (int b = 0; b < BATCHES; b++)
        REQUIRE(!see(&o, x + b * EACH, EACH, "x"));
    o.cls->range(&o, &q, symmetric, &lo, &hi);
    ib_scale_of_range(lo, hi, symmetric, q.qmin, q.qmax, &made.scale, &made.zero);
    ib_free(o.bins);
    return made;
}

static double squared_error(const coding *q, const float *x)
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

static void say(const char *observer, const char *kind, int bits, int symmetric, float value, const coding *q)
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
                    const coding q = observed(observers[o], bits, symmetric, x),
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

/* Whatever an observer prefers: 0 has a code, and the range is no wider than what was seen, but for a bin. */
static void every_observer_stays_within_what_it_saw(void)
{
    static const char *const observers[] = {
#define OBSERVER(name) #name,
#define LEARNED(...)
#include "qat/observers.def"
#undef LEARNED
#undef OBSERVER
    };
    static float x[N];
    dev = ib_device_open(NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t i = 0; i < N; i++)
            x[i] = kinds[kind].value(i);
        for (size_t o = 0; o < sizeof observers / sizeof *observers; o++)
            for (int bits = 8; bits >= 2; bits /= 2)
                for (int symmetric = 0; symmetric < 2; symmetric++) {
                    const coding q = observed(observers[o], bits, symmetric, x),
                                 widest = observed("minmax", bits, symmetric, x);
                    const int within = through(&q, 0) == 0 && q.scale > 0 && q.scale <= widest.scale * 1.002f;
                    if (!within)
                        printf("\n    %s, %s, %d bits%s: scale %g, of all values %g\n", observers[o], kinds[kind].name,
                               bits, symmetric ? ", symmetric" : "", q.scale, widest.scale);
                    CHECK(within);
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
                    const coding q = observed(observers[o], bits, symmetric, x),
                                 widest = observed("minmax", bits, symmetric, x);
                    double nonzero = 0;
                    for (int64_t i = 0; i < N; i++)
                        nonzero += x[i] != 0;
                    const double bin = (double)widest.scale * (widest.qmax - widest.qmin) / 1024;
                    const double error = squared_error(&q, x), whole = squared_error(&widest, x);
                    /* each value moved by a bin */
                    const double most = whole + 2 * bin * sqrt(whole * nonzero) + bin * bin * nonzero;
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
                REQUIRE(!see(&o, x + b * EACH, EACH, "x"));
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

/* ema: the moving average of the batches' extremes, from the first batch that is not all zeros; batches of zeros do
 * not count. */
static void a_moving_average_passes_over_zeros(void)
{
    static const float batches[][2] = {{0, 0}, {0, 4}, {0, 0}, {0, 0}, {-1, 2}};
    dev = ib_device_open(NULL);
    ib_observer o = {.cls = &ib_observer_ema};
    for (int b = 0; b < 5; b++)
        REQUIRE(!see(&o, batches[b], 2, "x"));
    CHECK_NEAR(o.lo, -0.01, 1e-7);
    CHECK_NEAR(o.hi, 4 - 0.02, 1e-6);
    ib_observer half = {.cls = &ib_observer_ema, .averaging = 0.5f};
    for (int b = 0; b < 5; b++)
        REQUIRE(!see(&half, batches[b], 2, "x"));
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
    REQUIRE(!see(&o, x, 1000, "x"));
    o.cls->range(&o, &q, 0, &lo, &hi);
    CHECK_NEAR(hi, 1, 1e-6);
    ib_free(o.bins);
    ib_device_close(dev);
}

static char seen[400];

static ib_status note(const ib_tap *tap, ib_graph *graph, const char *layer, const ib_tensor *x)
{
    const size_t at = strlen(seen);
    char shape[64];
    snprintf(seen + at, sizeof seen - at, "%s%s ", layer, ib_tensor_shape_text(x, shape, sizeof shape));
    return tap->context == graph ? IB_OK : ib_fail(IB_EINVAL, "said no");
}

/* What calibration learns of passes one place: a network's input and layers, a frozen product's input. */
static void values_pass_a_tap(void)
{
    dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const ib_tap tap = {note, g}, refusing = {note, NULL};
    ib_matrix *w = ib_matrix_encode(ib_storage_find("f32"), 2, 4, x, NULL);
    ib_graph_begin(g, IB_EVAL);
    g->tap = &tap;
    g->scope = "head";
    CHECK(ib_frozen_linear(g, ib_input(g, 2, (int64_t[]){2, 4}, x), w, NULL) != NULL);
    CHECK(!strcmp(seen, "head[2,4] "));
    g->tap = &refusing;
    CHECK_ERROR(!ib_frozen_linear(g, ib_input(g, 2, (int64_t[]){2, 4}, x), w, NULL), "said no");
    g->tap = NULL;
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_linear_layer(4, 3), ib_relu_layer(), ib_linear_layer(3, 2));
    REQUIRE(net && !ib_layer_init(net, 1));
    ib_layer_set_input(net, &(ib_input_info){.c = 1, .h = 2, .w = 2, .classes = 2});
    REQUIRE(!ib_qat_prepare(net, g, NULL));
    *seen = 0;
    ib_graph_begin(g, IB_EVAL);
    g->tap = &tap;
    CHECK(ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){2, 1, 2, 2}, x)) != NULL);
    CHECK(!strcmp(seen, "input[2,1,2,2] flatten0[2,4] linear1[2,3] linear3[2,2] "));
    ib_layer_free(net);
    ib_matrix_free(w);
    ib_graph_free(g);
    ib_device_close(dev);
}

SUITE("observers", T(values_pass_a_tap), T(frequent_values_are_kept), T(every_observer_stays_within_what_it_saw),
      T(squared_error_is_never_above_that_of_the_whole_range), T(percentile_clips_no_more_than_it_says),
      T(a_moving_average_passes_over_zeros), T(equal_divergence_takes_the_wider_range))
