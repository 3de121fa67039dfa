/* test_rounding.c - networks whose codes are chosen by what samples put through them. Broken by: a window's column in
 * another place than its weight's, scales that follow chosen weights, a sum in another order. */
#include "ptq/networks/rounding.h"
#include "tests/qat/digits_training.h"

/* What was told of the layers. */
typedef struct told {
    int layers, worse, better;
    int64_t moved;
    double error, nearest;
    char notes[2000];
    int stop_at;
} told;

static int hear(void *user, const ib_rounding_report *r)
{
    told *t = user;
    t->layers++;
    t->worse += r->error > r->nearest_error;
    t->better += r->error < r->nearest_error;
    t->moved += r->moved;
    t->error += r->error;
    t->nearest += r->nearest_error;
    if (r->note)
        snprintf(t->notes + strlen(t->notes), sizeof t->notes - strlen(t->notes), "%s: %s\n", r->layer, r->note);
    return t->layers == t->stop_at;
}

/* A convolution behind a batch norm's fold, a depthwise one, a residual, linear layers. */
static ib_layer *built(void)
{
    return ready(ib_sequential(
        ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 8, .kernel_h = 3, .pad_h = 1, .pad_w = 1, .no_bias = 1}),
        ib_batch_norm_layer(8), ib_relu_layer(), ib_depthwise_layer(8, 3, 1, 0), ib_relu6_layer(),
        ib_residual_layer(ib_conv2d_layer(&(ib_conv2d_config){.in = 8, .out = 8, .kernel_h = 1})),
        ib_max_pool_layer(2, 2), ib_flatten_layer(), ib_linear_layer(128, 24), ib_relu_layer(),
        ib_linear_layer(24, 10)));
}

static ib_layer *network(void)
{
    ib_layer *net = built();
    train(net, 120, 4e-3f);
    return net;
}

static void calibrate(ib_layer *net, int bits, ib_granularity granularity)
{
    const ib_qat_opts q = {
        .weight_bits = bits, .granularity = granularity, .observer = "mse", .weight_observer = "lsq"};
    REQUIRE(!ib_qat_prepare(net, g, &q) && !ib_qat_calibrate(net, g, loader, 4) &&
            !ib_qat_set_phase(net, g, IB_FROZEN));
}

static void begin_rounding(int64_t samples)
{
    begin_with(IB_SPLIT_TRAIN, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 3, .samples = samples});
}

/* The checksum of all parameters' bits. */
static uint64_t bits_of(const ib_layer *net)
{
    uint64_t sum = 1469598103934665603u;
    for (int i = 0; i < ib_param_count(net); i++) {
        const ib_tensor *t = ib_param_at(net, i);
        unsigned char *bytes = ib_alloc((size_t)ib_tensor_size(t) * sizeof(float));
        REQUIRE(bytes && !ib_tensor_read(t, (float *)bytes));
        for (size_t k = 0; k < (size_t)ib_tensor_size(t) * sizeof(float); k++)
            sum = (sum ^ bytes[k]) * 1099511628211u;
        ib_free(bytes);
    }
    return sum;
}

/* Each method, width and granularity: no layer is worse than rounded, most are better, every engine has the codes, and
 * a file brings them back. */
