/* test_autograd.c - every operator's backward against finite differences from its samples, some against PyTorch, and
 * the tape itself. Broken by: a wrong formula, a gradient that is overwritten instead of added, an allocation a
 * step. */
#include "tests/check.h"

#include "autograd/op.h"
#include "base/alloc.h"
#include "tests/golden/pytorch.h"
#include "tests/levels.h"
#include "tests/numbers.h"

static ib_device *dev;
static ib_graph *g;

static int level_of(const ib_device *d)
{
    int i = 0;
    while (ib_device_name_at(i) && strcmp(ib_device_name_at(i), ib_device_name(d)))
        i++;
    return i;
}

static void open_graph(const char *device)
{
    dev = ib_device_open(device);
    for (int i = level_of(dev); dev && i && rounds_products(dev); i--) { /* finite differences need fp32 products */
        ib_device_close(dev);
        dev = ib_device_open(ib_device_name_at(i - 1));
    }
    g = ib_graph_new(dev);
}

static void close_graph(void)
{
    ib_graph_free(g);
    ib_device_close(dev);
}

static ib_tensor *wave(double phase, int ndim, const int64_t *shape)
{
    ib_tensor *t = ib_tensor_new(IB_F32, ndim, shape, 1, "wave");
    for (int64_t i = 0; i < ib_tensor_size(t); i++)
        set_value(t, i, (float)sin(0.7 * (double)i + phase));
    return t;
}
#define WAVE(phase, ...) wave(phase, (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__})

static void make_inputs(const ib_sample *s, uint64_t stream, ib_tensor **in)
{
    for (int i = 0; i < s->n_inputs; i++) {
        in[i] = ib_tensor_new(IB_F32, s->in[i].ndim, s->in[i].shape, 1, "input");
        for (int64_t j = 0; j < ib_tensor_size(in[i]); j++) {
            /* distinct values apart from each other and from 0: no kink lies within the step of the difference */
            float u = ib_rng_uniform((ib_rng){5, stream + (uint64_t)i}, (uint64_t)j);
            u = s->in[i].lo + (s->in[i].hi - s->in[i].lo) * u;
            set_value(in[i], j, fabsf(u) < 0.02f ? 0.05f : fabsf(u - 6) < 0.02f ? 5.9f : u);
        }
    }
}

/* The scalar that is differentiated: <weights, y>, or y itself. */
static double scalar(const ib_sample *s, ib_tensor **in, int backward)
{
    ib_graph_seed(g, 9, 0);
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = s->build(g, in);
    REQUIRE(y != NULL);
    if (ib_tensor_size(y) == 1) {
        if (backward)
            REQUIRE(ib_backward(g, y) == IB_OK);
        return values_of(y)[0];
    }
    const float *values = values_of(y);
    float *weights = malloc((size_t)ib_tensor_size(y) * sizeof *weights);
    double sum = 0;
    for (int64_t i = 0; i < ib_tensor_size(y); i++) {
        weights[i] = (float)cos(1.3 * (double)i);
        sum += (double)weights[i] * values[i];
    }
    ib_tensor *total = ib_sum(g, ib_mul(g, y, ib_input(g, ib_tensor_ndim(y), ib_tensor_shape(y), weights)));
    free(weights);
    if (backward)
        REQUIRE(ib_backward(g, total) == IB_OK);
    return sum;
}

