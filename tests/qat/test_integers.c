/* test_integers.c - the forward is the integer program, and its gradients are those of the simulation. Broken by: a
 * second rounding anywhere, a division by gamma, an operator without its integer form. */
#include "tests/qat/digits_training.h"

/* One convolution with batch norm and ReLU: integers against the simulation in float of the same scales. */
static void integers_and_simulation_agree(void)
{
    begin();
    ib_layer *net =
        ready(ib_sequential(ib_named("c", ib_conv2d_layer(&(ib_conv2d_config){
                                              .in = 1, .out = 6, .kernel_h = 3, .pad_h = 1, .pad_w = 1, .no_bias = 1})),
                            ib_named("bn", ib_batch_norm_layer(6)), ib_relu_layer()));
    train(net, 0, 0);
    REQUIRE(!ib_qat_begin(net, g, loader, NULL));
    ib_batch b;
    ib_loader_start(loader, 1, 0);
    REQUIRE(ib_loader_next(loader, &b));
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *x = ib_input(g, 4, b.shape, b.x), *y = ib_layer_forward(g, net, x);
    REQUIRE(y != NULL);
    const ib_step *s = &ib_plan_of(net)->steps[0];
    const ib_quantizer *in = &ib_plan_of(net)->input.out;
    const ib_quantizer_state of_in = ib_quantizer_read(ib_home(dev), in),
                             of_out = ib_quantizer_read(ib_home(dev), &s->out);
    ib_tensor *bias, *w = ib_step_weight(g, s, &bias);
    ib_tensor *codes = ib_quantize_weight(g, w, NULL, &s->weight);
    REQUIRE(codes != NULL);
    const int8_t *code = codes_of(codes);
    const float *scale = scales_of(codes);
    for (int64_t i = 0; i < 6 * 9; i++) /* weights on their grid */
        set_value(w, i, (float)code[i] * scale[i / 9]);
    ib_tensor *xq = ib_fake_quantize(g, x, of_in.scale, of_in.zero, in->qmin, in->qmax);
    ib_tensor *z = ib_relu(g, ib_conv2d(g, xq, w, bias, s->attrs));
    ib_tensor *want = ib_fake_quantize(g, z, of_out.scale, of_out.zero, s->out.qmin, s->out.qmax);
    REQUIRE(want != NULL);
    const float *made = values_of(y), *simulated = values_of(want);
    int64_t off = 0;
    for (int64_t i = 0; i < ib_tensor_size(y); i++) {
        const double steps = fabs(made[i] - simulated[i]) / of_out.scale;
        CHECK(steps < 1.01);
        off += steps > 0.01;
    }
    CHECK(off * 50 < ib_tensor_size(y)); /* only where a tie or the bias' grid decides */
    ib_layer_free(net);
    end();
}

/* Two graphs with one set of scales: convolution, folded batch norm, ReLU, residual addition and average pool in
 * integers, and the same simulated by fake_quantize in float. Straight-through gradients of every parameter agree. */
static ib_tensor *both(ib_tensor **p, ib_tensor *x, ib_quantizer *q, int integers)
{
    const ib_weight_attrs per_tensor = {.bits = 4};
    const ib_conv_opts conv = {1, 1, 1, 1, 1};
    ib_tensor *w = ib_fold_weight(g, p[0], p[1], p[3], 1e-5f),
              *b = ib_fold_bias(g, p[1], p[2], NULL, p[3], p[3], 1e-5f);
    const ib_tensor *codes = ib_quantize_weight(g, w, NULL, &per_tensor);
    REQUIRE(codes != NULL);
    if (integers) {
        ib_tensor *xq = ib_quantize(g, x, &q[0]);
        ib_tensor *y = ib_qconv2d(g, xq, ib_quantize_weight(g, w, NULL, &per_tensor), b, &conv, IB_ACT_RELU, &q[1]);
        ib_tensor *z = ib_qconv2d(g, xq, ib_quantize_weight(g, w, NULL, &per_tensor), b, &conv, IB_ACT_NONE, &q[2]);
        return ib_dequantize(
            g, ib_qavg_pool(g, ib_qadd(g, y, z, IB_ACT_NONE, &q[3]), &(ib_pool_opts){2, 2, 2, 2, 0, 0}, &q[4]));
    }
    ib_quantizer_state s[5];
    for (int i = 0; i < 5; i++)
        s[i] = ib_quantizer_read(ib_home(dev), &q[i]);
#define FQ(t, i) ib_fake_quantize(g, t, s[i].scale, s[i].zero, q[i].qmin, q[i].qmax)
    ib_tensor *xf = FQ(x, 0), *wf = ib_fake_quantize(g, w, scales_of(codes)[0], 0, -7, 7),
              *c = ib_conv2d(g, xf, wf, b, &conv);
    return FQ(ib_avg_pool(g, FQ(ib_add(g, FQ(ib_relu(g, c), 1), FQ(c, 2)), 3), &(ib_pool_opts){2, 2, 2, 2, 0, 0}), 4);
}

