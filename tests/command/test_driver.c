/* test_driver.c - what a driver may do in another order than the examples: two losses on one tape, results of another
 * step or graph, one layer in two places, data that are not finite, a fork, a data set that goes before its loader.
 * Right, or a status and a line. */
#include "driver.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- two losses on one tape ---- */

/* Gradient of w and v by `way`: the sum of the losses, or one backward pass each in either order, in either order of
 * tape. */
static void two_losses(ib_graph *g, int way, int conv, float *dw)
{
    static const float x[] = {1, 2, 3, 4, -1, 0.5f, 2, -2}, target[] = {1, 1, 0, 1};
    ib_tensor *w = ib_tensor_new(IB_F32, conv ? 4 : 2, conv ? (int64_t[]){2, 1, 1, 2} : (int64_t[]){2, 4}, 1, "w");
    for (int i = 0; i < (int)ib_tensor_size(w); i++)
        ib_tensor_f32(w)[i] = 0.3f * (float)(i % 3) - 0.2f;
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *h;
    if (conv) {
        h = ib_conv2d(g, ib_input(g, 4, (int64_t[]){2, 1, 1, 4}, x), w, NULL, &(ib_conv_opts){.stride_w = 2});
        h = ib_flatten(g, ib_max_pool(g, ib_relu(g, h), &(ib_pool_opts){.kernel_h = 1, .kernel_w = 2}));
    } else {
        h = ib_linear(g, ib_input(g, 2, (int64_t[]){2, 4}, x), w, NULL);
    }
    h = ib_add(g, h, ib_tanh(g, h));
    ib_tensor *one = ib_mse(g, h, ib_input(g, 2, (int64_t[]){2, 2}, target));
    ib_tensor *two = ib_mean(g, ib_mul(g, h, h)), *three = ib_sum(g, h);
    if (way == 0)
        CHECK(!ib_backward(g, ib_add(g, ib_add(g, one, two), three)));
    for (int i = 0; way && i < 3; i++) {
        ib_tensor *losses[] = {one, two, three};
        CHECK(!ib_backward(g, losses[way == 1 ? i : 2 - i]));
    }
    memcpy(dw, ib_tensor_grad(w), 4 * sizeof *dw);
    ib_graph_begin(g, IB_EVAL);
    ib_tensor_free(w);
}

static void losses_of_one_tape_add(world *w)
{
    for (int conv = 0; conv < 2; conv++) {
        float want[4], got[4];
        two_losses(w->g, 0, conv, want);
        for (int way = 1; way < 3; way++) {
            two_losses(w->g, way, conv, got);
            for (int i = 0; i < 4; i++)
                CHECK_NEAR(got[i], want[i], 1e-5);
        }
    }
    /* the same loss twice: twice the gradient, also through batch norm, and in integers with learned scales */
    for (int phase = 0; phase < 2; phase++) {
        ib_tensor *grad = ib_param_at(w->net, 0), *loss = world_loss(w);
        CHECK(!ib_backward(w->g, loss));
        float once[8];
        memcpy(once, ib_tensor_grad(grad), sizeof once);
        CHECK(!ib_backward(w->g, loss));
        for (int i = 0; i < 8; i++)
            CHECK_NEAR(ib_tensor_grad(grad)[i], 2 * once[i], 1e-5 * fabs(once[i]) + 1e-9);
        for (int i = 0; i < ib_param_count(w->net); i++) {
            ib_tensor *p = ib_param_at(w->net, i);
            if (ib_param_trainable(w->net, i))
                memset(ib_tensor_grad(p), 0, (size_t)ib_tensor_size(p) * sizeof(float));
        }
        if (!phase)
            CHECK(!ib_qat_begin(w->net, w->g, w->loader, &(ib_qat_opts){.weight_bits = 4, .act_bits = 4}));
    }
}

static void gradients_of_scales_are_zeroed(world *w)
{
    ib_optim *opt = ib_adamw_new(w->net, w->dev, NULL);
    CHECK(!ib_backward(w->g, world_loss(w)));
    int learned = 0;
    CHECK(!ib_optim_zero(opt));
    for (int i = 0; i < ib_param_count(w->net); i++) {
        ib_tensor *p = ib_param_at(w->net, i);
        learned += strstr(ib_tensor_name(p), "ln_scale") != NULL;
        for (int64_t k = 0; ib_param_trainable(w->net, i) && k < ib_tensor_size(p); k++)
            if (ib_tensor_grad(p)[k] != 0)
                CHECK(!"a gradient is left");
    }
    CHECK(learned > 2);
    ib_optim_free(opt);
}