static void check_sample(const ib_op *op, const ib_sample *s)
{
    ib_tensor *in[4] = {NULL};
    make_inputs(s, 100, in);
    scalar(s, in, 1);
    for (int i = 0; i < s->n_inputs - s->n_constant && !s->straight_through; i++) {
        const float *x = values_of(in[i]), *grad = grads_of(in[i]);
        for (int64_t j = 0; j < ib_tensor_size(in[i]); j++) {
            const float h = 4e-3f;
            set_value(in[i], j, x[j] + h);
            const double up = scalar(s, in, 0);
            set_value(in[i], j, x[j] - h);
            const double down = scalar(s, in, 0);
            set_value(in[i], j, x[j]);
            const double want = (up - down) / (2 * (double)h), got = grad[j];
            if (!(fabs(got - want) <= 0.004 + 0.01 * fabs(want))) {
                printf("\n    %s, %s: d/d input %d [%lld] is %g, differences give %g\n", op->name, s->name, i,
                       (long long)j, got, want);
                CHECK(0);
                i = s->n_inputs;
                break;
            }
        }
    }
    for (int i = 0; i < s->n_inputs; i++)
        ib_tensor_free(in[i]);
}

static void gradients_are_differences(void)
{
    int tested = 0;
    open_graph(NULL);
    for (int i = 0; ib_op_at(i); i++)
        for (const ib_sample *s = ib_op_at(i)->samples; s && s->name; s++, tested++)
            check_sample(ib_op_at(i), s);
    CHECK(tested >= 40);
    close_graph();
}

/* Results and gradients of each sample at the reference level and the best one. */
static void levels_agree(void)
{
    for (int i = 0; ib_op_at(i); i++)
        for (const ib_sample *s = ib_op_at(i)->samples; s && s->name; s++) {
            double value[2];
            const float *grad[2][4];
            int64_t size[4];
            for (int l = 0; l < 2; l++) {
                ib_tensor *in[4] = {NULL};
                open_graph(l ? NULL : "cpu:ref");
                make_inputs(s, 200, in);
                value[l] = scalar(s, in, 1);
                for (int j = 0; j < s->n_inputs; j++) {
                    grad[l][j] = grads_of(in[j]);
                    size[j] = ib_tensor_size(in[j]);
                    ib_tensor_free(in[j]);
                }
                close_graph();
            }
            CHECK_NEAR(value[0], value[1], 1e-4);
            for (int j = 0; j < s->n_inputs; j++)
                for (int64_t k = 0; k < size[j]; k++)
                    CHECK_NEAR(grad[0][j][k], grad[1][j][k], 1e-4);
        }
}

static void check_values(const float *got, const float *want, int n, double bound)
{
    for (int i = 0; i < n; i++)
        CHECK_NEAR(got[i], want[i], bound);
}
#define CHECK_GOLDEN(got, name, bound) check_values(got, name, (int)(sizeof(name) / sizeof *(name)), bound)

/* sum(y * d), backward */
static void weigh(ib_tensor *y, ib_tensor *d)
{
    REQUIRE(ib_backward(g, ib_sum(g, ib_mul(g, y, d))) == IB_OK);
}

static void convolution_is_pytorchs(void)
{
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 2, 3, 5, 6), *w = WAVE(1, 4, 3, 3, 2), *b = WAVE(2, 4), *d = WAVE(3, 2, 4, 3, 4);
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_conv2d(g, x, w, b, &(ib_conv_opts){2, 2, 1, 1, 1});
    REQUIRE(y != NULL);
    CHECK_GOLDEN(values_of(y), conv_y, 2e-6);
    weigh(y, d);
    CHECK_GOLDEN(grads_of(x), conv_dx, 1e-5);
    CHECK_GOLDEN(grads_of(w), conv_dw, 1e-5);
    CHECK_GOLDEN(grads_of(b), conv_db, 1e-5);
    ib_tensor_free(x), ib_tensor_free(w), ib_tensor_free(b), ib_tensor_free(d);
    close_graph();
}

