/* avx2_frozen.c - frozen matrices with AVX2: decoded in registers, multiplied on panels of fp32. */
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/fp32_frozen.h"

static void frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    if (!ib_avx2_few_rows(w, n, x, add, y, scratch))
        mul_frozen(dev, w, n, x, add, y, scratch);
}

void ib_avx2_frozen_replace(ib_kernels *k)
{
    k->decode = decode_runs;
    k->frozen_mul = frozen_mul;
    k->frozen_mul_grad = mul_frozen_grad;
}