static void every_method_chooses_codes_that_all_engines_have(void)
{
    static const char *const scales[] = {"absmax", "mse", "output"};
    begin_rounding(320);
    for (int i = 0; i < 12; i++) {
        told t = {0};
        ib_layer *net = network();
        const char *method = i % 2 ? "adaround" : "gptq";
        calibrate(net, (int[]){4, 2, 8}[i / 4], i / 2 % 2 ? IB_PER_TENSOR : IB_PER_CHANNEL);
        CHECK(!ib_qat_round(net, g, loader,
                            &(ib_rounding_opts){.method = method,
                                                .scales = scales[i % 3],
                                                .iterations = 300,
                                                .bias_correction = i % 5 == 0,
                                                .tell = hear,
                                                .user = &t}));
        CHECK_INT(t.layers, 5);
        CHECK_INT(t.worse, 0);
        CHECK(t.better >= (i < 8 ? 4 : 1) && t.moved > 0 && t.error < 0.9 * t.nearest);
        CHECK_INT(differences(net), 0);
        if (i < 2) {
            CHECK(!ib_checkpoint_save("rounding_test.h5", net, NULL, &(ib_checkpoint){0}));
            ib_layer *again = built();
            CHECK(!ib_checkpoint_restore("rounding_test.h5", again, g, NULL, &(ib_checkpoint){0}));
            CHECK_INT(bits_of(net) == bits_of(again), 1);
            CHECK_INT(differences(again), 0);
            ib_layer_free(again);
            remove("rounding_test.h5");
        }
        ib_layer_free(net);
    }
    end();
}

static void the_same_bits_at_one_and_two_threads(void)
{
    const int was = ib_threads();
    for (int i = 0; i < 2; i++) {
        uint64_t sum[2];
        for (int threads = 1; threads <= 2; threads++) {
            CHECK(!ib_threads_set(threads));
            begin_rounding(200);
            ib_layer *net = network();
            calibrate(net, 4, IB_PER_CHANNEL);
            CHECK(!ib_qat_round(
                net, g, loader,
                &(ib_rounding_opts){
                    .method = i ? "adaround" : "gptq", .scales = "output", .iterations = 200, .bias_correction = 1}));
            sum[threads - 1] = bits_of(net);
            ib_layer_free(net);
            end();
        }
        CHECK(sum[0] == sum[1]);
    }
    CHECK(!ib_threads_set(was));
}

/* Inputs that are orthogonal have nothing to make up for each other: GPTQ takes the nearest codes. */
static void gptq_of_orthogonal_inputs_is_rounding(void)
{
    enum { N = 12, OUTS = 3 };
    float x[N * N] = {0}, w[OUTS * N], z[N * OUTS], bias[OUTS] = {0.5f, -1, 0}, scale[OUTS] = {0.11f, 0.07f, 0.2f};
    int8_t code[OUTS * N];
    begin_rounding(32);
    for (int i = 0; i < OUTS * N; i++)
        w[i] = ib_rng_normal((ib_rng){.seed = 5}, (uint64_t)i) * 0.3f;
    for (int i = 0; i < N; i++)
        x[i * N + i] = 1 + (float)i;
    for (int i = 0; i < N * OUTS; i++)
        z[i] = bias[i % OUTS] + x[i / OUTS * N + i / OUTS] * w[i % OUTS * N + i / OUTS];
    const ib_rounding k = {.g = g};
    const ib_rounding_opts o = {.damping = 1e-9};
    ib_rounding_task t = {&k, g, &o, 0, 1, N, N, OUTS, x, z, w, bias, scale, 7, IB_ACT_NONE, code};
    ib_rounding_notes notes = {0};
    CHECK(!ib_round_gptq(&t, &notes));
    for (int i = 0; i < OUTS * N; i++) {
        const float q = rintf(w[i] / scale[i / N]);
        CHECK_INT(code[i], q > 7 ? 7 : q < -7 ? -7 : (int)q);
    }
    CHECK_INT(notes.dead, 0);
    end();
}

