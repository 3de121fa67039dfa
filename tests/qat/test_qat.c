/* test_qat.c - phases, observers, learned scales, folding, and the rule that the forward is the integer program.
 * Broken by: an observer that moves in evaluation, a second rounding anywhere, a division by gamma. */
#include "tests/digits.h"

#include "autograd/quantizer.h"
#include "program/program.h"
#include "qat/plan.h"

static void begin(void)
{
    begin_with(IB_SPLIT_TRAIN, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 3});
}

/* Takes n training steps; the last loss. */
static float train(ib_layer *net, int n, float lr)
{
    ib_optim *opt = ib_adamw_new(net, dev, &(ib_adamw_opts){.lr = lr});
    float loss = NAN;
    ib_batch b;
    for (int i = 0; i < n; i++) {
        if (!i || !ib_loader_next(loader, &b)) {
            ib_loader_start(loader, i, 0);
            ib_loader_next(loader, &b);
        }
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *l = ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)), b.y, 0);
        if (!l || ib_backward(g, l) || ib_optim_step(opt)) {
            printf("\n    %s\n", ib_error());
            CHECK(0);
            break;
        }
        loss = ib_tensor_f32(l)[0];
    }
    ib_optim_free(opt);
    return loss;
}

static int64_t differences(ib_layer *net)
{
    ib_verify_report r;
    ib_dataset *test = ib_digits_new(IB_SPLIT_TEST);
    ib_dataset_limit(test, 60);
    int64_t wrong = -1;
    if (ib_verify(net, g, test, &(ib_verify_opts){.batch = 7}, &r))
        printf("\n    %s\n", ib_error());
    else
        wrong = r.mismatches;
    ib_verify_report_free(&r);
    ib_dataset_free(test);
    return wrong;
}

static void phases_follow_in_order(void)
{
    begin();
    ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
    CHECK_INT(ib_qat_phase(net), IB_FLOAT);
    CHECK_ERROR(ib_qat_set_phase(net, g, IB_LEARN), "call ib_qat_prepare() first");
    CHECK_ERROR(ib_qat_calibrate(net, g, loader, 1), "phase float");
    CHECK_ERROR(!ib_program_lower(net, g) ? 1 : 0, "not frozen");
    REQUIRE(!ib_qat_prepare(net, g, NULL));
    CHECK_ERROR(ib_qat_prepare(net, g, NULL), "already");
    CHECK_ERROR(ib_qat_set_phase(net, g, IB_LEARN), "saw no batch");
    CHECK_ERROR(ib_qat_set_phase(net, g, IB_EXPORTED), "cannot follow");
    ib_graph_begin(g, IB_TRAIN);
    float zeros[64] = {0};
    CHECK_ERROR(!ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, 1, 8, 8}, zeros)) ? 1 : 0, "calibrate");
    REQUIRE(!ib_qat_calibrate(net, g, loader, 2));
    REQUIRE(!ib_qat_set_phase(net, g, IB_LEARN));
    CHECK_ERROR(ib_qat_calibrate(net, g, loader, 1), "phase learn");
    CHECK_ERROR(ib_qat_set_phase(net, g, IB_CALIBRATE), "cannot follow");
    CHECK_ERROR(!ib_program_lower(net, g) ? 1 : 0, "not frozen");
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    CHECK_ERROR(ib_qat_set_phase(net, g, IB_LEARN), "cannot follow");
    ib_program *p = ib_program_lower(net, g);
    REQUIRE(p != NULL);
    CHECK_INT(ib_qat_phase(net), IB_EXPORTED);
    ib_graph_begin(g, IB_TRAIN);
    CHECK_ERROR(!ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, 1, 8, 8}, zeros)) ? 1 : 0, "exported");
    ib_program_free(p);
    ib_layer_free(net);
    end();
}

static void options_without_effect_are_refused(void)
{
    static const struct {
        ib_qat_opts opts;
        const char *word;
    } none[] = {{{.percentile = 99}, "percentile is 99"},
                {{.percentile = 99, .observer = "kl"}, "observer kl"},
                {{.averaging_constant = 0.5f, .observer = "minmax"}, "averaging_constant is 0.5"},
                {{.dynamic = 1, .weight_bits = 4}, "dynamic is set, which has 8 bits"},
                {{.dynamic = 1, .act_bits = 2}, "not 2"},
                {{.dynamic = 1, .observer = "mse"}, "observer mse"}};
    begin();
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
        CHECK_ERROR(ib_qat_prepare(net, g, &none[i].opts), none[i].word);
        ib_layer_free(net);
    }
    end();
}

