/* cases_reduce.c - fp32 sums: their order is fixed by the shape, so that they are equal in every bit. */
#include "tests/kernels/kernel_tables.h"

enum { MANY = 1234567 }; /* blocks of a sum for every thread */

static int64_t sum_size(int i)
{
    return kernel_size(i) ? kernel_size(i) : i && kernel_size(i - 1) ? MANY : 0;
}
#define EACH_SUM(n) for (int64_t i_ = 0, n; (n = sum_size((int)i_)) != 0; i_++)

/* Of many magnitudes: numbers of 24 bits below one point have sums that are exact in double, in any order. */
static float *magnitudes(int64_t n)
{
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = ldexpf(x[i], (int)(i % 61) - 30);
    return x;
}

void case_sum(void)
{
    EACH_SUM(n)
    {
        a_shape("n %lld", (long long)n);
        const float *x = magnitudes(n);
        float *sum = result("the sum", REALS, 1, EXACT);
        EACH_RUN(sum)
            dev->k.sum(dev, x, n, 3.0f, sum);
    }
}

void case_add_sum_sq(void)
{
    EACH_SUM(n)
    {
        a_shape("n %lld", (long long)n);
        const float *x = magnitudes(n);
        double *sum = changed("the sum", DOUBLES, 1, EXACT);
        *sum = 0.1;
        EACH_RUN(add_sum_sq)
            dev->k.add_sum_sq(dev, x, n, sum);
    }
}

void case_mse(void)
{
    EACH_SUM(n)
    {
        a_shape("n %lld", (long long)n);
        const float *a = magnitudes(n), *b = magnitudes(n);
        float *d = result("the difference", REALS, n, EXACT), *mean = result("the mean", REALS, 1, EXACT);
        EACH_RUN(mse)
            dev->k.mse(dev, a, b, n, d, mean);
    }
}

void case_first_not_finite(void)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    for (int where = 0; where < 4; where++)
        EACH_SIZE(n) {
            const int64_t at = where == 0 ? n : where == 1 ? 0 : where == 2 ? n / 2 : n - 1; /* n: nowhere */
            a_shape("n %lld, at %lld", (long long)n, (long long)at);
            float *x = reals(n);
            for (int64_t i = at; i < n; i += 3)
                x[i] = odd[i % 3];
            int32_t *index = result("the index", INTS, 1, EXACT);
            EACH_RUN(first_not_finite)
                *index = (int32_t)dev->k.first_not_finite(dev, x, n);
            CHECK_INT(*(const int32_t *)made_by_ref(index), at);
        }
}

void case_min_max(void)
{
    for (int nan = 0; nan < 2; nan++)
        EACH_SIZE(n) {
            a_shape("n %lld, %s", (long long)n, nan ? "one NaN" : "numbers");
            float *x = reals(n), *lo = result("lo", REALS, 1, EXACT), *hi = result("hi", REALS, 1, EXACT);
            if (nan)
                x[n * 3 / 4] = NAN;
            EACH_RUN(min_max) {
                dev->k.min_max(dev, x, n, lo, hi);
                dev->v.synchronize(dev);
                CHECK((*lo != *lo) == nan && (*hi != *hi) == nan);
            }
        }
}

void case_col_sum(void)
{
    EACH_TABLE(rows, cols)
    {
        a_table(rows, cols);
        const float *x = reals(rows * cols);
        float *y = changed("y", REALS, cols, EXACT);
        EACH_RUN(col_sum)
            dev->k.col_sum(dev, x, rows, cols, y);
    }
}

void case_add_rows(void)
{
    EACH_TABLE(rows, cols)
    {
        a_table(rows, cols);
        const float *bias = reals(cols);
        float *y = changed("y", REALS, rows * cols, EXACT);
        EACH_RUN(add_rows)
            dev->k.add_rows(dev, y, bias, rows, cols);
    }
}

void case_mul_rows(void)
{
    EACH_TABLE(rows, cols)
    {
        a_table(rows, cols);
        const float *c = reals(cols);
        float *y = changed("y", REALS, rows * cols, EXACT);
        EACH_RUN(mul_rows)
            dev->k.mul_rows(dev, y, c, rows, cols);
    }
}