/* ---- results of another step, or of another graph ---- */

static void results_belong_to_their_step(world *w)
{
    static const float x[4] = {1, -2, 3, 4};
    const int64_t shape[] = {2, 2};
    ib_graph *other = ib_graph_new(w->dev);
    for (int extra = 0; extra < 3; extra++) {
        ib_tensor *old_loss = world_loss(w);
        ib_graph_begin(w->g, IB_TRAIN);
        for (int i = 0; i < extra * 40; i++) /* what takes the place of the old ones */
            ib_relu(w->g, ib_input(w->g, 2, shape, x));
        ib_tensor *now = ib_input(w->g, 2, shape, x), *foreign = ib_relu(other, ib_input(other, 2, shape, x));
        REFUSED(ib_backward(w->g, old_loss), "ib_backward loss earlier step");
        REFUSED(ib_backward(w->g, foreign), "ib_backward loss another graph");
        REFUSED_NULL(ib_relu(w->g, old_loss), "relu: x earlier step");
        REFUSED_NULL(ib_add(w->g, now, foreign), "add: b another graph");
        REFUSED_NULL(ib_linear(w->g, now, foreign, NULL), "linear: w another graph");
        REFUSED_NULL(ib_linear(w->g, now, now, old_loss), "linear: b earlier step");
        REFUSED_NULL(ib_concat(w->g, (ib_tensor *[]){now, foreign}, 2, 1), "concat: x another graph");
        REFUSED_NULL(ib_layer_forward(w->g, w->net, foreign), "ib_layer_forward x another graph");
        REFUSED_NULL(ib_tensor_f32(old_loss), "ib_tensor_f32 t earlier step");
        REFUSED_NULL(ib_tensor_shape(old_loss), "ib_tensor_shape t earlier step");
        CHECK(ib_relu(w->g, now) && ib_tensor_f32(now)[1] == -2);
        ib_tensor_free(now); /* the graph's: not freed */
        CHECK(strstr(ib_error(), "ib_tensor_free: t belongs to a graph") && ib_relu(w->g, now));
    }
    ib_graph_free(other);
}

static void the_first_cause_is_what_is_read(world *w)
{
    static const float x[6] = {0};
    ib_graph_begin(w->g, IB_TRAIN);
    ib_tensor *a = ib_input(w->g, 2, (int64_t[]){2, 3}, x), *b = ib_input(w->g, 2, (int64_t[]){3, 2}, x);
    ib_tensor *bad = ib_relu(w->g, ib_mean(w->g, ib_tanh(w->g, ib_add(w->g, a, b))));
    REFUSED(ib_backward(w->g, bad), "add: [2,3] [3,2] broadcast");
    ib_graph_begin(w->g, IB_TRAIN);
    REFUSED_NULL(ib_relu(w->g, NULL), "relu: x is NULL");
    ib_graph_begin(w->g, IB_TRAIN);
    REFUSED_NULL(
        ib_language_loss(w->g, ib_input(w->g, 2, (int64_t[]){2, 3}, x), NULL, NULL, (int32_t[]){0, 1}, 1, NULL),
        "ib_language_loss: w is NULL");
    ib_layer *net = ib_sequential(ib_linear_layer(4, 4), ib_linear_layer(0, 4), ib_relu_layer());
    REFUSED(ib_layer_init(net, 1), "ib_layer_init: net is NULL ib_linear_layer: in");
}

/* ---- one layer in several places ---- */

static ib_layer *tied(void)
{
    ib_layer *relu = ib_relu_layer(), *mix = ib_linear_layer(24, 24), *norm = ib_batch_norm_layer(24);
    return ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 24), relu, mix, norm, relu,
                         ib_residual_layer(ib_sequential(mix, relu)), ib_linear_layer(24, 10));
}

