/* cases_optimizer_steps.c - optimizer steps: plain loops, equal in every bit; what becomes infinite is said. */
#include "tests/kernels/kernel_case.h"

void case_sgd(void)
{
    for (int form = 0; form < 4; form++)
        EACH_SIZE(n) {
            const ib_sgd_step step = {0.1f, 0.9f, 1e-3f, 0.5f, form & 1};
            a_shape("n %lld, nesterov %d, %s", (long long)n, form & 1, form < 2 ? "finite" : "one infinite");
            float *g = reals(n), *w = changed("w", REALS, n, EXACT), *m = changed("m", REALS, n, EXACT);
            int32_t *finite = result("its result", INTS, 1, EXACT);
            if (form > 1)
                g[n - 1] = INFINITY;
            EACH_RUN(sgd)
                *finite = dev->k.sgd(dev, &step, w, g, m, n);
            CHECK_INT(*(const int32_t *)made_by_ref(finite), form < 2);
        }
}

void case_adamw(void)
{
    for (int infinite = 0; infinite < 2; infinite++)
        EACH_SIZE(n) {
            const ib_adamw_step step = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.271f, 0.003f, 0.5f};
            a_shape("n %lld, %s", (long long)n, infinite ? "one infinite" : "finite");
            float *g = reals(n), *w = changed("w", REALS, n, EXACT), *m = changed("m", REALS, n, EXACT),
                  *v = changed("v", REALS, n, EXACT);
            int32_t *finite = result("its result", INTS, 1, EXACT);
            for (int64_t i = 0; i < n; i++)
                v[i] *= v[i];
            if (infinite)
                w[n / 2] = -INFINITY;
            EACH_RUN(adamw)
                *finite = dev->k.adamw(dev, &step, w, g, m, v, n);
            CHECK_INT(*(const int32_t *)made_by_ref(finite), !infinite);
        }
}
