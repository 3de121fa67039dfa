/* cases_magnitude.c - DoRA's magnitudes: sums in order, equal in every bit. */
#include "tests/kernels/kernel_tables.h"

void case_magnitudes(void)
{
    EACH_TABLE(rows, cols)
    {
        a_table(rows, cols);
        float *x = reals(rows * cols);
        const float *m = reals(rows);
        float *c = result("c", REALS, rows, EXACT);
        for (int64_t j = 0; j < cols; j++) /* a row without a direction */
            x[rows / 2 * cols + j] = 0;
        EACH_RUN(magnitudes)
            dev->k.magnitudes(dev, x, rows, cols, m, c);
        CHECK(((const float *)made_by_ref(c))[rows / 2] == 0);
    }
}

/* With a bias and without, dm wanted or not; one magnitude is 0. */
void case_magnitudes_grad(void)
{
    for (int form = 0; form < 4; form++)
        EACH_TABLE(rows, cols)
        {
            a_shape("%lldx%lld, form %d", (long long)rows, (long long)cols, form);
            const int64_t n = rows * cols;
            float *m = reals(cols);
            m[cols / 2] = 0;
            const ib_magnitude_grads g = {.y = reals(n),
                                          .dy = reals(n),
                                          .m = m,
                                          .c = reals(cols),
                                          .bias = form & 1 ? reals(cols) : NULL,
                                          .dm = form & 2 ? changed("dm", REALS, cols, EXACT) : NULL,
                                          .dz = result("dz", REALS, n, EXACT)};
            EACH_RUN(magnitudes_grad)
                dev->k.magnitudes_grad(dev, rows, cols, &g);
        }
}