static void averaging_constants_are_checked(void)
{
    begin();
    for (int i = 0; i < 4; i++) {
        ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
        const float constant[] = {-0.1f, 1.5f, NAN, INFINITY};
        CHECK_ERROR(ib_qat_prepare(net, g, &(ib_qat_opts){.averaging_constant = constant[i]}), "averaging_constant");
        ib_layer_free(net);
    }
    end();
}

/* All scales and ranges of a network, as bytes. */
static int state_of(const ib_layer *net, float *out)
{
    const ib_plan *p = ib_plan_of(net);
    int n = 0;
    for (int i = 0; i < p->n_steps; i++) {
        out[n++] = p->steps[i].out.scale;
        out[n++] = p->steps[i].observer.lo;
        out[n++] = p->steps[i].observer.hi;
        out[n++] = (float)p->steps[i].observer.count;
    }
    return n;
}

static void observers_move_in_learning_only(void)
{
    float before[256], after[256];
    begin();
    for (int learned = 0; learned < 2; learned++) {
        ib_layer *net = ready(ib_model_new("lenet", 1, 8, 8, 10));
        REQUIRE(!ib_qat_begin(net, g, loader, learned ? &(ib_qat_opts){.weight_bits = 4, .act_bits = 4} : NULL));
        if (learned) { /* scales that learn do so in steps, not in forwards, and not when frozen */
            train(net, 3, 1e-3f);
            ib_tensor *t = ib_param_find(net, "conv1.conv.out.ln_scale"),
                      *w = ib_param_find(net, "fc1.weight.ln_scale");
            REQUIRE(t && w);
            const float first = ib_tensor_f32(t)[0], other = ib_tensor_f32(w)[0];
            train(net, 3, 1e-3f);
            CHECK(ib_tensor_f32(t)[0] != first && ib_tensor_f32(w)[0] != other);
            ib_optim *opt = ib_adamw_new(net, dev, NULL);
            ib_tensor_grad(t)[0] = ib_tensor_grad(w)[0] = 1;
            REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
            const float frozen = ib_tensor_f32(t)[0], frozen_w = ib_tensor_f32(w)[0];
            REQUIRE(!ib_optim_step(opt));
            CHECK(ib_tensor_f32(t)[0] == frozen && ib_tensor_f32(w)[0] == frozen_w);
            ib_optim_free(opt);
            ib_layer_free(net);
            continue;
        }
        const int n = state_of(net, before);
        ib_batch b;
        ib_loader_start(loader, 5, 0);
        REQUIRE(ib_loader_next(loader, &b));
        for (int mode = 0; mode < 3; mode++) { /* evaluation, trace, training */
            ib_graph_begin(g, (ib_mode[]){IB_EVAL, IB_TRACE, IB_TRAIN}[mode]);
            REQUIRE(ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)) != NULL);
            state_of(net, after);
            CHECK((memcmp(before, after, (size_t)n * sizeof *before) != 0) == (mode == 2));
        }
        REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
        state_of(net, before);
        train(net, 3, 1e-3f); /* weights learn, scales stand */
        state_of(net, after);
        CHECK(!memcmp(before, after, (size_t)n * sizeof *before));
        ib_layer_free(net);
    }
    end();
}

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
    ib_tensor *bias, *w = ib_step_weight(g, s, &bias);
    ib_tensor *codes = ib_quantize_weight(g, w, NULL, &s->weight);
    for (int64_t c = 0; c < 6; c++) /* weights on their grid */
        for (int64_t i = 0; i < 9; i++)
            ib_f32(w)[c * 9 + i] = (float)ib_codes(codes)[c * 9 + i] * codes->q.scale[c];
    ib_tensor *xq = ib_fake_quantize(g, x, in->scale, in->zero, in->qmin, in->qmax);
    ib_tensor *z = ib_relu(g, ib_conv2d(g, xq, w, bias, s->attrs));
    ib_tensor *want = ib_fake_quantize(g, z, s->out.scale, s->out.zero, s->out.qmin, s->out.qmax);
    REQUIRE(want != NULL);
    int64_t off = 0;
    for (int64_t i = 0; i < ib_tensor_size(y); i++) {
        const double steps = fabs(ib_f32(y)[i] - ib_f32(want)[i]) / s->out.scale;
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
#define FQ(t, i) ib_fake_quantize(g, t, q[i].scale, q[i].zero, q[i].qmin, q[i].qmax)
    ib_tensor *xf = FQ(x, 0), *wf = ib_fake_quantize(g, w, codes->q.scale[0], 0, -7, 7),
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
        const float ranges[5][2] = {{-0.9f, 0.9f}, {0, 3}, {-3, 2}, {-3, 4}, {-2, 2}}; /* all of them clip something */
        for (int i = 0; i < 5; i++) {
            t[side][i] = ib_tensor_new(IB_F32, shapes[i].ndim, shapes[i].shape, i != 3, "p");
            for (int64_t j = 0; j < ib_tensor_size(t[side][i]); j++)
                ib_tensor_f32(t[side][i])[j] = shapes[i].lo + (shapes[i].hi - shapes[i].lo) *
                                                                  ib_rng_uniform((ib_rng){3, (uint64_t)i}, (uint64_t)j);
            q[i] = (ib_quantizer){.bits = 8, .qmin = -128, .qmax = 127, .profile = IB_FP32_RNE};
            ib_quantizer_set_range(&q[i], ranges[i][0], ranges[i][1], 0);
        }
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *y = both(t[side], t[side][4], q, side);
        REQUIRE(y != NULL);
        REQUIRE(!ib_backward(g, ib_sum(g, ib_mul(g, y, y))));
    }
    for (int i = 0; i < 5; i++)
        for (int64_t j = 0; i != 3 && j < ib_tensor_size(t[0][i]); j++)
            CHECK_NEAR(ib_tensor_grad(t[1][i])[j], ib_tensor_grad(t[0][i])[j],
                       0.02 * (1 + fabs(ib_tensor_grad(t[0][i])[j])));
    for (int i = 0; i < 5; i++) {
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

static void every_way_to_choose_scales_works(void)
{
    static const char *const observers[] = {"minmax", "ema", "histogram", "percentile", "mse", "kl", "lsq", "pact"};
    begin();
    for (int i = 0; i < 8; i++)
        for (int symmetric = 0; symmetric < 2; symmetric++) {
            ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
            train(net, 30, 3e-3f);
            REQUIRE(!ib_qat_begin(net, g, loader,
                                  &(ib_qat_opts){.weight_bits = 4,
                                                 .act_bits = 4,
                                                 .observer = observers[i],
                                                 .symmetric = symmetric,
                                                 .granularity = (ib_granularity)(i % 3),
                                                 .profile = IB_TFLITE_SINGLE}));
            CHECK(train(net, 30, 1e-3f) < 1.0f);
            CHECK_INT(differences(net), 0);
            ib_layer_free(net);
        }
    end();
}

static void a_gamma_of_zero_and_a_dead_channel_are_harmless(void)
{
    begin();
    ib_layer *net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    train(net, 10, 1e-3f);
    float *gamma = ib_tensor_f32(ib_param_find(net, "conv1.bn.gamma")),
          *beta = ib_tensor_f32(ib_param_find(net, "conv1.bn.beta"));
    gamma[2] = 0;
    beta[2] = 0.7f;
    gamma[3] = -gamma[3];
    float *w = ib_tensor_f32(ib_param_find(net, "fc1.weight"));
    for (int i = 0; i < 64; i++)
        w[i] = 0;
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 4}));
    CHECK(isfinite(train(net, 10, 1e-3f)));
    CHECK(isfinite(gamma[2]));
    CHECK(gamma[2] != 0); /* it learns: its gradient is no quotient of itself */
    CHECK_INT(differences(net), 0);
    ib_layer_free(net);
    end();
}

