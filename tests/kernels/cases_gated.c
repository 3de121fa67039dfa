/* cases_gated.c - gated activations, of exponentials of our own: equal in every bit. */
#include "tests/kernels/kernel_case.h"

enum { N_GATES = 4 }; /* kinds of activation */

static float *gates(int64_t n)
{
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] *= i % 5 ? 3.0f : 60.0f;
    return x;
}

void case_glu(void)
{
    for (int form = 0; form < 2 * N_GATES; form++)
        EACH_SIZE(n) {
            const int kind = form / 2;
            a_shape("n %lld, kind %d, form %d", (long long)n, kind, form % 2);
            const float *gate = gates(n), *up = form % 2 ? NULL : reals(n);
            float *y = result("y", REALS, n, EXACT);
            EACH_RUN(glu)
                dev->k.glu(dev, gate, up, n, kind, y);
        }
}

void case_glu_grad(void)
{
    for (int form = 0; form < 4 * N_GATES; form++)
        EACH_SIZE(n) {
            a_shape("n %lld, kind %d, form %d", (long long)n, form / 4, form % 4);
            const float *gate = gates(n), *up = form % 4 == 3 ? NULL : reals(n), *dy = reals(n);
            float *dgate = form % 4 == 1 ? NULL : changed("dgate", REALS, n, EXACT),
                  *dup = form % 4 > 1 ? NULL : changed("dup", REALS, n, EXACT);
            EACH_RUN(glu_grad)
                dev->k.glu_grad(dev, gate, up, dy, n, form / 4, dgate, dup);
        }
}

void case_soft_cap(void)
{
    EACH_SIZE(n) {
        a_shape("n %lld", (long long)n);
        float *x = changed("x", REALS, n, EXACT);
        for (int64_t i = 0; i < n; i++)
            x[i] *= i % 7 ? 30.0f : 300.0f;
        EACH_RUN(soft_cap)
            dev->k.soft_cap(dev, x, n, 30.0f);
    }
}

void case_soft_cap_grad(void)
{
    EACH_SIZE(n) {
        a_shape("n %lld", (long long)n);
        const float *y = reals(n);
        float *dy = changed("dy", REALS, n, EXACT);
        EACH_RUN(soft_cap_grad)
            dev->k.soft_cap_grad(dev, y, n, 1.25f, dy);
    }
}
