/* test_fused.c - gradients through integer layers whose activation is a clamp of codes, against PyTorch's
 * (golden/make_fused.py). Broken by: a gradient that passes for x in (-s/2, 0), at 0, from 6 on, or both to PACT's
 * level and beyond it. */
#include "tests/check.h"

#include "autograd/quantizer.h"
#include "tests/golden/fused.h"
#include "tests/numbers.h"

static ib_device *dev;
static ib_graph *g;

enum kind { linear, conv, folded, add, mul };
enum act { none = IB_ACT_NONE, relu = IB_ACT_RELU, relu6 = IB_ACT_RELU6 };
enum learned { fixed = IB_NOT_LEARNED, lsq = IB_LSQ, pact = IB_PACT };

/* x[i] = scale (((37 i + 101 seed) mod 127 - 63) / 64) + offset, as in make_fused.py */
static ib_tensor *grid(int seed, float scale, float offset, int ndim, const int64_t *shape)
{
    ib_tensor *t = ib_tensor_new(IB_F32, ndim, shape, 1, "grid");
    REQUIRE(t != NULL);
    for (int64_t i = 0; i < t->size; i++)
        set_value(t, i, scale * (float)((37 * i + 101 * seed) % 127 - 63) / 64 + offset);
    return t;
}
#define GRID(seed, scale, offset, ...)                                                                                 \
    grid(seed, scale, offset, (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__})

/* A learned parameter's gradient is one sum whose terms cancel. */
static void same(const char *name, const ib_tensor *t, const float *want, int64_t n)
{
    const double bound = n == 1 ? 2e-5 : 1e-6;
    const float *grad = grads_of(t);
    double top = 0, worst = 0;
    CHECK_INT(t->size, n);
    for (int64_t i = 0; i < n; i++) {
        top = fmax(top, fabs(want[i]));
        worst = fmax(worst, fabs((double)grad[i] - want[i]));
    }
    if (!(top > 0 && worst <= bound * top))
        printf("\n    %s: off by %g where the largest is %g\n", name, worst, top);
    CHECK(top > 0 && worst <= bound * top);
}

/* One layer of codes and a weighted sum of its results; t: x, w, b, gamma, the learned parameter, where there are
 * any. */
static void run(enum kind kind, enum act act, enum learned how, int w_bits, int bits, float scale, int zero,
                ib_tensor *t[5])
{
    const ib_weight_attrs weight = {.bits = w_bits, .per_channel = 1};
    ib_quantizer_state of_in = {.scale = 0.013f, .zero = 5}, of_out = {.scale = scale, .zero = zero};
    ib_quantizer in = {.bits = 8, .qmin = -128, .qmax = 127, .profile = IB_FP32_RNE};
    ib_quantizer out = {.bits = bits,
                        .qmin = -(1 << (bits - 1)),
                        .qmax = (1 << (bits - 1)) - 1,
                        .profile = IB_FP32_RNE,
                        .learned = (ib_learned)how};
    const int image = kind == conv || kind == folded;
    ib_tensor *d = kind == linear ? GRID(4, 1, 0, 40, 5)
                   : image        ? GRID(4, 1, 0, 2, 4, 5, 5)
                                  : GRID(4, 1, 0, 2, 3, 4, 4),
              *var = GRID(6, 0.4f, 1, 4), *y;
    if (kind == linear) {
        t[0] = GRID(1, 1.5f, 0, 40, 8), t[1] = GRID(2, 2, 0, 5, 8), t[2] = GRID(3, 0.5f, 0, 5);
    } else if (image) {
        t[0] = GRID(1, 1.5f, 0, 2, 3, 5, 5), t[1] = GRID(2, 2, 0, 4, 3, 3, 3), t[2] = GRID(3, 0.5f, 0, 4);
        t[3] = kind == folded ? GRID(5, 0.4f, 1, 4) : NULL;
    } else {
        t[0] = GRID(1, 1.5f, 0, 2, 3, 4, 4), t[1] = GRID(2, 1.5f, 0, 2, 3, 4, 4);
    }
    if (how != fixed) {
        out.param = t[4] = GRID(0, 0, how == lsq ? logf(scale) : scale * (float)(out.qmax - out.qmin), 1);
        REQUIRE(out.param != NULL);
    }
    ib_graph_begin(g, IB_TRAIN);
    in.state = ib_graph_uploaded(g, &of_in, sizeof of_in);
    out.state = ib_graph_uploaded(g, &of_out, sizeof of_out);
    REQUIRE(in.state && out.state);
    ib_tensor *x = ib_quantize(g, t[0], &in);
    if (kind == add || kind == mul) {
        ib_tensor *b = ib_quantize(g, t[1], &in);
        y = kind == add ? ib_qadd(g, x, b, (ib_act)act, &out) : ib_qmul(g, x, b, (ib_act)act, &out);
    } else {
        ib_tensor *w = t[3] ? ib_fold_weight(g, t[1], t[3], var, 1e-3f) : t[1],
                  *b = t[3] ? ib_fold_bias(g, t[3], t[2], NULL, var, var, 1e-3f) : t[2];
        w = ib_quantize_weight(g, w, NULL, &weight);
        y = kind == linear ? ib_qlinear(g, x, w, b, (ib_act)act, &out)
                           : ib_qconv2d(g, x, w, b, &(ib_conv_opts){1, 1, 1, 1, 1}, (ib_act)act, &out);
    }
    REQUIRE(y != NULL);
    REQUIRE(!ib_backward(g, ib_sum(g, ib_mul(g, ib_dequantize(g, y), d))));
    ib_tensor_free(d);
    ib_tensor_free(var);
}

