/* test_bias.c - biases that exceed int32 in steps of their accumulator: the channel's weight scale grows until they
 * fit, in every phase, width and granularity, or the layer is refused by name. Broken by: a bias that is clipped, a
 * scale that grows without its codes. */
#include "tests/digits.h"

#include "autograd/quantizer.h"
#include "program/program.h"
#include "tests/numbers.h"

enum { OUTPUTS = 6, INPUTS = 64, SAMPLES = 40 };

static void begin(void)
{
    begin_with(IB_SPLIT_TRAIN, &(ib_loader_opts){.batch = SAMPLES});
}

/* A linear layer or a convolution whose channel o has weights of about size[o] and this bias. */
static ib_layer *network(int conv, const float *size, const float *bias, int relu)
{
    ib_layer *l = conv ? ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = OUTPUTS, .kernel_h = 8})
                       : ib_linear_layer(INPUTS, OUTPUTS);
    ib_layer *net = conv ? ib_sequential(ib_named("heavy", l), ib_flatten_layer())
                         : ib_sequential(ib_flatten_layer(), ib_named("heavy", l));
    if (relu)
        net = ib_sequential(net, ib_relu_layer());
    ready(net);
    for (int o = 0; o < OUTPUTS; o++) {
        for (int k = 0; k < INPUTS; k++)
            set_value(ib_param_at(net, 0), o * INPUTS + k,
                      size[o] * ib_rng_normal((ib_rng){2, (uint64_t)o}, (uint64_t)k));
        set_value(ib_param_at(net, 1), o, bias[o]);
    }
    return net;
}

static float *outputs(ib_layer *net, const ib_batch *b, int in_float)
{
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *x = ib_input(g, 4, b->shape, b->x),
              *y = in_float ? ib_layer_forward_float(g, net, x) : ib_layer_forward(g, net, x);
    if (!y)
        printf("\n    %s ", ib_error());
    REQUIRE(y != NULL);
    float *copy = malloc(SAMPLES * OUTPUTS * sizeof *copy);
    REQUIRE(!ib_tensor_read(y, copy));
    return copy;
}

/* Integers near fp32: within two steps of the result and what rounding the weights of a channel costs that has not
 * been raised. */
static void check(int conv, const float *size, const float *bias, int relu, ib_qat_opts o)
{
    ib_layer *net = network(conv, size, bias, relu);
    ib_batch b;
    ib_loader_start(loader, 0, 0);
    REQUIRE(ib_loader_next(loader, &b));
    float *want = outputs(net, &b, 1);
    REQUIRE(!ib_qat_prepare(net, g, &o) && !ib_qat_calibrate(net, g, loader, 1) && !ib_qat_set_phase(net, g, IB_LEARN));
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x));
    REQUIRE(y && !ib_backward(g, ib_mean(g, ib_mul(g, y, y)))); /* gradients are those of finite numbers */
    CHECK(isfinite(grads_of(ib_param_at(net, 0))[0]) && isfinite(grads_of(ib_param_at(net, 1))[0]));
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    float *got = outputs(net, &b, 0);
    ib_program *p = ib_program_of(net, g);
    REQUIRE(p != NULL);
    const float step = ib_program_output_scale(p);
    double worst = 0;
    for (int i = 0; i < SAMPLES * OUTPUTS; i++)
        worst = fmax(worst, fabs(got[i] - want[i]) / step);
    if (!(worst < 3))
        printf("\n    conv %d, bits %d, granularity %d: %g steps ", conv, o.weight_bits, (int)o.granularity, worst);
    CHECK(worst < 3);
    CHECK(ib_program_layer_at(p, 0).acc_bound <= INT32_MAX);
    for (int c = 0; c < OUTPUTS; c++)
        CHECK(llabs(p->instrs[0].bias[c]) <= IB_MAX_BIAS);
    free(want), free(got);
    ib_program_free(p);
    ib_layer_free(net);
}

