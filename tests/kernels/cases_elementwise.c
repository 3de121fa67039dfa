/* cases_elementwise.c - fp32, element by element: plain loops, equal in every bit. */
#include "tests/kernels/kernel_case.h"

void case_axpy(void)
{
    EACH_N(n) {
        const float *x = reals(n);
        float *y = changed("y", REALS, n, EXACT);
        EACH_RUN(axpy)
            dev->k.axpy(dev, y, x, n, 0.37f);
    }
}

void case_axpy_by(void)
{
    EACH_N(n) {
        const float *x = reals(n), *b = reals(1);
        float *y = changed("y", REALS, n, EXACT);
        EACH_RUN(axpy_by)
            dev->k.axpy_by(dev, y, x, n, 0.37f, b);
    }
}

void case_add_share(void)
{
    EACH_N(n) {
        const float *b = reals(1);
        float *y = changed("y", REALS, n, EXACT);
        EACH_RUN(add_share)
            dev->k.add_share(dev, y, n, b, 3.0f);
    }
}

void case_divide(void)
{
    EACH_N(n) {
        const float *x = reals(n);
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(divide)
            dev->k.divide(dev, x, n, 0.7f, y);
    }
}

void case_scale(void)
{
    EACH_N(n) {
        float *y = changed("y", REALS, n, EXACT);
        EACH_RUN(scale)
            dev->k.scale(dev, y, n, -1.7f);
    }
}

void case_scale_by(void)
{
    for (int one = 0; one < 2; one++)
        EACH_SIZE(n) {
            a_shape("n %lld by %g", (long long)n, one ? 1 : -1.7);
            float *y = changed("y", REALS, n, EXACT), *a = reals(1);
            *a = one ? 1 : -1.7f;
            EACH_RUN(scale_by)
                dev->k.scale_by(dev, y, n, a);
        }
}

void case_set(void)
{
    EACH_N(n) {
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(set)
            dev->k.set(dev, y, n, -1.7f);
        CHECK(((const float *)made_by_ref(y))[n - 1] == -1.7f);
    }
}

/* One shape; a bias along the last dimension, a channel, both broadcast against each other, a number. */
static const ib_bcast broadcasts[] = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, 1},       {{1, 1, 1, 37}, {37, 37, 37, 1}, {37, 37, 37, 1}, 1},
    {{2, 3, 7, 501}, {0, 0, 0, 1}, {0, 0, 0, 1}, 1},     {{1, 1, 5, 17}, {0, 0, 17, 1}, {0, 0, 0, 1}, 0},
    {{3, 5, 4, 9}, {180, 36, 9, 1}, {0, 1, 0, 0}, 0},    {{2, 3, 4, 16}, {0, 4, 1, 0}, {48, 16, 0, 1}, 0},
    {{1, 1, 131, 150}, {0, 0, 150, 1}, {0, 0, 0, 0}, 0}, {{7, 1, 1, 33}, {0, 0, 0, 1}, {1, 0, 0, 0}, 0},
};
enum { N_BROADCASTS = sizeof broadcasts / sizeof *broadcasts };

static int64_t elements(const ib_bcast *s)
{
    return s->shape[0] * s->shape[1] * s->shape[2] * s->shape[3];
}

/* Elements that an operand with these strides has. */
static int64_t spanned(const ib_bcast *s, const int64_t *stride)
{
    int64_t last = 0;
    for (int d = 0; d < IB_MAX_DIMS; d++)
        last += (s->shape[d] - 1) * stride[d];
    return s->flat ? elements(s) : last + 1;
}

static const ib_bcast *a_broadcast(int i)
{
    const ib_bcast *s = &broadcasts[i];
    a_shape("broadcast %d, %lldx%lldx%lldx%lld", i, (long long)s->shape[0], (long long)s->shape[1],
            (long long)s->shape[2], (long long)s->shape[3]);
    return s;
}

void case_add(void)
{
    for (int i = 0; i < N_BROADCASTS; i++) {
        const ib_bcast *s = a_broadcast(i);
        const float *a = reals(spanned(s, s->a)), *b = reals(spanned(s, s->b));
        float *y = result("y", REALS, elements(s), EXACT);
        EACH_RUN(add)
            dev->k.add(dev, s, a, b, y);
    }
}