#define SAME(name, t) same(#name, t, name, sizeof name / sizeof *name)
#define WITH_linear(n) SAME(n##_dx, t[0]), SAME(n##_dw, t[1]), SAME(n##_db, t[2]);
#define WITH_conv(n) SAME(n##_dx, t[0]), SAME(n##_dw, t[1]), SAME(n##_db, t[2]);
#define WITH_folded(n) SAME(n##_dx, t[0]), SAME(n##_dw, t[1]), SAME(n##_db, t[2]), SAME(n##_dgamma, t[3]);
#define WITH_add(n) SAME(n##_dx, t[0]), SAME(n##_dw, t[1]);
#define WITH_mul(n) SAME(n##_dx, t[0]), SAME(n##_dw, t[1]);
#define LEARNS_fixed(n)
#define LEARNS_lsq(n) SAME(n##_dq, t[4]);
#define LEARNS_pact(n) SAME(n##_dq, t[4]);

static void gradients_are_pytorchs(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
#define FUSED(name, kind, act, how, w_bits, bits, scale, zero)                                                         \
    {                                                                                                                  \
        ib_tensor *t[5] = {0};                                                                                         \
        run(kind, act, how, w_bits, bits, scale, zero, t);                                                             \
        WITH_##kind(name) LEARNS_##how(name) for (int i = 0; i < 5; i++) ib_tensor_free(t[i]);                         \
    }
#include "tests/golden/fused.def"
#undef FUSED
    ib_graph_free(g);
    ib_device_close(dev);
}

/* A ReLU by itself is a table: nothing passes at the code of 0 or below, nor at 6 or above. */
static void a_table_passes_what_a_relu_does(void)
{
    static const float scale = 0.5f;
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    for (int six = 0; six < 2; six++) {
        ib_quantizer_state state = {.scale = scale, .zero = 3};
        ib_quantizer q = {.bits = 8, .qmin = -128, .qmax = 127};
        ib_tensor *x = ib_tensor_new(IB_F32, 1, (int64_t[]){101}, 1, "x");
        for (int i = 0; i <= 100; i++)
            set_value(x, i, scale * (float)(i - 50));
        ib_graph_begin(g, IB_TRAIN);
        REQUIRE((q.state = ib_graph_uploaded(g, &state, sizeof state)) != NULL);
        ib_tensor *y = ib_lookup(g, ib_quantize(g, x, &q), &(ib_lookup_attrs){.act = six ? IB_ACT_RELU6 : IB_ACT_RELU});
        REQUIRE(y != NULL && !ib_backward(g, ib_sum(g, ib_dequantize(g, y))));
        const float *values = values_of(x), *grad = grads_of(x);
        for (int i = 0; i <= 100; i++)
            CHECK_NEAR(grad[i], values[i] > 0 && !(six && values[i] >= 6), 0);
        ib_tensor_free(x);
    }
    ib_graph_free(g);
    ib_device_close(dev);
}

/* In fp32 between codes (a layer kept float) PACT's level takes what x does not. */
static void a_level_shares_the_gradient(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    ib_tensor *alpha = GRID(0, 0, 1.5f, 1), *x = ib_tensor_new(IB_F32, 1, (int64_t[]){64}, 1, "x");
    ib_quantizer_state state = {0};
    ib_quantizer q = {.bits = 4, .qmin = -8, .qmax = 7, .learned = IB_PACT, .param = alpha};
    for (int i = 0; i < 64; i++)
        set_value(x, i, (float)i / 32);
    ib_graph_begin(g, IB_TRAIN);
    REQUIRE((q.state = ib_graph_uploaded(g, &state, sizeof state)) != NULL);
    REQUIRE(!ib_backward(g, ib_sum(g, ib_dequantize(g, ib_quantize(g, x, &q)))));
    for (int i = 0; i < 64; i++)
        CHECK_NEAR(grads_of(x)[i], values_of(x)[i] < 1.5f, 0);
    CHECK_NEAR(grads_of(alpha)[0], 16, 0);
    ib_tensor_free(x);
    ib_tensor_free(alpha);
    ib_graph_free(g);
    ib_device_close(dev);
}

SUITE("fused", T(gradients_are_pytorchs), T(a_table_passes_what_a_relu_does), T(a_level_shares_the_gradient))
