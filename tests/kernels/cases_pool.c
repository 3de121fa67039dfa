/* cases_pool.c - pooling of fp32 and of codes: equal in every bit. */
#include "tests/kernels/kernel_windows.h"

static const ib_window pools[] = {
    {2, 3, 8, 8, 3, 4, 4, 2, 2, 2, 2, 0, 0, 1}, {3, 2, 28, 28, 2, 14, 14, 2, 2, 2, 2, 0, 0, 1},
    {1, 5, 9, 7, 5, 4, 3, 2, 2, 2, 2, 0, 0, 1}, {2, 1, 5, 67, 1, 2, 33, 2, 2, 2, 2, 0, 0, 1},
    {1, 2, 9, 9, 2, 5, 5, 3, 3, 2, 2, 1, 1, 1}, {1, 2, 8, 70, 2, 6, 68, 3, 3, 1, 1, 0, 0, 1},
    {2, 2, 6, 6, 2, 2, 2, 3, 3, 3, 3, 0, 0, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1},
    {1, 1, 2, 2, 1, 1, 1, 2, 2, 2, 2, 0, 0, 1}, {5, 16, 30, 33, 16, 15, 16, 2, 2, 2, 2, 0, 0, 1},
    {1, 1, 4, 4, 1, 3, 3, 2, 2, 2, 2, 1, 1, 1},
};
enum { N_POOLS = sizeof pools / sizeof *pools };

/* Few different numbers, so that the first of equals has to win. */
static float *steps(int64_t n)
{
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = rintf(3 * x[i]);
    return x;
}

void case_maxpool(void)
{
    for (int t = 0; t < 2 * N_POOLS; t++) {
        const ib_window *s = &pools[t / 2];
        a_window(s, t % 2 ? "places" : "maxima alone");
        const float *x = steps(window_in(s));
        float *y = result("y", REALS, window_out(s), EXACT);
        int32_t *argmax = t % 2 ? result("argmax", INTS, window_out(s), EXACT) : NULL;
        EACH_RUN(maxpool)
            dev->k.maxpool(dev, s, x, y, argmax);
    }
}

void case_qmaxpool(void)
{
    for (int t = 0; t < 4 * N_POOLS; t++) {
        const ib_window *s = &pools[t / 4];
        a_window(s, t % 2 ? "places" : "maxima alone");
        int8_t *x = codes(window_in(s)), *y = result("y", CODES, window_out(s), EXACT);
        for (int64_t i = 0; i < window_in(s) && t % 4 < 2; i++)
            x[i] = (int8_t)(x[i] % 4);
        int32_t *argmax = t % 2 ? result("argmax", INTS, window_out(s), EXACT) : NULL;
        EACH_RUN(qmaxpool)
            dev->k.qmaxpool(dev, s, x, y, argmax);
    }
}

/* Of output o a pixel under its window, -1 if that is padding alone. */
static int32_t place_under(const ib_window *s, int64_t o, int32_t chance)
{
    const int64_t y0 = o / s->ow % s->oh * s->sh - s->ph, x0 = o % s->ow * s->sw - s->pw;
    const int64_t y = y0 + chance % s->kh, x = x0 + chance / s->kh % s->kw;
    return y < 0 || x < 0 || y >= s->ih || x >= s->iw ? -1 : (int32_t)(y * s->iw + x);
}

void case_maxpool_grad(void)
{
    for (int t = 0; t < N_POOLS; t++) {
        const ib_window *s = &pools[t];
        a_window(s, "gradient");
        const float *dy = reals(window_out(s));
        int32_t *argmax = indices(window_out(s), 1 << 20);
        for (int64_t o = 0; o < window_out(s); o++)
            argmax[o] = place_under(s, o, argmax[o]);
        float *dx = changed("dx", REALS, window_in(s), EXACT);
        argmax[window_out(s) - 1] = -1; /* a window of padding alone */
        EACH_RUN(maxpool_grad)
            dev->k.maxpool_grad(dev, s, dy, argmax, dx);
    }
}

void case_avgpool(void)
{
    for (int t = 0; t < N_POOLS; t++) {
        const ib_window *s = &pools[t];
        a_window(s, "means");
        const float *x = reals(window_in(s));
        float *y = result("y", REALS, window_out(s), EXACT);
        EACH_RUN(avgpool)
            dev->k.avgpool(dev, s, x, y);
    }
}

void case_avgpool_grad(void)
{
    for (int t = 0; t < N_POOLS; t++) {
        const ib_window *s = &pools[t];
        a_window(s, "gradient");
        const float *dy = reals(window_out(s));
        float *dx = changed("dx", REALS, window_in(s), EXACT);
        EACH_RUN(avgpool_grad)
            dev->k.avgpool_grad(dev, s, dy, dx);
    }
}

void case_qavgpool(void)
{
    for (int t = 0; t < N_POOLS; t++) {
        const ib_window *s = &pools[t];
        a_window(s, "sums");
        static const int32_t zero = -3;
        const int8_t *x = codes(window_in(s));
        int32_t *acc = result("acc", INTS, window_out(s), EXACT);
        EACH_RUN(qavgpool)
            dev->k.qavgpool(dev, s, x, &zero, acc);
    }
}
