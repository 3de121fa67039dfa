/* test_qat.c - phases, options and rules. Broken by: a phase that is skipped, an option that nothing reads, a layer
 * that a rule misses. */
#include "tests/qat/digits_training.h"

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
    ib_tensor *gamma = ib_param_find(net, "conv1.bn.gamma");
    set_value(gamma, 2, 0);
    set_value(gamma, 3, -values_of(gamma)[3]);
    set_value(ib_param_find(net, "conv1.bn.beta"), 2, 0.7f);
    for (int i = 0; i < 64; i++)
        set_value(ib_param_find(net, "fc1.weight"), i, 0);
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 4}));
    CHECK(isfinite(train(net, 10, 1e-3f)));
    CHECK(isfinite(values_of(gamma)[2]));
    CHECK(values_of(gamma)[2] != 0); /* it learns: its gradient is no quotient of itself */
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

static void batch_norm_can_be_reestimated(void)
{
    begin();
    ib_layer *net = ready(ib_model_new("lenet", 1, 8, 8, 10));
    train(net, 40, 3e-3f);
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 8}));
    const ib_tensor *statistic = ib_param_find(net, "conv2.bn.running_mean");
    const float *before = values_of(statistic);
    REQUIRE(!ib_qat_reestimate_bn(net, g, loader, 40));
    const float *mean = values_of(statistic);
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

SUITE("qat", T(phases_follow_in_order), T(averaging_constants_are_checked), T(options_without_effect_are_refused),
      T(every_way_to_choose_scales_works), T(a_gamma_of_zero_and_a_dead_channel_are_harmless),
      T(rules_choose_bits_by_name), T(float_islands_train_and_are_named), T(batch_norm_can_be_reestimated))
