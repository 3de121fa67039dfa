/* cases_codes.c - codes and masks, element by element: equal in every bit. */
#include "tests/kernels/kernel_factors.h"

void case_lookup(void)
{
    EACH_N(n) {
        const int8_t *table = codes(256), *x = codes(n);
        int8_t *y = result("y", CODES, n, EXACT);
        EACH_RUN(lookup)
            dev->k.lookup(dev, table, x, y, n);
    }
}

void case_lookup_grad(void)
{
    EACH_N(n) {
        const float *slope = reals(256), *dy = reals(n);
        const int8_t *x = codes(n);
        float *dx = changed("dx", REALS, n, EXACT);
        EACH_RUN(lookup_grad)
            dev->k.lookup_grad(dev, slope, x, dy, dx, n);
    }
}

/* In the roundings of all profiles, XNNPACK's own too, with and without mask. */
void case_qadd(void)
{
    for (int form = 0; form < 4 * (IB_XNNPACK + 1); form++)
        EACH_SIZE(n) {
            const int profile = form / 4, masked = form & 1;
            const struct isobit_add add = an_addition(profile, form & 2);
            a_shape("n %lld, profile %d, %s%s", (long long)n, profile, form & 2 ? "ties" : "no ties",
                    masked ? ", mask" : "");
            const int8_t *a = codes(n), *b = codes(n);
            int8_t *q = result("q", CODES, n, EXACT);
            uint8_t *mask = masked ? result("mask", BITS, n, EXACT) : NULL;
            EACH_RUN(qadd)
                dev->k.qadd(dev, &add, n, a, b, ib_rounding(profile), q, mask);
        }
}

void case_qmul(void)
{
    for (int form = 0; form < 2 * N_ROUNDINGS; form++)
        EACH_SIZE(n) {
            const int profile = form / 2, masked = form & 1;
            const struct isobit_mul mul = {0, -3, 9, 4, -120, 101, ib_requant_scale(0.02f, 0.5f, 1.0f, profile)};
            a_shape("n %lld, profile %d%s", (long long)n, profile, masked ? ", mask" : "");
            const int8_t *a = codes(n), *b = codes(n);
            int8_t *q = result("q", CODES, n, EXACT);
            uint8_t *mask = masked ? result("mask", BITS, n, EXACT) : NULL;
            EACH_RUN(qmul)
                dev->k.qmul(dev, &mul, n, a, b, profile, q, mask);
        }
}

void case_where(void)
{
    EACH_N(n) {
        const float *dy = reals(n);
        const uint8_t *mask = bits(n);
        float *dz = result("dz", REALS, n, EXACT);
        EACH_RUN(where)
            dev->k.where(dev, dy, mask, dz, n);
    }
}

void case_grad_where(void)
{
    EACH_N(n) {
        const float *dy = reals(n);
        const uint8_t *mask = bits(n);
        float *dx = changed("dx", REALS, n, EXACT);
        EACH_RUN(grad_where)
            dev->k.grad_where(dev, dy, mask, dx, n);
    }
}