static void rules_choose_bits_by_name(void)
{
    begin();
    ib_layer *net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    CHECK_ERROR(ib_qat_prepare(net, g, &(ib_qat_opts){.rules = "nothing*=w8a8"}), "matches no layer");
    ib_layer_free(net);
    net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    CHECK_ERROR(ib_qat_prepare(net, g, &(ib_qat_opts){.rules = "conv1*=w3a8"}), "w3a8");
    ib_layer_free(net);
    net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    CHECK_ERROR(ib_qat_prepare(net, g, &(ib_qat_opts){.observer = "magic"}), "magic");
    ib_layer_free(net);
    net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    REQUIRE(!ib_qat_prepare(
        net, g, &(ib_qat_opts){.weight_bits = 2, .act_bits = 4, .rules = "conv*=w4a8 conv1*=w8a8,fc2=w8a4"}));
    int seen = 0;
    for (int i = 0; i < ib_qat_layer_count(net); i++) {
        const ib_qat_layer l = ib_qat_layer_at(net, i);
        const struct {
            const char *name;
            int w, a;
        } want[] = {
            {"conv1.conv", 8, 8}, {"conv2.conv", 4, 8}, {"fc1", 2, 4}, {"fc2", 8, 8 /* the result */}, {"input", 0, 4}};
        for (int j = 0; j < 5; j++)
            if (!strcmp(l.name, want[j].name)) {
                CHECK_INT(l.weight_bits, want[j].w);
                CHECK_INT(l.act_bits, want[j].a);
                seen++;
            }
    }
    CHECK_INT(seen, 5);
    ib_layer_free(net);
    end();
}