static void norms_are_pytorchs(void)
{
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 4, 3, 2, 2), *gamma = WAVE(1, 3), *beta = WAVE(2, 3), *d = WAVE(3, 4, 3, 2, 2);
    ib_tensor *mean = ib_tensor_new(IB_F32, 1, (int64_t[]){3}, 0, "mean"),
              *var = ib_tensor_new(IB_F32, 1, (int64_t[]){3}, 0, "var");
    for (int i = 0; i < 3; i++)
        set_value(var, i, 1);
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_batch_norm(g, x, gamma, beta, mean, var, 0, 0);
    REQUIRE(y != NULL);
    CHECK_GOLDEN(values_of(y), bn_y, 2e-6);
    weigh(y, d);
    CHECK_GOLDEN(grads_of(x), bn_dx, 1e-5);
    CHECK_GOLDEN(grads_of(gamma), bn_dgamma, 1e-5);
    CHECK_GOLDEN(values_of(mean), bn_mean, 1e-6);
    CHECK_GOLDEN(values_of(var), bn_var, 1e-6);
    ib_tensor_free(x), ib_tensor_free(gamma), ib_tensor_free(beta), ib_tensor_free(d), ib_tensor_free(mean),
        ib_tensor_free(var);
    x = WAVE(0, 3, 7), gamma = WAVE(1, 7), beta = WAVE(2, 7), d = WAVE(3, 3, 7);
    ib_graph_begin(g, IB_TRAIN);
    y = ib_layer_norm(g, x, gamma, beta, 0);
    CHECK_GOLDEN(values_of(y), ln_y, 3e-6);
    weigh(y, d);
    CHECK_GOLDEN(grads_of(x), ln_dx, 1e-5);
    CHECK_GOLDEN(grads_of(gamma), ln_dgamma, 1e-5);
    ib_tensor_free(x), ib_tensor_free(gamma), ib_tensor_free(beta), ib_tensor_free(d);
    close_graph();
}

static void losses_and_pools_are_pytorchs(void)
{
    static const int32_t labels[] = {2, 0, 4};
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 3, 5);
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_cross_entropy(g, x, labels, 0.1f);
    CHECK_GOLDEN(values_of(y), xent_y, 1e-6);
    REQUIRE(ib_backward(g, y) == IB_OK);
    CHECK_GOLDEN(grads_of(x), xent_dx, 1e-6);
    ib_tensor_free(x);
    x = WAVE(0, 1, 2, 4, 6);
    ib_tensor *d = WAVE(3, 1, 2, 2, 3);
    ib_graph_begin(g, IB_TRAIN);
    y = ib_avg_pool(g, x, &(ib_pool_opts){3, 3, 2, 2, 1, 1});
    CHECK_GOLDEN(values_of(y), avg_y, 1e-6);
    weigh(y, d);
    CHECK_GOLDEN(grads_of(x), avg_dx, 1e-6);
    ib_tensor_free(x), ib_tensor_free(d);
    close_graph();
}

/* torch.nn.CrossEntropyLoss(weight=w, label_smoothing=s): per sample (1 - s) w_y nll_y + s / O sum_j w_j nll_j, over
 * sum w_y. */
static void class_weights_are_pytorchs(void)
{
    enum { N = 4, O = 3 };
    static const int32_t labels[N] = {2, 0, 2, 1};
    static const float weights[O] = {0.25f, 3, 1.5f};
    for (int k = 0; k < 2; k++) {
        const float smoothing = k ? 0.2f : 0;
        double want = 0, over = 0;
        open_graph(NULL);
        ib_tensor *x = WAVE(0, N, O);
        for (int i = 0; i < N; i++) {
            const float *row = values_of(x) + i * O;
            const double all = log(exp(row[0]) + exp(row[1]) + exp(row[2]));
            over += weights[labels[i]];
            for (int j = 0; j < O; j++)
                want += weights[j] * (all - row[j]) * ((j == labels[i] ? 1 - smoothing : 0) + smoothing / O);
        }
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *y = ib_weighted_cross_entropy(g, x, labels, weights, smoothing);
        REQUIRE(y && ib_backward(g, y) == IB_OK);
        CHECK_NEAR(values_of(y)[0], want / over, 1e-6);
        float ones[O] = {1, 1, 1}; /* with equal weights: the plain loss */
        CHECK_NEAR(values_of(ib_weighted_cross_entropy(g, x, labels, ones, smoothing))[0],
                   values_of(ib_cross_entropy(g, x, labels, smoothing))[0], 1e-6);
        CHECK_ERROR(!ib_weighted_cross_entropy(g, x, labels, (float[]){0, 0, 0}, 0) || ib_graph_synchronize(g),
                    "all 4 samples");
        ib_tensor_free(x);
        close_graph();
    }
}