void case_mul(void)
{
    for (int i = 0; i < N_BROADCASTS; i++) {
        const ib_bcast *s = a_broadcast(i);
        const float *a = reals(spanned(s, s->a)), *b = reals(spanned(s, s->b));
        float *y = result("y", REALS, elements(s), EXACT);
        EACH_RUN(mul)
            dev->k.mul(dev, s, a, b, y);
    }
}

void case_reduce_to(void)
{
    for (int i = 0; i < 2 * N_BROADCASTS; i++) {
        const ib_bcast *s = a_broadcast(i / 2);
        const float *dy = reals(elements(s)), *b = i % 2 ? reals(spanned(s, s->b)) : NULL;
        float *da = changed("da", REALS, spanned(s, s->a), EXACT);
        EACH_RUN(reduce_to)
            dev->k.reduce_to(dev, s, dy, b, da);
    }
}

void case_clamp(void)
{
    EACH_N(n) {
        float *x = reals(n), *y = result("y", REALS, n, EXACT);
        x[n / 2] = n % 2 ? -0.5f : INFINITY;
        EACH_RUN(clamp)
            dev->k.clamp(dev, x, y, n, -0.5f, 0.25f);
    }
}

void case_clamp_grad(void)
{
    for (int add = 0; add < 2; add++)
        EACH_SIZE(n) {
            a_shape("n %lld, add %d", (long long)n, add);
            float *x = reals(n), *dx = changed("dx", REALS, n, EXACT);
            const float *dy = reals(n);
            x[n / 2] = n % 2 ? -0.5f : 0.25f; /* the bounds are outside */
            EACH_RUN(clamp_grad)
                dev->k.clamp_grad(dev, x, dy, dx, n, -0.5f, 0.25f, add);
        }
}

void case_round(void)
{
    EACH_N(n) {
        float *x = reals(n), *y = result("y", REALS, n, EXACT);
        for (int64_t i = 0; i < n; i++) /* every third a tie, which becomes even */
            x[i] = i % 3 ? 100 * x[i] : rintf(9 * x[i]) + 0.5f;
        EACH_RUN(round)
            dev->k.round(dev, x, y, n);
    }
}

void case_sigmoid(void)
{
    EACH_N(n) {
        float *x = reals(n), *y = result("y", REALS, n, EXACT);
        for (int64_t i = 0; i < n; i++)
            x[i] *= i % 5 ? 4.0f : 120.0f;
        EACH_RUN(sigmoid)
            dev->k.sigmoid(dev, x, y, n);
    }
}

void case_sigmoid_grad(void)
{
    EACH_N(n) {
        const float *y = reals(n), *dy = reals(n);
        float *dx = changed("dx", REALS, n, EXACT);
        EACH_RUN(sigmoid_grad)
            dev->k.sigmoid_grad(dev, y, dy, dx, n);
    }
}

void case_tanh(void)
{
    EACH_N(n) {
        float *x = reals(n), *y = result("y", REALS, n, EXACT);
        for (int64_t i = 0; i < n; i++)
            x[i] *= i % 5 ? 3.0f : 50.0f;
        EACH_RUN(tanh)
            dev->k.tanh(dev, x, y, n);
    }
}

void case_tanh_grad(void)
{
    EACH_N(n) {
        const float *y = reals(n), *dy = reals(n);
        float *dx = changed("dx", REALS, n, EXACT);
        EACH_RUN(tanh_grad)
            dev->k.tanh_grad(dev, y, dy, dx, n);
    }
}

void case_dropout_mask(void)
{
    EACH_N(n) {
        const ib_rng rng = {31, (uint64_t)n};
        uint8_t *mask = result("mask", BITS, n, EXACT);
        EACH_RUN(dropout_mask)
            dev->k.dropout_mask(dev, mask, n, 0.3f, rng);
        const uint8_t *want = made_by_ref(mask);
        for (int64_t i = 0; i < n; i++) /* a number of the stream for each element */
            CHECK((want[i / 8] >> i % 8 & 1) == (ib_rng_uniform(rng, (uint64_t)i) >= 0.3f));
    }
}

void case_masked_add(void)
{
    EACH_N(n) {
        const float *x = reals(n);
        const uint8_t *mask = bits(n);
        float *y = changed("y", REALS, n, EXACT);
        EACH_RUN(masked_add)
            dev->k.masked_add(dev, x, mask, y, n, 1.25f);
    }
}