static void one_layer_in_two_places_ties_its_weights(void)
{
    for (int bits = 8; bits >= 4; bits -= 4) {
        world w = world_new(tied());
        int mixes = 0;
        for (int i = 0; i < ib_param_count(w.net); i++)
            for (int j = 0; j < i; j++) {
                ib_tensor *a = ib_param_at(w.net, i), *b = ib_param_at(w.net, j);
                mixes += a == b || !strcmp(ib_tensor_name(a), ib_tensor_name(b));
            }
        CHECK(mixes == 0 && ib_param_count(w.net) == 10);
        /* the gradient is the sum over the places: half the difference of losses at w +- h */
        ib_tensor *p = ib_param_find(w.net, "linear3.weight");
        CHECK(p != NULL);
        ib_loader_start(w.loader, 0, 0);
        CHECK(!ib_backward(w.g, world_loss(&w)));
        for (int k = 0; k < 3; k++) {
            const float kept = ib_tensor_f32(p)[k], slope = ib_tensor_grad(p)[k], h = 4e-3f;
            float at[2];
            for (int side = 0; side < 2; side++) {
                ib_tensor_f32(p)[k] = kept + (side ? h : -h);
                ib_loader_start(w.loader, 0, 0);
                CHECK(!ib_loss_value(w.g, world_loss(&w), &at[side]));
            }
            ib_tensor_f32(p)[k] = kept;
            CHECK_NEAR((at[1] - at[0]) / (2 * h), slope, 2e-3);
        }
        /* quantized twice, each place with its own range of inputs, and one set of weights */
        ib_optim *opt = ib_adamw_new(w.net, w.dev, NULL);
        CHECK(!ib_qat_begin(w.net, w.g, w.loader, &(ib_qat_opts){.weight_bits = bits, .act_bits = bits}));
        ib_loader_start(w.loader, 0, 0);
        for (int step = 0; step < 5; step++)
            CHECK(!ib_backward(w.g, world_loss(&w)) && !ib_optim_step(opt));
        char path[64];
        snprintf(path, sizeof path, "/tmp/isobit-test-driver-%ld.h5", (long)getpid());
        ib_checkpoint c = {.seed = 1}, back;
        CHECK(!ib_checkpoint_save(path, w.net, opt, &c));
        ib_optim_free(opt);
        ib_layer *again = tied();
        CHECK(!ib_layer_set_input(again, &w.info) && !ib_layer_init(again, 2));
        CHECK(!ib_checkpoint_restore(path, again, w.g, NULL, &back));
        ib_checkpoint_release(&back);
        unlink(path);
        ib_verify_report report;
        CHECK(!ib_verify(again, w.g, w.data, &(ib_verify_opts){.skip_compiled = 1}, &report));
        CHECK(report.mismatches == 0 && report.samples == 359);
        ib_verify_report_free(&report);
        ib_layer_free(again);
        world_free(&w);
    }
}

static void layers_stand_where_they_can(world *w)
{
    ib_layer *a = ib_sequential(ib_relu_layer()), *b = ib_sequential(a);
    REFUSED(ib_layer_add(a, b), "ib_layer_add: child hold itself");
    REFUSED(ib_layer_add(b, b), "ib_layer_add: child hold itself");
    ib_layer_free(a); /* b's: not freed */
    CHECK(strstr(ib_error(), "ib_layer_free: net"));
    CHECK(ib_layer_child(b, 0) == a);
    ib_layer_free(b);
    ib_layer *relu = ib_relu_layer();
    REFUSED_NULL(ib_sequential(relu, NULL, relu), "ib_sequential_new: layers[1] is NULL");
    relu = ib_relu_layer();
    REFUSED_NULL(ib_sequential(ib_residual_layer(relu), relu, NULL), "ib_sequential_new: layers[2] is NULL");
    relu = ib_relu_layer();
    REFUSED_NULL(ib_sequential(relu, ib_residual_layer(relu), NULL, relu), "ib_sequential_new: layers[2] is NULL");
    REFUSED_NULL(ib_residual_projected_layer(ib_relu_layer(), NULL), "ib_residual_projected_layer: shortcut is NULL");
    /* w was quantized */
    REFUSED(ib_layer_init(w->net, 3), "ib_layer_init: net quantized");
    REFUSED(ib_layer_add(w->net, ib_relu_layer()), "ib_layer_add: parent quantized");
    REFUSED(ib_layer_add(ib_layer_child(w->net, 1), ib_relu_layer()), "ib_layer_add: parent quantized");
    REFUSED_NULL(ib_layer_param(w->net, "late", 1, (int64_t[]){1}, IB_INIT_ONES, 1, 1),
                 "ib_layer_param: layer quantized late");
    REFUSED(ib_layer_set_init(w->net, IB_INIT_ONES), "ib_layer_set_init: net");
    /* no values yet, or a layer that came after them */
    ib_layer *fresh = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10));
    ib_graph_begin(w->g, IB_EVAL);
    static const float x[64];
    ib_tensor *in = ib_input(w->g, 2, (int64_t[]){1, 64}, x);
    REFUSED_NULL(ib_layer_forward(w->g, fresh, in), "ib_layer_init()");
    CHECK(!ib_layer_init(fresh, 1) && ib_layer_forward(w->g, fresh, in));
    CHECK(!ib_layer_add(fresh, ib_linear_layer(10, 10)));
    REFUSED_NULL(ib_layer_forward(w->g, fresh, in), "ib_layer_init() linear");
    ib_layer_free(fresh);
}