static void fake_quantize_is_pytorchs(void)
{
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 40), *d = WAVE(3, 40);
    for (int i = 0; i < 40; i++)
        set_value(x, i, 3 * values_of(x)[i]);
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_fake_quantize(g, x, 0.25f, 1, -8, 7);
    CHECK_GOLDEN(values_of(y), fq_y, 0);
    weigh(y, d);
    CHECK_GOLDEN(grads_of(x), fq_dx, 1e-7);
    ib_tensor_free(x), ib_tensor_free(d);
    close_graph();
}

static void straight_through_gradients_pass(void)
{
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 9);
    ib_graph_begin(g, IB_TRAIN);
    REQUIRE(ib_backward(g, ib_sum(g, ib_ste_clamp(g, ib_ste_round(g, x), -0.5f, 0.5f))) == IB_OK);
    for (int i = 0; i < 9; i++)
        CHECK_NEAR(grads_of(x)[i], 1, 0);
    ib_tensor_free(x);
    close_graph();
}

static void gradients_add_up(void)
{
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 3);
    for (int pass = 1; pass <= 3; pass++) { /* over passes, and over uses in one pass: d/dx sum(x*x + x) */
        ib_graph_begin(g, IB_TRAIN);
        REQUIRE(ib_backward(g, ib_sum(g, ib_add(g, ib_mul(g, x, x), x))) == IB_OK);
        for (int i = 0; i < 3; i++)
            CHECK_NEAR(grads_of(x)[i], pass * (2 * values_of(x)[i] + 1), 1e-5);
    }
    ib_tensor_free(x);
    close_graph();
}

static void evaluation_keeps_no_tape(void)
{
    open_graph(NULL);
    ib_tensor *x = WAVE(0, 3);
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_sum(g, x);
    CHECK_INT(g->n_nodes, 0);
    CHECK_ERROR(ib_backward(g, y), "not on a tape");
    ib_tensor_free(x);
    close_graph();
}

static void a_second_step_allocates_nothing(void)
{
    open_graph(NULL);
    ib_layer *net = ib_model_new("resnet8", 3, 12, 12, 10);
    REQUIRE(net && !ib_layer_init(net, 1));
    ib_optim *opt = ib_adamw_new(net, dev, NULL);
    float *x = calloc(4 * 3 * 144, sizeof *x);
    const int32_t labels[] = {1, 2, 3, 4};
    for (int quantized = 0; quantized < 2; quantized++) {
        if (quantized) {
            ib_dataset *d = ib_dataset_new(4, 3, 12, 12, 10, 255, x, labels);
            ib_layer_set_input(net, &(ib_input_info){3, 12, 12, 10, 0.5f, 1, 255});
            ib_loader *l = ib_loader_new(d, ib_layer_input(net), NULL);
            REQUIRE(!ib_qat_begin(net, g, l, &(ib_qat_opts){.weight_bits = 4, .act_bits = 4}));
            ib_loader_free(l);
            ib_dataset_free(d);
        }
        for (int step = 0; step < 4; step++) {
            ib_alloc_fail_at(0);
            ib_graph_begin(g, IB_TRAIN);
            REQUIRE(!ib_backward(
                g, ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){4, 3, 12, 12}, x)), labels,
                                    0)));
            REQUIRE(!ib_optim_step(opt));
            if (step > 1) /* the first measures, the second may still join the arena's pieces */
                CHECK_INT(ib_alloc_fail_at(0), 0);
        }
    }
    free(x);
    ib_optim_free(opt);
    ib_layer_free(net);
    close_graph();
}