static void float_islands_train_and_are_named(void)
{
    begin();
    ib_layer *net = ready(ib_sequential(ib_flatten_layer(), ib_named("fc1", ib_linear_layer(64, 32)),
                                        ib_named("ln", ib_layer_norm_layer(32)), ib_relu_layer(),
                                        ib_named("fc2", ib_linear_layer(32, 10))));
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.rules = "ln=float"}));
    CHECK(train(net, 40, 5e-3f) < 2.0f);
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    CHECK_ERROR(!ib_program_lower(net, g) ? 1 : 0, "'ln'");
    ib_layer_free(net);
    net = ready(ib_sequential(ib_flatten_layer(), ib_named("fc", ib_linear_layer(64, 10)),
                              ib_named("softmax", ib_softmax_layer())));
    REQUIRE(!ib_qat_begin(net, g, loader, NULL));
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    ib_program *p = ib_program_lower(net, g);
    REQUIRE(p != NULL);
    CHECK(strstr(ib_program_note(p), "softmax") != NULL);
    ib_program_free(p);
    ib_layer_free(net);
    net = ready(ib_model_new("mlp", 1, 8, 8, 10));
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.rules = "fc2=float"}));
    CHECK(isfinite(train(net, 5, 1e-3f)));
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    CHECK_ERROR(!ib_program_lower(net, g) ? 1 : 0, "fc2");
    ib_layer_free(net);
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
    double worst = 0;
    for (int64_t i = 0; i < ib_tensor_size(y); i++)
        worst = fmax(worst, fabs(ib_f32(y)[i] - ib_f32(f)[i]));
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

/* The gradient of ln(scale) against differences of the simulated loss, away from rounding flips: LSQ's own formula. */
static void learned_steps_follow_the_papers_formula(void)
{
    const float v[] = {-3.0f, -0.6f, 0.2f, 0.8f, 1.3f, 5.0f}, dy[] = {1, 2, 3, 4, 5, 6}, s = 0.5f;
    begin();
    double want = 0;
    for (int i = 0; i < 6; i++) {
        const double q = v[i] / s;
        want += dy[i] * (q <= -4 ? -4 : q >= 3 ? 3 : rint(q) - q);
    }
    CHECK_NEAR(dev->k.lsq_grad(v, dy, 6, s, 0, -4, 3), want, 1e-5);
    CHECK_NEAR(dev->k.pact_grad(v, dy, 6, 1.3f), 11, 0); /* dY where x >= alpha */
    end();
}