/* ---- what belongs to something else ---- */

static void parts_of_other_things_are_refused(void)
{
    world w = world_new(ib_sequential(ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 10, .kernel_h = 3}),
                                      ib_global_avg_pool_layer(), ib_flatten_layer()));
    world v = world_new(ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10)));
    ib_optim *opt = ib_sgd_new(v.net, v.dev, NULL);
    ib_checkpoint c = {.seed = 1};
    REFUSED(ib_checkpoint_save("/tmp/isobit-test-driver-none.h5", w.net, opt, &c),
            "ib_checkpoint_save: opt another network");
    REFUSED(ib_checkpoint_restore("/tmp/isobit-test-driver-none.h5", w.net, w.g, opt, &c),
            "ib_checkpoint_restore: opt another network");
    /* a network that takes any size, calibrated by data of another */
    static float x[4 * 100];
    ib_dataset *large = ib_dataset_new(4, 1, 10, 10, 0, 0, x, NULL);
    ib_loader *l = ib_loader_new(large, NULL, NULL);
    REFUSED(ib_qat_begin(w.net, w.g, l, NULL), "ib_qat_calibrate: loader 1x10x10 1x8x8");
    ib_loader_free(l);
    ib_dataset_free(large);
    /* keys and values of another model */
    ib_lm_config one = {
        .layers = 1, .width = 32, .ff = 32, .heads = 2, .groups = 2, .vocabulary = 8, .context = 16, .eps = 1e-5f};
    ib_lm_config two = one;
    two.layers = 2;
    ib_lm *a = ib_lm_new(&one, 1), *b = ib_lm_new(&two, 1);
    CHECK(a && b && !ib_lm_freeze(a, "f32") && !ib_lm_freeze(b, "f32"));
    ib_kv *kv = ib_kv_new(a, 8, 0);
    float logits[8];
    const int32_t id = 3;
    CHECK(!ib_lm_step(a, w.g, kv, &id, 1, logits));
    REFUSED(ib_lm_step(b, w.g, kv, &id, 1, logits), "ib_lm_step: kv another model");
    ib_kv_free(kv);
    ib_lm_free(a);
    ib_lm_free(b);
    ib_optim_free(opt);
    world_free(&v);
    world_free(&w);
}

/* ---- numbers that are not finite ---- */

static ib_layer *plain(void)
{
    return ib_sequential(ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 4, .kernel_h = 3}), ib_batch_norm_layer(4),
                         ib_relu_layer(), ib_max_pool_layer(2, 0), ib_flatten_layer(), ib_linear_layer(36, 10));
}

static void data_that_are_not_finite_are_told(int quantized)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    world w = world_new(plain());
    ib_optim *opt = ib_sgd_new(w.net, w.dev, NULL);
    if (quantized)
        CHECK(!ib_qat_begin(w.net, w.g, w.loader, NULL));
    ib_graph_seed(w.g, 1, 40);
    ib_loader_start(w.loader, 0, 0);
    for (int i = 0; i < 3; i++) {
        ib_batch b;
        float *x = malloc(16 * 64 * sizeof *x), value = 0;
        CHECK(ib_loader_next(w.loader, &b) && b.n == 16);
        memcpy(x, b.x, 16 * 64 * sizeof *x);
        x[5 * 64 + 9 + i] = bad[i];
        ib_graph_begin(w.g, IB_TRAIN);
        ib_tensor *loss = ib_cross_entropy(w.g, ib_layer_forward(w.g, w.net, ib_input(w.g, 4, b.shape, x)), b.y, 0);
        char words[64];
        snprintf(words, sizeof words, "step %d value %d sample 5 %s", 40 + 2 * i, 9 + i, i ? "inf" : "nan");
        CHECK(!loss || isnan(ib_tensor_f32(loss)[0]));
        if (loss) { /* observers of a network in integers may have refused it before */
            REFUSED(ib_loss_value(w.g, loss, &value), words);
            REFUSED(ib_backward(w.g, loss), words);
            CHECK(ib_error_status() == IB_ENUMERIC);
            const float before = ib_tensor_f32(ib_param_at(w.net, 0))[0];
            REFUSED(ib_optim_step(opt), "ib_optim_step step not finite");
            CHECK(ib_tensor_f32(ib_param_at(w.net, 0))[0] == before);
        }
        free(x);
        CHECK(!ib_backward(w.g, world_loss(&w)) && !ib_optim_step(opt)); /* the next batch is a step like any other */
    }
    ib_optim_free(opt);
    world_free(&w);
}