static void wrong_shapes_are_told(void)
{
    open_graph(NULL);
    ib_tensor *a = WAVE(0, 64, 784), *b = WAVE(0, 128, 10), *c = WAVE(0, 2, 3, 4, 4), *w = WAVE(0, 5, 2, 3, 3);
    static const int32_t labels[] = {1, 12};
    ib_graph_begin(g, IB_TRAIN);
    CHECK_ERROR(!ib_matmul(g, a, b) ? 1 : 0, "[64,784] x [128,10]: inner sizes differ");
    CHECK_ERROR(!ib_linear(g, a, b, NULL) ? 1 : 0, "inner sizes differ");
    CHECK_ERROR(!ib_add(g, a, b) ? 1 : 0, "do not broadcast");
    CHECK_ERROR(!ib_conv2d(g, c, w, NULL, NULL) ? 1 : 0, "do not fit");
    CHECK_ERROR(!ib_conv2d(g, a, w, NULL, NULL) ? 1 : 0, "four dimensions");
    CHECK_ERROR(!ib_max_pool(g, c, &(ib_pool_opts){.kernel_h = 5, .kernel_w = 5}) ? 1 : 0, "larger than the input");
    CHECK_ERROR(!ib_reshape(g, c, 2, (int64_t[]){0, 7}) ? 1 : 0, "elements");
    CHECK_ERROR(!ib_dropout(g, c, 1.0f) ? 1 : 0, "not in [0, 1)");
    CHECK_ERROR(!ib_cross_entropy(g, ib_reshape(g, c, 2, (int64_t[]){2, 48}), (const int32_t[]){1, 48}, 0) ? 1 : 0,
                "label 48 of sample 1");
    CHECK_ERROR(!ib_concat(g, (ib_tensor *[]){c, w}, 2, 1) ? 1 : 0, "differ");
    CHECK(ib_relu(g, ib_matmul(g, a, b)) == NULL); /* NULL passes on */
    CHECK(ib_cross_entropy(g, NULL, labels, 0) == NULL);
    CHECK(ib_backward(g, NULL) != IB_OK);
    ib_tensor_free(a), ib_tensor_free(b), ib_tensor_free(c), ib_tensor_free(w);
    close_graph();
}

/* x [4,1,3,5] as rows, w, ReLU: the batch through its view, the product and the ReLU, once each; nothing of w. */
static void saved_bytes_are_the_batchs(void)
{
    open_graph(NULL);
    float x[60] = {1}, w[2 * 15] = {1};
    ib_tensor *weight = ib_tensor_new(IB_F32, 2, (int64_t[]){2, 15}, 1, NULL);
    REQUIRE(weight != NULL);
    REQUIRE(!ib_tensor_write(weight, w));
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *rows = ib_flatten(g, ib_input(g, 4, (int64_t[]){4, 1, 3, 5}, x));
    REQUIRE(ib_relu(g, ib_linear(g, rows, weight, NULL)) && ib_linear(g, rows, weight, NULL));
    const size_t saved = ib_graph_saved_bytes(g), exact = sizeof x + 3 * 4 * 2 * sizeof(float);
    CHECK(saved >= exact && saved < exact + 4 * 512); /* and what the tape itself takes */
    ib_tensor_free(weight);
    close_graph();
}

SUITE("autograd", T(saved_bytes_are_the_batchs), T(gradients_are_differences), T(levels_agree),
      T(convolution_is_pytorchs), T(norms_are_pytorchs), T(losses_and_pools_are_pytorchs),
      T(class_weights_are_pytorchs), T(fake_quantize_is_pytorchs), T(straight_through_gradients_pass),
      T(gradients_add_up), T(evaluation_keeps_no_tape), T(a_second_step_allocates_nothing), T(wrong_shapes_are_told))