static void integer_gradients_are_the_simulations(void)
{
    static const struct {
        int ndim;
        int64_t shape[4];
        float lo, hi;
    } shapes[] = {
        {4, {2, 2, 3, 3}, -1, 1}, {1, {2}, 0.5f, 1}, {1, {2}, -1, 1}, {1, {2}, 0.5f, 1}, {4, {3, 2, 4, 4}, -1, 1}};
    ib_tensor *t[2][5];
    begin();
    for (int side = 0; side < 2; side++) {
        ib_quantizer q[5];
        ib_quantizer_state state[5] = {0};
        const float ranges[5][2] = {{-0.9f, 0.9f}, {0, 3}, {-3, 2}, {-3, 4}, {-2, 2}}; /* all of them clip something */
        for (int i = 0; i < 5; i++) {
            t[side][i] = ib_tensor_new(IB_F32, shapes[i].ndim, shapes[i].shape, i != 3, "p");
            for (int64_t j = 0; j < ib_tensor_size(t[side][i]); j++)
                set_value(t[side][i], j,
                          shapes[i].lo +
                              (shapes[i].hi - shapes[i].lo) * ib_rng_uniform((ib_rng){3, (uint64_t)i}, (uint64_t)j));
            q[i] = (ib_quantizer){.bits = 8, .qmin = -128, .qmax = 127, .profile = IB_FP32_RNE};
            ib_scale_of_range(ranges[i][0], ranges[i][1], 0, -128, 127, &state[i].scale, &state[i].zero);
        }
        ib_graph_begin(g, IB_TRAIN);
        for (int i = 0; i < 5; i++)
            REQUIRE((q[i].state = ib_graph_uploaded(g, &state[i], sizeof state[i])) != NULL);
        ib_tensor *y = both(t[side], t[side][4], q, side);
        REQUIRE(y != NULL);
        REQUIRE(!ib_backward(g, ib_sum(g, ib_mul(g, y, y))));
    }
    for (int i = 0; i < 5; i++) {
        const float *want = i == 3 ? NULL : grads_of(t[0][i]), *got = i == 3 ? NULL : grads_of(t[1][i]);
        for (int64_t j = 0; i != 3 && j < ib_tensor_size(t[0][i]); j++)
            CHECK_NEAR(got[j], want[j], 0.02 * (1 + fabs(want[j])));
        ib_tensor_free(t[0][i]);
        ib_tensor_free(t[1][i]);
    }
    end();
}

static void every_model_is_one_program(void)
{
    static const char *const models[] = {"mlp", "tfc", "lenet", "resnet8", "dscnn"};
    static const char *const bits[] = {"w8a8", "w4a8", "w2a8", "w4a4", "w2a2"};
    begin();
    for (int i = 0; i < 5; i++) {
        ib_qat_opts o = {.profile = (ib_profile)(i % 4)};
        REQUIRE(!ib_qat_bits_parse(bits[i], &o));
        ib_layer *net = ready(ib_model_new(models[i], 1, 8, 8, 10));
        train(net, 4, 1e-3f);
        REQUIRE(!ib_qat_begin(net, g, loader, &o));
        CHECK(isfinite(train(net, 4, 1e-3f)));
        CHECK_INT(differences(net), 0);
        ib_layer_free(net);
    }
    end();
}

