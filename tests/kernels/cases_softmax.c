/* cases_softmax.c - softmax of rows and the losses over it: sums in order or in lanes, equal in every bit. */
#include "tests/kernels/kernel_tables.h"

void case_softmax(void)
{
    EACH_TABLE(rows, cols)
    {
        a_table(rows, cols);
        float *x = reals(rows * cols), *y = result("y", REALS, rows * cols, EXACT);
        for (int64_t i = 0; i < rows * cols; i++)
            x[i] *= i % 7 ? 5.0f : 90.0f;
        EACH_RUN(softmax)
            dev->k.softmax(dev, x, y, rows, cols);
    }
}

void case_softmax_grad(void)
{
    EACH_TABLE(rows, cols)
    {
        a_table(rows, cols);
        const float *y = reals(rows * cols), *dy = reals(rows * cols);
        float *dx = changed("dx", REALS, rows * cols, EXACT);
        EACH_RUN(softmax_grad)
            dev->k.softmax_grad(dev, y, dy, dx, rows, cols);
    }
}

/* Positive weights of the classes. */
static float *class_weights(int64_t cols)
{
    float *w = reals(cols);
    for (int64_t j = 0; j < cols; j++)
        w[j] = 1.5f + w[j];
    return w;
}

void case_cross_entropy(void)
{
    for (int form = 0; form < 4; form++)
        EACH_TABLE(rows, cols)
        {
            a_shape("%lldx%lld, %s, smooth %d", (long long)rows, (long long)cols, form & 1 ? "weighted" : "equal",
                    form > 1);
            const float *x = reals(rows * cols), *weight = form & 1 ? class_weights(cols) : NULL;
            const int32_t *label = indices(rows, (int32_t)cols);
            float *prob = result("prob", REALS, rows * cols, EXACT);
            float *loss = result("the loss", REALS, 1, EXACT);
            const ib_class_loss s = {rows, cols, label, weight, form > 1 ? 0.1f : 0, 1.3 * (double)rows};
            EACH_RUN(cross_entropy)
                dev->k.cross_entropy(dev, &s, x, prob, loss);
        }
}

void case_cross_entropy_grad(void)
{
    for (int form = 0; form < 4; form++)
        EACH_TABLE(rows, cols)
        {
            a_shape("%lldx%lld, %s, smooth %d", (long long)rows, (long long)cols, form & 1 ? "weighted" : "equal",
                    form > 1);
            const float *prob = reals(rows * cols), *weight = form & 1 ? class_weights(cols) : NULL, *dy = reals(1);
            const int32_t *label = indices(rows, (int32_t)cols);
            float *dx = changed("dx", REALS, rows * cols, EXACT);
            const ib_class_loss s = {rows, cols, label, weight, form > 1 ? 0.1f : 0, 1.3 * (double)rows};
            EACH_RUN(cross_entropy_grad)
                dev->k.cross_entropy_grad(dev, &s, prob, dy, dx);
        }
}

void case_nll_rows(void)
{
    for (int t = 0; t < 2 * N_TABLES; t++) {
        const int64_t rows = kernel_tables[t / 2][0], cols = kernel_tables[t / 2][1];
        const int grad = t % 2;
        a_shape("%lldx%lld, grad %d", (long long)rows, (long long)cols, grad);
        int32_t *target = indices(rows, (int32_t)cols);
        target[rows / 2] = rows > 1 ? -1 : target[0]; /* does not count */
        float *x = changed("x", REALS, rows * cols, EXACT), *nll = result("nll", REALS, rows, EXACT);
        for (int64_t i = 0; i < rows * cols; i++)
            x[i] *= 20;
        EACH_RUN(nll_rows)
            dev->k.nll_rows(dev, x, target, rows, cols, 0.25f, grad, nll);
        CHECK(rows == 1 || ((const float *)made_by_ref(nll))[rows / 2] == 0);
    }
}

void case_nll_sum(void)
{
    EACH_N(n) {
        float *nll = reals(n), *y = result("y", REALS, 1, EXACT);
        for (int64_t i = 0; i < n; i++) /* not exact in double, so that the order shows */
            nll[i] = ldexpf(nll[i], (int)(i % 61) - 30);
        EACH_RUN(nll_sum)
            dev->k.nll_sum(dev, nll, n, 0.3f, y);
    }
}
