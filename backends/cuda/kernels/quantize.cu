/* quantize.cu - between fp32 values and codes; masks as in backends/cpu/kernels/quantize.c. */
#include "backends/formulas/codes.h"
#include "backends/cuda/kernels/family.cuh"

/* q = clamp(round(x / scale) + zero); a thread has the elements of a byte of the mask */
static __global__ void quantize_kernel(const float *x, int64_t n, ib_affine p, int8_t *q, uint8_t *mask)
{
    const int zero = ib_zero_of(p.zero);
    const float scale = *p.scale, lo = (float)(p.qmin - zero), hi = (float)(p.qmax - zero);
    EACH(b, (n + 7) / 8)
    {
        unsigned bits = 0;
        for (int64_t i = 8 * b; i < ib_cuda_min(n, 8 * b + 8); i++) {
            const float r = ib_steps_of(x[i], scale, p.half_away);
            bits |= (unsigned)(r >= lo && r <= hi) << (i & 7);
            q[i] = (int8_t)(ib_code_within(r, lo, hi) + zero);
        }
        if (mask)
            mask[b] = (uint8_t)bits;
    }
}

void ib_cuda_quantize(ib_device *dev, const float *x, int64_t n, const ib_affine *p, int8_t *q, uint8_t *mask)
{
    BEGIN(dev, quantize_kernel, (n + 7) / 8, x, n, *p, q, mask);
}

static __global__ void dequantize_kernel(ib_coded x, int64_t n, float *y)
{
    const float scale = *x.scale;
    const int zero = ib_zero_of(x.zero);
    EACH(i, n)
    {
        y[i] = (float)(x.codes[i] - zero) * scale;
    }
}

void ib_cuda_dequantize(ib_device *dev, const ib_coded *x, int64_t n, float *y)
{
    BEGIN(dev, dequantize_kernel, n, *x, n, y);
}

static __global__ void drop_codes_kernel(const int8_t *x, const uint8_t *mask, int64_t n, const int32_t *zero,
                                         int8_t *y)
{
    const int8_t none = (int8_t)ib_zero_of(zero);
    EACH(i, n)
    {
        y[i] = mask[i >> 3] >> (i & 7) & 1 ? x[i] : none;
    }
}

void ib_cuda_drop_codes(ib_device *dev, const int8_t *x, const uint8_t *mask, int64_t n, const int32_t *zero, int8_t *y)
{
    BEGIN(dev, drop_codes_kernel, n, x, mask, n, zero, y);
}

static __global__ void lookup_kernel(const int8_t *table, const int8_t *x, int8_t *y, int64_t n)
{
    EACH(i, n)
    y[i] = table[x[i] + 128];
}

void ib_cuda_lookup(ib_device *dev, const int8_t *table, const int8_t *x, int8_t *y, int64_t n)
{
    BEGIN(dev, lookup_kernel, n, table, x, y, n);
}

/* dx += slope[x + 128] dy */
static __global__ void lookup_grad_kernel(const float *slope, const int8_t *x, const float *dy, float *dx, int64_t n)
{
    EACH(i, n)
    dx[i] += slope[x[i] + 128] * dy[i];
}

void ib_cuda_lookup_grad(ib_device *dev, const float *slope, const int8_t *x, const float *dy, float *dx, int64_t n)
{
    BEGIN(dev, lookup_grad_kernel, n, slope, x, dy, dx, n);
}
