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
    for (int kind = 0; kind < N_GATES; kind++)
        EACH_SIZE(n) {
            a_shape("n %lld, kind %d", (long long)n, kind);
            const float *gate = gates(n), *up = reals(n);
            float *y = result("y", REALS, n, EXACT);
            EACH_RUN(glu)
                dev->k.glu(dev, gate, up, n, kind, y);
        }
}

void case_glu_grad(void)
{
    for (int form = 0; form < 3 * N_GATES; form++)
        EACH_SIZE(n) {
            a_shape("n %lld, kind %d, form %d", (long long)n, form / 3, form % 3);
            const float *gate = gates(n), *up = reals(n), *dy = reals(n);
            float *dgate = form % 3 == 1 ? NULL : changed("dgate", REALS, n, EXACT),
                  *dup = form % 3 == 2 ? NULL : changed("dup", REALS, n, EXACT);
            EACH_RUN(glu_grad)
                dev->k.glu_grad(dev, gate, up, dy, n, form / 3, dgate, dup);
        }
}