/* On inputs that are nearly one, methods come nearer the best of all codes than rounding. */
static void methods_come_near_the_best_codes(void)
{
    enum { ROWS = 64, N = 5, MOST = 1 };
    float x[ROWS * N], w[N], z[ROWS], bias[1] = {0}, scale[1] = {0.5f}, y[ROWS];
    begin_rounding(32);
    double sum[3] = {0}, least = 0, nearest = 0;
    for (int trial = 0; trial < 12; trial++) {
        const ib_rng r = {.seed = 9, .stream = (uint64_t)trial};
        for (int i = 0; i < ROWS * N; i++)
            x[i] = ib_rng_normal(r, (uint64_t)(i / N)) + 0.3f * ib_rng_normal(r, (uint64_t)(1000 + i));
        for (int i = 0; i < N; i++)
            w[i] = ib_rng_uniform(r, (uint64_t)(9000 + i)) - 0.5f;
        for (int i = 0; i < ROWS; i++) {
            z[i] = 0;
            for (int c = 0; c < N; c++)
                z[i] += x[i * N + c] * w[c];
        }
        int8_t code[N];
        const ib_rounding k = {.g = g};
        const ib_rounding_opts o = {.iterations = 600};
        ib_rounding_task t = {&k, g, &o, 0, 1, ROWS, N, 1, x, z, w, bias, scale, MOST, IB_ACT_NONE, code};
        double best = INFINITY;
        for (int all = 0; all < 243; all++) {
            double error = 0, power = 0;
            for (int i = 0, rest = all; i < N; i++, rest /= 3)
                code[i] = (int8_t)(rest % 3 - 1);
            CHECK(!ib_rows_error(&t, y, &error, &power));
            best = error < best ? error : best;
        }
        for (int m = 0; m < 3; m++) {
            double error = 0, power = 0;
            for (int i = 0; i < N; i++)
                code[i] = (int8_t)rintf(w[i] / scale[0]);
            ib_rounding_notes notes = {0};
            if (m)
                CHECK(!(m == 1 ? ib_round_gptq : ib_round_adaround)(&t, &notes));
            CHECK(!ib_rows_error(&t, y, &error, &power));
            CHECK(error >= best * (1 - 1e-9));
            sum[m] += error;
        }
        least += best;
        nearest = sum[0];
    }
    CHECK(sum[1] < 0.5 * nearest && sum[1] < 2 * least);
    CHECK(sum[2] < 0.7 * nearest); /* which knows the two neighbours of a weight alone */
    end();
}

static void dead_inputs_and_few_samples_are_told(void)
{
    told t = {0};
    begin_rounding(8);
    ib_layer *net = network();
    ib_tensor *b = ib_param_find(net, "linear8.bias"), *w = ib_param_find(net, "linear8.weight");
    if (!b || !w)
        for (int i = 0; i < ib_param_count(net); i++)
            printf("\n    %s", ib_tensor_name(ib_param_at(net, i)));
    REQUIRE(b && w);
    float bias[24], weight[24 * 128];
    CHECK(!ib_tensor_read(b, bias) && !ib_tensor_read(w, weight));
    bias[3] = -1; /* an output that is always 0 */
    memset(weight + 3 * 128, 0, 128 * sizeof *weight);
    CHECK(!ib_tensor_write(b, bias) && !ib_tensor_write(w, weight));
    calibrate(net, 4, IB_PER_CHANNEL);
    for (int m = 0; m < 2; m++) {
        CHECK(!ib_qat_round(
            net, g, loader,
            &(ib_rounding_opts){.method = m ? "adaround" : "gptq", .iterations = 50, .tell = hear, .user = &t}));
        CHECK(strstr(t.notes, "8 rows for 128 columns") != NULL);
        CHECK(strstr(t.notes, "of 24 inputs are always 0") != NULL);
        CHECK_INT(t.worse, 0);
        t.notes[0] = 0;
    }
    CHECK_INT(differences(net), 0);
    ib_layer_free(net);
    end();
}

/* Behind the correction each channel errs by nothing in the mean, also where a batch norm holds the bias. */
static void corrected_biases_leave_no_mean_error(void)
{
    told t = {0}, plain = {0};
    begin_rounding(320);
    ib_layer *net = network();
    calibrate(net, 2, IB_PER_TENSOR);
    CHECK(!ib_qat_round(net, g, loader, &(ib_rounding_opts){.tell = hear, .user = &plain}));
    CHECK(plain.layers == 5 && plain.moved == 0 && plain.error == plain.nearest);
    CHECK(!ib_qat_round(net, g, loader, &(ib_rounding_opts){.bias_correction = 1, .tell = hear, .user = &t}));
    CHECK(t.error < 0.9 * plain.error && t.moved == 0);
    CHECK_INT(differences(net), 0);
    ib_layer_free(net);
    net = ready(ib_sequential(ib_flatten_layer(), ib_linear_layer_no_bias(64, 10)));
    calibrate(net, 4, IB_PER_CHANNEL);
    CHECK(!ib_qat_round(net, g, loader, &(ib_rounding_opts){.bias_correction = 1, .tell = hear, .user = &t}));
    CHECK(strstr(t.notes, "has no bias to correct") != NULL);
    ib_layer_free(net);
    end();
}