static void a_bias_beyond_int32_raises_its_scale(void)
{
    static const float sizes[][OUTPUTS] = {{1e-7f, 1e-7f, 1e-7f, 1e-7f, 1e-7f, 1e-7f},
                                           {1e-12f, 3e-9f, 1e-10f, 2e-9f, 1e-8f, 1e-7f},
                                           {1e-2f, 1e-9f, 1e-2f, 1e-11f, 1e-2f, 0},
                                           {0, 0, 0, 0, 0, 0}};
    static const float biases[][OUTPUTS] = {{60, -30, 45, 1, -60, 0},
                                            {1e3f, -1e3f, 1e3f, 2e2f, 0, 5e2f},
                                            {1, -0.5f, 2, 0.75f, -1, 0.25f},
                                            {-1, 2, 0.3f, 0, 1e-3f, 3}};
    begin();
    for (int i = 0; i < 4; i++)
        for (int conv = 0; conv < 2; conv++)
            for (int profile = 0; profile < 3; profile++)
                for (int k = 0; k < 3; k++) /* per tensor, what differs by 2^30 cannot be told apart, here as
                                               elsewhere */
                    if (!(k == IB_PER_TENSOR && i == 2))
                        check(conv, sizes[i], biases[i], 0,
                              (ib_qat_opts){.weight_bits = 8,
                                            .granularity = (ib_granularity)k,
                                            .group_size = k == IB_PER_GROUP ? 8 : 0,
                                            .profile = (ib_profile)profile,
                                            .observer = "minmax"});
    for (int bits = 2; bits <= 4; bits += 2) /* learned scales too */
        check(bits == 4, sizes[0], biases[0], 1, (ib_qat_opts){.weight_bits = bits, .observer = "minmax"});
    end();
}

static void what_no_scale_fits_is_refused_by_name(void)
{
    static const float small[OUTPUTS] = {1e-9f, 1e-9f, 1e-9f, 1e-9f, 1e-9f, 1e-9f},
                       hidden[OUTPUTS] = {-1e4f, 1e-8f, 1e-8f, 1e-8f, 1e-8f, 1e-8f};
    static const float tiny[OUTPUTS] = {1e-38f, 1e-38f, 1e-38f, 1e-38f, 1e-38f, 1e-38f}, none[OUTPUTS] = {0},
                       bad[OUTPUTS] = {NAN};
    static const struct {
        const float *size, *bias;
        ib_granularity granularity;
        const char *line;
    } cases[] = {{small, hidden, IB_PER_TENSOR, "choose a scale per channel"},
                 {tiny, none, IB_PER_CHANNEL, "less than fp32 holds"},
                 {small, bad, IB_PER_CHANNEL, "nan"}};
    begin();
    for (int i = 0; i < 3; i++) {
        ib_layer *net = network(0, cases[i].size, cases[i].bias, 1);
        ib_batch b;
        ib_loader_start(loader, 0, 0);
        REQUIRE(ib_loader_next(loader, &b));
        ib_status status =
            ib_qat_begin(net, g, loader, &(ib_qat_opts){.granularity = cases[i].granularity, .observer = "minmax"});
        ib_graph_begin(g, IB_EVAL);
        if (!status && (!ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)) || ib_graph_synchronize(g)))
            status = ib_error_status();
        CHECK_ERROR(status, cases[i].line);
        CHECK(strstr(ib_error(), "heavy") != NULL);
        ib_layer_free(net);
    }
    end();
}

/* Scales of groups: a row of zeros, and rows that differ by orders of magnitude, keep their values. */
static void group_scales_keep_small_rows(void)
{
    enum { ROWS = 3, COLS = 20 };
    begin();
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *w = ib_tensor_new(IB_F32, 2, (int64_t[]){ROWS, COLS}, 0, "w");
    for (int i = COLS; i < ROWS * COLS; i++)
        set_value(w, i, (i < 2 * COLS ? 1e-2f : 1e-5f) * ib_rng_normal((ib_rng){1, 5}, (uint64_t)i));
    const ib_tensor *q = ib_quantize_weight(g, w, NULL, &(ib_weight_attrs){.bits = 8, .group_size = 8});
    REQUIRE(q != NULL);
    const float *values = values_of(w), *scale = scales_of(q);
    const int8_t *codes = codes_of(q);
    uint8_t factor[ROWS * COLS];
    ib_block_read(q->dev, factor, q->q.group_factor, (size_t)(ROWS * q->q.n_groups));
    for (int i = 0; i < ROWS * COLS; i++) {
        const float step = scale[i / COLS] * factor[i / COLS * q->q.n_groups + i % COLS / 8];
        CHECK_NEAR(step * codes[i], values[i], 0.501 * step);
    }
    ib_tensor_free(w);
    end();
}

SUITE("bias", T(a_bias_beyond_int32_raises_its_scale), T(what_no_scale_fits_is_refused_by_name),
      T(group_scales_keep_small_rows))