static ib_tensor *branches_forward(ib_layer *self, ib_graph *g_, ib_tensor *x)
{
    ib_layer *a = ib_layer_child(self, 0), *b = ib_layer_child(self, 1);
    ib_tensor *p = ib_layer_forward_float(g_, a, x), *q = ib_layer_forward_float(g_, b, x);
    return ib_concat(g_, (ib_tensor *[]){ib_sigmoid(g_, p), ib_tanh(g_, q), ib_mul(g_, p, q), x}, 4, 1);
}

/* Concat, sigmoid, tanh, mul, average pool, ReLU6, a batch norm by itself, a ReLU by itself, a tensor used twice. */
static ib_layer *everything(void)
{
    static const ib_layer_class cls = {"branches", branches_forward};
    ib_layer *l = ib_layer_new(&cls, 0);
    REQUIRE(!ib_layer_add(l, ib_named("a", ib_conv2d_layer(&(ib_conv2d_config){
                                               .in = 1, .out = 3, .kernel_h = 3, .pad_h = 1, .pad_w = 1}))));
    REQUIRE(!ib_layer_add(l, ib_named("b", ib_conv2d_layer(&(ib_conv2d_config){
                                               .in = 1, .out = 3, .kernel_h = 3, .pad_h = 1, .pad_w = 1}))));
    return ib_sequential(ib_named("branches", l), ib_named("alone", ib_batch_norm_layer(10)), ib_max_pool_layer(2, 2),
                         ib_relu_layer(), ib_named("avg", ib_avg_pool_layer(2, 2)), ib_flatten_layer(),
                         ib_named("fc", ib_linear_layer(40, 16)), ib_relu6_layer(),
                         ib_named("bn2", ib_batch_norm_layer(16)), ib_dropout_layer(0.1f),
                         ib_named("out", ib_linear_layer(16, 10)));
}

static void any_network_becomes_integers(void)
{
    begin();
    for (int profile = IB_TFLITE_DOUBLE; profile <= IB_XNNPACK; profile++) {
        ib_layer *net = ready(everything());
        train(net, 60, 5e-3f);
        REQUIRE(!ib_qat_begin(
            net, g, loader,
            &(ib_qat_opts){.weight_bits = 8, .act_bits = profile == 2 ? 4 : 8, .profile = (ib_profile)profile}));
        CHECK(train(net, 60, 5e-3f) < 2.3f);
        CHECK_INT(differences(net), 0);
        ib_layer_free(net);
    }
    end();
}

static void dynamic_quantization_is_close_to_float(void)
{
    begin();
    ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
    train(net, 60, 3e-3f);
    REQUIRE(!ib_qat_prepare(net, g, &(ib_qat_opts){.dynamic = 1}));
    ib_batch b;
    ib_loader_start(loader, 9, 0);
    REQUIRE(ib_loader_next(loader, &b));
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *x = ib_input(g, 4, b.shape, b.x), *y = ib_layer_forward(g, net, x),
              *f = ib_layer_forward_float(g, net, x);
    REQUIRE(y && f);
    const float *dynamic = values_of(y), *real = values_of(f);
    double worst = 0;
    for (int64_t i = 0; i < ib_tensor_size(y); i++)
        worst = fmax(worst, fabs(dynamic[i] - real[i]));
    CHECK(worst > 0 && worst < 0.25);
    ib_graph_begin(g, IB_EVAL); /* a row's result does not depend on the rows beside it */
    ib_tensor *one = ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, 1, 8, 8}, b.x + 64));
    REQUIRE(one != NULL);
    REQUIRE(!ib_qat_set_phase(net, g, IB_LEARN));
    CHECK(isfinite(train(net, 5, 1e-3f)));
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    CHECK_ERROR(!ib_program_lower(net, g) ? 1 : 0, "dynamically");
    ib_layer_free(net);
    end();
}

SUITE("integers", T(integers_and_simulation_agree), T(integer_gradients_are_the_simulations),
      T(every_model_is_one_program), T(any_network_becomes_integers), T(dynamic_quantization_is_close_to_float))
