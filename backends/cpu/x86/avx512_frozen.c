/* avx512_frozen.c - frozen matrices with AVX-512: decoded in registers, multiplied on panels of fp32. */
#include "backends/cpu/x86/fp32_frozen.h"

void ib_avx512_frozen_replace(ib_kernels *k);
void ib_avx512_frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y,
                          float *scratch);

/* of any number of rows; few ones of some formats are avx512_rows.c's */
void ib_avx512_frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y,
                          float *scratch)
{
    mul_frozen(dev, w, n, x, add, y, scratch);
}

void ib_avx512_frozen_replace(ib_kernels *k)
{
    k->decode = decode_runs;
    k->frozen_mul_grad = mul_frozen_grad;
}