/* What each calibrator does to values with a long tail: 10,000 in [0, 1) and one at 50. */
static void calibrators_treat_outliers_as_they_should(void)
{
    enum { N = 10000 };
    static float x[N + 1];
    float lo, hi;
    begin();
    for (int i = 0; i < N; i++)
        x[i] = ib_rng_uniform((ib_rng){1, 1}, (uint64_t)i);
    x[N] = 50;
    const ib_quantizer q = {.bits = 4, .qmin = -8, .qmax = 7};
    const struct {
        const char *name;
        float least, most;
    } want[] = {{"minmax", 50, 50}, {"ema", 50, 50}, {"percentile", 0.9f, 1.2f},
                {"mse", 0.9f, 20},  {"kl", 0.5f, 5}, {"histogram", 0.5f, 51}};
    for (int i = 0; i < 6; i++) {
        ib_observer o = {.cls = ib_observer_find(want[i].name), .percentile = 99.9f};
        REQUIRE(!ib_observer_see_batch(&o, &dev->k, x, N + 1, "x"));
        o.cls->range(&o, &q, 0, &lo, &hi);
        if (!(hi >= want[i].least && hi <= want[i].most))
            printf("\n    %s: [%g, %g]\n", want[i].name, lo, hi);
        CHECK(hi >= want[i].least && hi <= want[i].most);
        free(o.bins);
    }
    ib_observer o = {.cls = &ib_observer_ema};
    for (int i = 0; i < 3; i++) { /* torch: first batch sets, then m += 0.01 (now - m) */
        const float batch[] = {-1, (float)(i + 1)};
        ib_observer_see_batch(&o, &dev->k, batch, 2, "x");
    }
    CHECK_NEAR(o.hi, 1.01 + 0.01 * (3 - 1.01), 1e-6);
    x[3] = NAN;
    CHECK_ERROR(ib_observer_see_batch(&o, &dev->k, x, N, "conv1"), "conv1");
    end();
}

static void ranges_become_scales_as_documented(void)
{
    ib_quantizer q = {.bits = 8, .qmin = -128, .qmax = 127};
    ib_quantizer_set_range(&q, 0, 2.55f, 0);
    CHECK_NEAR(q.scale, 0.01, 1e-7);
    CHECK_INT(q.zero, -128);
    ib_quantizer_set_range(&q, -1, 1.55f, 0);
    CHECK_INT(q.zero, -28);
    ib_quantizer_set_range(&q, -2.54f, 1, 1);
    CHECK_NEAR(q.scale, 0.02, 1e-7);
    CHECK_INT(q.zero, 0);
    ib_quantizer_set_range(&q, 0, 0, 0);
    CHECK_NEAR(q.scale, 1, 0);
    ib_quantizer_set_range(&q, 3, 5, 0); /* widened to hold 0 */
    CHECK_NEAR(q.scale, 5.0 / 255, 1e-7);
}

static void bytes_keep_their_value_at_the_input(void)
{
    begin();
    const ib_input_info in = {1, 8, 8, 10, 33 / 255.0f, 0.3081f, 255};
    ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
    ib_layer_set_input(net, &in);
    REQUIRE(!ib_qat_prepare(net, g, NULL));
    const ib_quantizer *q = &ib_plan_of(net)->input.out;
    for (int raw = 0; raw < 256; raw++) {
        const float x = ((float)raw / 255.0f - in.mean) * (1.0f / in.std);
        int8_t code;
        dev->k.quantize(&x, 1, q->scale, q->zero, q->qmin, q->qmax, raw & 1, &code, NULL);
        CHECK_INT(code, raw - 128);
    }
    ib_layer_free(net);
    for (int side = 0; side < 2; side++) { /* data that 0 is no value of: it has a code all the same */
        const ib_input_info far = {1, 8, 8, 10, side ? 3.0f : -2.0f, 0.5f, 255};
        net = ready(ib_model_new("mlp", 1, 8, 8, 10));
        ib_layer_set_input(net, &far);
        REQUIRE(!ib_qat_prepare(net, g, NULL));
        q = &ib_plan_of(net)->input.out;
        CHECK(q->zero == (side ? 127 : -128));
        CHECK_NEAR(q->scale * 255, 6, 1e-5); /* (0 or 1 - mean) / std, widened to 0 */
        ib_layer_free(net);
    }
    end();
}