static int stop(void *user, int64_t done, int64_t total)
{
    int *calls = user;
    CHECK(done <= total);
    return ++*calls > 5;
}

static void what_cannot_be_is_refused_and_a_stop_changes_nothing(void)
{
    told t = {.stop_at = 2};
    int calls = 0;
    begin_rounding(64);
    ib_layer *net = network();
    const ib_rounding_opts gptq = {.method = "gptq"};
    CHECK_ERROR(ib_qat_round(net, g, loader, &gptq), "phase float, not frozen");
    calibrate(net, 4, IB_PER_CHANNEL);
    const uint64_t before = bits_of(net);
    CHECK_ERROR(ib_qat_round(net, g, loader, &(ib_rounding_opts){.method = "magic"}), "'magic'");
    CHECK_ERROR(ib_qat_round(net, g, loader, &(ib_rounding_opts){.method = "gptq", .scales = "kl"}), "'kl'");
    CHECK_ERROR(ib_qat_round(net, g, loader, &(ib_rounding_opts){.scales = "mse"}), "no effect");
    CHECK_INT(ib_qat_round(net, g, loader, &(ib_rounding_opts){.method = "gptq", .tell = hear, .user = &t}),
              IB_ESTOPPED);
    CHECK(t.moved > 0 && bits_of(net) == before);
    CHECK_INT(ib_qat_round(net, g, loader, &(ib_rounding_opts){.method = "adaround", .progress = stop, .user = &calls}),
              IB_ESTOPPED);
    CHECK(bits_of(net) == before);
    CHECK(!ib_qat_round(net, g, loader, &gptq) && bits_of(net) != before);
    ib_layer_free(net);

    net = network(); /* scales that follow the weights */
    REQUIRE(!ib_qat_prepare(net, g, &(ib_qat_opts){.weight_observer = "absmax"}) &&
            !ib_qat_calibrate(net, g, loader, 1) && !ib_qat_set_phase(net, g, IB_FROZEN));
    CHECK_ERROR(ib_qat_round(net, g, loader, &gptq), "scales that are parameters");
    CHECK(!ib_qat_round(net, g, loader, &(ib_rounding_opts){.bias_correction = 1}));
    ib_layer_free(net);

    ib_layer *twice = ib_linear_layer(64, 64); /* one layer in two places */
    net = ready(ib_sequential(ib_flatten_layer(), twice, ib_relu_layer(), twice, ib_linear_layer(64, 10)));
    calibrate(net, 4, IB_PER_CHANNEL);
    CHECK_ERROR(ib_qat_round(net, g, loader, &gptq), "share their weights");
    ib_layer_free(net);
    end();
}

/* Channels of a convolution, behind a batch norm, up to 4000 times smaller than others, and the depthwise weights that
 * read them as much larger: the same function. */
static void plant(ib_layer *net, float most)
{
    static const char *const names[] = {"bn1.gamma", "bn1.beta", "conv3.weight"};
    for (int i = 0; i < 3; i++) {
        float x[8 * 9];
        ib_tensor *t = ib_param_find(net, names[i]);
        REQUIRE(t && ib_tensor_size(t) <= 72 && !ib_tensor_read(t, x));
        for (int64_t k = 0; k < ib_tensor_size(t); k++) {
            const float s = powf(most, (float)(k / (ib_tensor_size(t) / 8)) / 7);
            x[k] *= i == 2 ? s : 1 / s;
        }
        CHECK(!ib_tensor_write(t, x));
    }
}

