/* test_ranges.c - how ranges become scales and what codes stand for. Broken by: an observer that moves in
 * evaluation, a calibrator that an outlier rules, a scale that differs from its formula. */
#include "tests/qat/digits_training.h"

/* All scales and ranges of a network, as bytes. */
static int state_of(const ib_layer *net, float *out)
{
    const ib_plan *p = ib_plan_of(net);
    int n = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const ib_quantizer_state s = ib_step_state(p, &p->steps[i]);
        out[n++] = s.scale;
        out[n++] = s.lo;
        out[n++] = s.hi;
        out[n++] = (float)s.count;
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
            const float first = values_of(t)[0], other = values_of(w)[0];
            train(net, 3, 1e-3f);
            CHECK(values_of(t)[0] != first && values_of(w)[0] != other);
            ib_optim *opt = ib_adamw_new(net, dev, NULL);
            set_grad(t, 0, 1);
            set_grad(w, 0, 1);
            REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
            const float frozen = values_of(t)[0], frozen_w = values_of(w)[0];
            REQUIRE(!ib_optim_step(opt));
            CHECK(values_of(t)[0] == frozen && values_of(w)[0] == frozen_w);
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
    const float alpha = 1.3f;
    const int32_t level = 6; /* one below the largest code, whose value is alpha */
    float sums[2] = {0};     /* the gradients of ln(s) and of alpha */
    ib_graph_begin(g, IB_EVAL);
    const float *x = ib_graph_uploaded(g, v, sizeof v), *grad = ib_graph_uploaded(g, dy, sizeof dy),
                *step = ib_graph_uploaded(g, &s, sizeof s), *clip = ib_graph_uploaded(g, &alpha, sizeof alpha);
    const int32_t *zero = ib_graph_uploaded(g, &level, sizeof level);
    float *sum = ib_graph_uploaded(g, sums, sizeof sums);
    REQUIRE(x && grad && step && clip && zero && sum);
    /* g = 1 / sqrt(N Q), with 3 codes above zero */
    dev->k.lsq_grad(dev, 1, 6, &(ib_affine){.scale = step, .qmin = -4, .qmax = 3},
                    &(ib_lsq_grads){.x = x, .dy = grad, .values = 6, .dt = sum});
    dev->k.pact_grad(dev, x, grad, 6, &(ib_affine){.scale = clip, .zero = zero, .qmin = -8, .qmax = 7}, sum + 1);
    dev->v.download(dev, sums, sum, sizeof sums);
    CHECK_NEAR(sums[0] / s * sqrt(6 * 3), want, 1e-5);
    CHECK_NEAR(sums[1], 11, 0); /* dY where x >= alpha */
    end();
}

/* x[n] as a batch of the device's. */
static ib_status see(ib_observer *o, const float *x, int64_t n, const char *layer)
{
    ib_graph_begin(g, IB_EVAL);
    const float *batch = ib_graph_uploaded(g, x, (size_t)n * sizeof *x);
    REQUIRE(batch != NULL);
    return ib_observer_see_batch(o, dev, batch, n, layer);
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
        ib_observer o = {.cls = ib_observer_row_of(want[i].name)->cls, .percentile = 99.9f};
        REQUIRE(!see(&o, x, N + 1, "x"));
        o.cls->range(&o, &q, 0, &lo, &hi);
        if (!(hi >= want[i].least && hi <= want[i].most))
            printf("\n    %s: [%g, %g]\n", want[i].name, lo, hi);
        CHECK(hi >= want[i].least && hi <= want[i].most);
        ib_free(o.bins);
    }
    ib_observer o = {.cls = &ib_observer_ema};
    for (int i = 0; i < 3; i++) { /* torch: first batch sets, then m += 0.01 (now - m) */
        const float batch[] = {-1, (float)(i + 1)};
        REQUIRE(!see(&o, batch, 2, "x"));
    }
    CHECK_NEAR(o.hi, 1.01 + 0.01 * (3 - 1.01), 1e-6);
    x[3] = NAN;
    CHECK_ERROR(see(&o, x, N, "conv1"), "conv1");
    end();
}