static void batch_norm_can_be_reestimated(void)
{
    begin();
    ib_layer *net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    train(net, 40, 3e-3f);
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 8}));
    float *mean = ib_tensor_f32(ib_param_find(net, "conv2.bn.running_mean")), before[16];
    memcpy(before, mean, sizeof before);
    REQUIRE(!ib_qat_reestimate_bn(net, g, loader, 40));
    double moved = 0, size = 0;
    for (int i = 0; i < 16; i++) { /* at 8 bits the integer network's statistics are the float network's */
        moved += fabs(mean[i] - before[i]);
        size += fabs(before[i]);
    }
    CHECK(moved > 0 && moved < 0.5 * size);
    CHECK_INT(differences(net), 0);
    ib_layer_free(net);
    end();
}

/* Pictures of codes are drawn of what is true of them: weights in steps round to their codes, real values are the float
 * network's. */
static void values_behind_codes_can_be_looked_at(void)
{
    static const ib_qat_opts ways[] = {{.weight_bits = 8},
                                       {.weight_bits = 4, .granularity = IB_PER_TENSOR},
                                       {.weight_bits = 4, .granularity = IB_PER_GROUP, .group_size = 8}};
    begin();
    ib_batch b;
    ib_loader_start(loader, 0, 0);
    REQUIRE(ib_loader_next(loader, &b));
    float x[32 * 64]; /* the loader goes on */
    memcpy(x, b.x, sizeof x);
    for (int way = 0; way < 3; way++) {
        ib_layer *net = ready(ib_model_new("lenet", 1, 8, 8, 10));
        REQUIRE(ib_qat_forward_real(g, net, ib_input(g, 4, b.shape, x)) == NULL && ib_error_status() == IB_ESTATE);
        train(net, 20, 3e-3f);
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, b.shape, x));
        float before[320], largest = 0;
        memcpy(before, ib_tensor_f32(y), sizeof before);
        REQUIRE(!ib_qat_begin(net, g, loader, &ways[way]));
        ib_graph_begin(g, IB_EVAL);
        y = ib_qat_forward_real(g, net, ib_input(g, 4, b.shape, x));
        for (int i = 0; i < 320; i++) { /* but for the rounding of folded batch norms */
            CHECK_NEAR(ib_tensor_f32(y)[i], before[i], 1e-3);
            largest = fmaxf(largest, fabsf(before[i]));
        }
        CHECK(largest > 1);
        ib_graph_begin(g, IB_TRACE);
        REQUIRE(ib_layer_forward(g, net, ib_input(g, 4, b.shape, x)) != NULL);
        for (int layer = 0; layer < 2; layer++) {
            const char *name = layer ? "fc1" : "conv2.conv";
            int64_t n = 0, wrong = 0;
            int most = 0, seen = 0;
            float *w = ib_trace_weights(g, name, &n, &most);
            REQUIRE(w != NULL);
            for (int i = 0; i < g->n_nodes; i++) {
                const ib_node *node = &g->nodes[i];
                if (node->op != &ib_op_quantize_weight || strcmp(node->scope, name))
                    continue;
                seen = 1;
                CHECK_INT(n, node->out->size);
                for (int64_t k = 0; k < n; k++)
                    wrong += rintf(fminf(fmaxf(w[k], (float)-most), (float)most)) != (float)ib_codes(node->out)[k];
            }
            CHECK(seen);
            CHECK_INT(wrong, 0);
            CHECK_INT(most, ways[way].weight_bits == 8 ? 127 : 7);
            free(w);
        }
        int64_t n;
        int most;
        CHECK(ib_trace_weights(g, "pool1", &n, &most) == NULL);
        ib_layer_free(net);
    }
    end();
}

SUITE("qat", T(phases_follow_in_order), T(averaging_constants_are_checked), T(options_without_effect_are_refused),
      T(observers_move_in_learning_only), T(integers_and_simulation_agree), T(integer_gradients_are_the_simulations),
      T(every_model_is_one_program), T(any_network_becomes_integers), T(every_way_to_choose_scales_works),
      T(a_gamma_of_zero_and_a_dead_channel_are_harmless), T(rules_choose_bits_by_name),
      T(float_islands_train_and_are_named), T(dynamic_quantization_is_close_to_float),
      T(learned_steps_follow_the_papers_formula), T(calibrators_treat_outliers_as_they_should),
      T(ranges_become_scales_as_documented), T(bytes_keep_their_value_at_the_input), T(batch_norm_can_be_reestimated),
      T(values_behind_codes_can_be_looked_at))