static void hear_equalized(void *user, const ib_equalize_report *r)
{
    char *text = user;
    snprintf(text + strlen(text), 1000 - strlen(text), "%s>%s %s\n", r->layer, r->next ? r->next : "-",
             r->note                                   ? r->note
             : r->after < 3.5f && r->before > r->after ? "equal"
                                                       : "unequal");
}

static double accuracy(ib_layer *net, int in_float)
{
    ib_evaluation e = {0};
    ib_dataset *test = ib_digits_new(IB_SPLIT_TEST);
    CHECK(!ib_evaluate(net, g, test, &(ib_evaluate_opts){.in_float = in_float}, &e));
    const double score = e.score;
    ib_evaluation_release(&e);
    ib_dataset_free(test);
    return score;
}

static void float_outputs(ib_layer *net, float *y)
{
    ib_batch b;
    CHECK(!ib_loader_start(loader, 0, 0) && ib_loader_next(loader, &b));
    ib_graph_begin(g, IB_EVAL);
    const ib_tensor *t = ib_layer_forward_float(g, net, ib_input(g, 4, b.shape, b.x));
    REQUIRE(t && !ib_tensor_read(t, y));
}

/* Under one scale for all channels most of the planted ones are lost; equalized they are not, and float outputs stay in
 * every bit. */
static void equalization_brings_vanished_channels_back(void)
{
    double score[2], real = 0;
    begin_rounding(320);
    for (int equal = 0; equal < 2; equal++) {
        char text[1000] = "";
        float before[32 * 10], after[32 * 10];
        ib_layer *net =
            ready(ib_sequential(ib_conv2d_layer(&(ib_conv2d_config){
                                    .in = 1, .out = 8, .kernel_h = 3, .pad_h = 1, .pad_w = 1, .no_bias = 1}),
                                ib_batch_norm_layer(8), ib_relu_layer(), ib_depthwise_layer(8, 3, 1, 0),
                                ib_relu_layer(), ib_max_pool_layer(2, 2), ib_flatten_layer(), ib_linear_layer(128, 24),
                                ib_relu6_layer(), ib_linear_layer(24, 10)));
        train(net, 200, 4e-3f);
        plant(net, 4000);
        float_outputs(net, before);
        const ib_qat_opts q = {.granularity = IB_PER_TENSOR, .observer = "mse"};
        REQUIRE(!ib_qat_prepare(net, g, &q));
        if (equal) {
            CHECK(!ib_qat_equalize(net, g, &(ib_equalize_opts){.tell = hear_equalized, .user = text}));
            float_outputs(net, after);
            CHECK(!memcmp(before, after, sizeof before));
            CHECK(strstr(text, "conv0.conv>conv3") || strstr(text, "conv0>conv3"));
            CHECK(strstr(text, "ReLU6 clips at 6") && strstr(text, "it gives the network's results"));
            CHECK(!strstr(text, "unequal"));
            if (strstr(text, "unequal"))
                printf("\n%s", text);
        }
        REQUIRE(!ib_qat_calibrate(net, g, loader, 0) && !ib_qat_set_phase(net, g, IB_FROZEN));
        CHECK_INT(differences(net), 0);
        score[equal] = accuracy(net, 0);
        real = accuracy(net, 1);
        if (equal)
            CHECK_ERROR(ib_qat_equalize(net, g, NULL), "phase frozen, not calibrate");
        ib_layer_free(net);
    }
    CHECK(real > 0.85 && score[0] < real - 0.1 && score[1] > real - 0.02);
    end();
}

SUITE("rounding", T(every_method_chooses_codes_that_all_engines_have), T(the_same_bits_at_one_and_two_threads),
      T(gptq_of_orthogonal_inputs_is_rounding), T(methods_come_near_the_best_codes),
      T(dead_inputs_and_few_samples_are_told), T(corrected_biases_leave_no_mean_error),
      T(what_cannot_be_is_refused_and_a_stop_changes_nothing), T(equalization_brings_vanished_channels_back))