static void ranges_become_scales_as_documented(void)
{
    float scale;
    int32_t zero;
    ib_scale_of_range(0, 2.55f, 0, -128, 127, &scale, &zero);
    CHECK_NEAR(scale, 0.01, 1e-7);
    CHECK_INT(zero, -128);
    ib_scale_of_range(-1, 1.55f, 0, -128, 127, &scale, &zero);
    CHECK_INT(zero, -28);
    ib_scale_of_range(-2.54f, 1, 1, -128, 127, &scale, &zero);
    CHECK_NEAR(scale, 0.02, 1e-7);
    CHECK_INT(zero, 0);
    ib_scale_of_range(0, 0, 0, -128, 127, &scale, &zero);
    CHECK_NEAR(scale, 1, 0);
    ib_scale_of_range(3, 5, 0, -128, 127, &scale, &zero); /* widened to hold 0 */
    CHECK_NEAR(scale, 5.0 / 255, 1e-7);
}

static void bytes_keep_their_value_at_the_input(void)
{
    begin();
    const ib_input_info in = {1, 8, 8, 10, 33 / 255.0f, 0.3081f, 255};
    ib_layer *net = ready(ib_model_new("mlp", 1, 8, 8, 10));
    ib_layer_set_input(net, &in);
    REQUIRE(!ib_qat_prepare(net, g, NULL));
    const ib_quantizer *q = &ib_plan_of(net)->input.out;
    ib_quantizer_state state = ib_step_state(ib_plan_of(net), &ib_plan_of(net)->input);
    float x[256];
    int8_t codes[256];
    for (int raw = 0; raw < 256; raw++)
        x[raw] = ((float)raw / 255.0f - in.mean) * (1.0f / in.std);
    ib_graph_begin(g, IB_EVAL);
    const float *reals = ib_graph_uploaded(g, x, sizeof x);
    const ib_quantizer_state *there = ib_graph_uploaded(g, &state, sizeof state);
    int8_t *made = ib_graph_numbers(g, sizeof codes);
    REQUIRE(reals && there && made);
    for (int half_away = 0; half_away < 2; half_away++) {
        const ib_affine to = {
            .scale = &there->scale, .zero = &there->zero, .qmin = q->qmin, .qmax = q->qmax, .half_away = half_away};
        dev->k.quantize(dev, reals, 256, &to, made, NULL);
        dev->v.download(dev, codes, made, sizeof codes);
        for (int raw = 0; raw < 256; raw++)
            CHECK_INT(codes[raw], raw - 128);
    }
    ib_layer_free(net);
    for (int side = 0; side < 2; side++) { /* data that 0 is no value of: it has a code all the same */
        const ib_input_info far = {1, 8, 8, 10, side ? 3.0f : -2.0f, 0.5f, 255};
        net = ready(ib_model_new("mlp", 1, 8, 8, 10));
        ib_layer_set_input(net, &far);
        REQUIRE(!ib_qat_prepare(net, g, NULL));
        state = ib_step_state(ib_plan_of(net), &ib_plan_of(net)->input);
        CHECK(state.zero == (side ? 127 : -128));
        CHECK_NEAR(state.scale * 255, 6, 1e-5); /* (0 or 1 - mean) / std, widened to 0 */
        ib_layer_free(net);
    }
    end();
}

/* Pictures of codes are drawn of what is true of them: weights in steps round to their codes, real values are the
 * float network's. */
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
        REQUIRE(!ib_tensor_read(y, before));
        REQUIRE(!ib_qat_begin(net, g, loader, &ways[way]));
        ib_graph_begin(g, IB_EVAL);
        y = ib_qat_forward_real(g, net, ib_input(g, 4, b.shape, x));
        const float *real = values_of(y);
        for (int i = 0; i < 320; i++) { /* but for the rounding of folded batch norms */
            CHECK_NEAR(real[i], before[i], 1e-3);
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
                const int8_t *codes = codes_of(node->out);
                seen = 1;
                CHECK_INT(n, node->out->size);
                for (int64_t k = 0; k < n; k++)
                    wrong += rintf(fminf(fmaxf(w[k], (float)-most), (float)most)) != (float)codes[k];
            }
            CHECK(seen);
            CHECK_INT(wrong, 0);
            CHECK_INT(most, ways[way].weight_bits == 8 ? 127 : 7);
            ib_free(w);
        }
        int64_t n;
        int most;
        CHECK(ib_trace_weights(g, "pool1", &n, &most) == NULL);
        ib_layer_free(net);
    }
    end();
}

SUITE("ranges", T(observers_move_in_learning_only), T(learned_steps_follow_the_papers_formula),
      T(calibrators_treat_outliers_as_they_should), T(ranges_become_scales_as_documented),
      T(bytes_keep_their_value_at_the_input), T(values_behind_codes_can_be_looked_at))
