/* cases_gemm.c - fp32 products of matrices, which are BLAS's but for ref: factors in [-1, 1), sums of k in another
 * order. */
#include "tests/kernels/kernel_case.h"

void case_gemm(void)
{
    static const int64_t shapes[][3] = {{1, 1, 1},    {5, 3, 2},     {1, 10, 784},  {17, 1, 33},
                                        {31, 33, 16}, {20, 784, 33}, {784, 16, 33}, {129, 70, 131}};
    for (size_t t = 0; t < 8 * (sizeof shapes / sizeof *shapes); t++) {
        const int64_t m = shapes[t / 8][0], n = shapes[t / 8][1], depth = shapes[t / 8][2];
        const int ta = t & 1, tb = t >> 1 & 1, added = t >> 2 & 1;
        a_shape("%lldx%lldx%lld%s%s, beta %d", (long long)m, (long long)n, (long long)depth, ta ? ", a'" : "",
                tb ? ", b'" : "", added);
        const double bound = 1e-4 * sqrt((double)depth);
        const float *a = reals(m * depth), *b = reals(depth * n);
        float *c = added ? changed("c", REALS, m * n, bound) : result("c", REALS, m * n, bound);
        EACH_RUN(gemm)
            dev->k.gemm(dev, ta, tb, m, n, depth, a, b, added ? 1.0f : 0.0f, c);
    }
}