static void losses_and_parameters_that_are_not_finite_are_told(void)
{
    world w = world_new(plain());
    ib_optim *opt = ib_sgd_new(w.net, w.dev, &(ib_sgd_opts){.lr = 1e30f});
    CHECK(!ib_backward(w.g, world_loss(&w)));
    ib_tensor_grad(ib_param_at(w.net, 0))[0] = 1e30f;
    REFUSED(ib_optim_step(opt), "ib_optim_step: conv0.weight not finite lr");
    ib_optim_free(opt);
    world_free(&w);
    w = world_new(plain());
    opt = ib_adamw_new(w.net, w.dev, NULL);
    for (int64_t i = 0; i < 360; i++)
        ib_tensor_f32(ib_param_find(w.net, "linear5.weight"))[i] = 3e38f;
    REFUSED(ib_backward(w.g, world_loss(&w)), "ib_backward: step loss is");
    REFUSED(ib_optim_step(opt), "ib_optim_step: step");
    CHECK(!ib_optim_zero(opt) && !ib_optim_step(opt)); /* gradients of zero, asked for */
    ib_optim_free(opt);
    world_free(&w);
}

/* ---- a fork, loaders ---- */

/* A child trains as its parent would, by the same bits. */
static void a_child_process_goes_on(void)
{
    world w = world_new(ib_model_new("lenet", 1, 8, 8, 10));
    ib_threads_set(3);
    ib_loader_start(w.loader, 0, 0);
    CHECK(!ib_backward(w.g, world_loss(&w)));
    int ends[2];
    if (pipe(ends))
        exit(1);
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        alarm(60); /* a child that hangs ends, too */
        float value = -1;
        ib_threads_set(3);
        for (int i = 0; i < 3 && !ib_backward(w.g, world_loss(&w)); i++)
            ib_loss_value(w.g, world_loss(&w), &value);
        _exit(write(ends[1], &value, sizeof value) != sizeof value);
    }
    float here = -2, there = -3;
    int status = -1;
    for (int i = 0; i < 3 && !ib_backward(w.g, world_loss(&w)); i++)
        ib_loss_value(w.g, world_loss(&w), &here);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(status || read(ends[0], &there, sizeof there) == sizeof there);
    CHECK(here > 0 && here == there);
    ib_threads_set(0);
    world_free(&w);
}

static void loaders_hold_their_data(void)
{
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1});
    ib_loader *m = ib_loader_new(d, NULL, NULL);
    ib_batch b;
    ib_dataset_free(d);
    int n = 0;
    while (ib_loader_next(l, &b))
        n += b.n;
    CHECK(n == 359 && ib_loader_batches(l) == 12);
    ib_loader_free(l);
    CHECK(ib_loader_next(m, &b) && b.n == 64);
    static const int64_t outside[] = {-1, -5, 7, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 5; i++) {
        REFUSED(ib_loader_start(m, 0, outside[i]), "ib_loader_start: first 6 batches");
        CHECK(!ib_loader_next(m, &b));
    }
    REFUSED(ib_loader_start(m, -1, 0), "ib_loader_start: epoch -1");
    CHECK(!ib_loader_start(m, 0, 6) && !ib_loader_next(m, &b)); /* an epoch that was finished */
    CHECK(!ib_loader_start(m, 0, 5) && ib_loader_next(m, &b) && b.n == 359 - 320);
    ib_loader_free(m);
}

int main(void)
{
    world w = world_new(plain());
    losses_of_one_tape_add(&w);
    gradients_of_scales_are_zeroed(&w);
    results_belong_to_their_step(&w);
    the_first_cause_is_what_is_read(&w);
    layers_stand_where_they_can(&w);
    world_free(&w);
    one_layer_in_two_places_ties_its_weights();
    parts_of_other_things_are_refused();
    data_that_are_not_finite_are_told(0);
    data_that_are_not_finite_are_told(1);
    losses_and_parameters_that_are_not_finite_are_told();
    a_child_process_goes_on();
    loaders_hold_their_data();
    return driver_end("driver");
}
