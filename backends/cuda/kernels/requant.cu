/* requant.cu - what becomes of accumulators, and of sums and products of codes. Masks have one bit an element: a thread
 * has a byte of them. */
#include "backends/cuda/kernels/extremes.cuh"
#include "backends/cuda/kernels/family.cuh"
#include "backends/cuda/kernels/runtime.cuh"

/* Writes the code of the value v before zero point and clamp; whether a gradient passes. */
static __device__ unsigned store(int8_t *q, int32_t v, int32_t zero, int32_t lo, int32_t hi)
{
    *q = isobit_clamp(v, zero, lo, hi);
    return v >= lo - zero && v <= hi - zero;
}

/* In a kernel, for each byte b of the mask of n elements: `bit` of each element i. */
#define EACH_BYTE(n, mask, bit)                                                                                        \
    EACH(b, (n + 7) / 8)                                                                                               \
    {                                                                                                                  \
        unsigned bits = 0;                                                                                             \
        for (int64_t i = 8 * b; i < ib_cuda_min(n, 8 * b + 8); i++)                                                    \
            bits |= (unsigned)(bit) << (i & 7);                                                                        \
        if (mask)                                                                                                      \
            mask[b] = (uint8_t)bits;                                                                                   \
    }

/* q = clamp(requant(acc, scale[c]) + zero, lo, hi) */
static __global__ void requant_kernel(ib_planes s, int64_t n, const int32_t *acc, ib_epilogue r)
{
    const int32_t zero = *r.zero, lo = *r.lo, hi = *r.hi;
    EACH_BYTE(n, r.mask,
              (store(r.codes + i, isobit_requant(acc[i], r.scale[i / s.hw % s.c], r.profile), zero, lo, hi) &&
               (!r.top || (acc[i] > 0 && acc[i] < r.top[i / s.hw % s.c]))))
}

void ib_cuda_requant(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r)
{
    const int64_t n = s->n * s->c * s->hw;
    BEGIN(dev, requant_kernel, (n + 7) / 8, *s, n, acc, *r);
}

static __global__ void qadd_kernel(const isobit_add *p, int64_t n, const int8_t *x, const int8_t *y, int profile,
                                   int8_t *q, uint8_t *mask)
{
    const isobit_add c = *p;
    EACH_BYTE(n, mask, store(q + i, isobit_add_codes(&c, x[i], y[i], profile), c.out_zero, c.lo, c.hi))
}

void ib_cuda_qadd(ib_device *dev, const struct isobit_add *p, int64_t n, const int8_t *a, const int8_t *b, int profile,
                  int8_t *q, uint8_t *mask)
{
    BEGIN(dev, qadd_kernel, (n + 7) / 8, p, n, a, b, profile, q, mask);
}

static __global__ void qmul_kernel(const isobit_mul *p, int64_t n, const int8_t *x, const int8_t *y, int profile,
                                   int8_t *q, uint8_t *mask)
{
    const isobit_mul c = *p;
    EACH_BYTE(
        n, mask,
        store(q + i, isobit_requant((x[i] - c.a_zero) * (y[i] - c.b_zero), c.scale, profile), c.out_zero, c.lo, c.hi))
}

void ib_cuda_qmul(ib_device *dev, const struct isobit_mul *p, int64_t n, const int8_t *a, const int8_t *b, int profile,
                  int8_t *q, uint8_t *mask)
{
    BEGIN(dev, qmul_kernel, (n + 7) / 8, p, n, a, b, profile, q, mask);
}

/* ---- as real numbers ---- */

/* y[n,c,hw] = scale[c] acc */
static __global__ void acc_real_kernel(ib_planes s, int64_t n, const int32_t *acc, const float *scale, float *y)
{
    EACH(i, n)
    y[i] = (float)acc[i] * scale[i / s.hw % s.c];
}

void ib_cuda_acc_real(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *y)
{
    const int64_t n = s->n * s->c * s->hw;
    BEGIN(dev, acc_real_kernel, n, *s, n, acc, scale, y);
}

/* y = acc (row_scale scale[o]) + bias[o] */
static __global__ void acc_rows_kernel(int64_t n, int64_t out, const int32_t *acc, const float *row_scale,
                                       const float *scale, int n_scales, const float *bias, float *y)
{
    EACH(i, n)
    {
        const int64_t o = i % out;
        y[i] = (float)acc[i] * (row_scale[i / out] * scale[n_scales == 1 ? 0 : o]) + (bias ? bias[o] : 0.0f);
    }
}

void ib_cuda_acc_rows(ib_device *dev, int64_t rows, int64_t out, const int32_t *acc, const float *row_scale,
                      const float *scale, int n_scales, const float *bias, float *y)
{
    BEGIN(dev, acc_rows_kernel, rows * out, rows * out, out, acc, row_scale, scale, n_scales, bias, y);
}

/* A block has a channel: what its least and its largest accumulator stand for. */
static __global__ void acc_range_kernel(ib_planes s, const int32_t *acc, const float *scale, float *lo, float *hi)
{
    __shared__ int32_t least, most;
    const int64_t j = blockIdx.x;
    int32_t a = INT32_MAX, b = INT32_MIN;
    if (!threadIdx.x) {
        least = a;
        most = b;
    }
    __syncthreads();
    for (int64_t l = threadIdx.x; l < s.n * s.hw; l += blockDim.x) {
        const int32_t v = acc[(l / s.hw * s.c + j) * s.hw + l % s.hw];
        a = v < a ? v : a;
        b = v > b ? v : b;
    }
    for (int by = 16; by; by /= 2) {
        const int32_t c = __shfl_xor_sync(0xFFFFFFFF, a, by), d = __shfl_xor_sync(0xFFFFFFFF, b, by);
        a = c < a ? c : a;
        b = d > b ? d : b;
    }
    if (threadIdx.x % 32 == 0) {
        atomicMin(&least, a);
        atomicMax(&most, b);
    }
    __syncthreads();
    if (!threadIdx.x)
        widen(lo, hi, (float)least * scale[j], (float)most * scale[j]);
}

/* The extremes of scale[c] * acc over all elements. */
void ib_cuda_acc_range(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *lo, float *hi)
{
    begin_extremes(dev, lo, hi);
    if (s->c > 0) {
        IB_LAUNCH(acc_range_kernel, (unsigned)s->c, IB_CUDA_BLOCK, 0, ib_cuda_stream(dev), *s, acc, scale, lo, hi);
        ib_cuda_launched(dev, "acc_range_kernel");
    }
    end_extremes(dev, lo, hi);
}

/* a + b or a b as real numbers */
static __device__ float real_at(const ib_coded *a, const ib_coded *b, int product, int64_t i)
{
    const float x = *a->scale * (float)(a->codes[i] - ib_zero_of(a->zero));
    const float y = *b->scale * (float)(b->codes[i] - ib_zero_of(b->zero));
    return product ? x * y : x + y;
}

static __global__ void real_range_kernel(ib_coded a, ib_coded b, int64_t n, int product, float *lo, float *hi)
{
    float least = INFINITY, most = -INFINITY;
    EACH(i, n)
    {
        const float v = real_at(&a, &b, product, i);
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    widen_by_warp(lo, hi, least, most);
}

void ib_cuda_real_range(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, float *lo,
                        float *hi)
{
    begin_extremes(dev, lo, hi);
    BEGIN(dev, real_range_kernel, n, *a, *b, n, product, lo, hi);
    end_extremes(dev, lo, hi);
}

static __global__ void real_passes_kernel(ib_coded a, ib_coded b, int64_t n, int product, const float *top,
                                          uint8_t *mask)
{
    const float most = *top;
    EACH(k, (n + 7) / 8)
    {
        unsigned bits = 0;
        for (int64_t i = 8 * k; i < ib_cuda_min(n, 8 * k + 8); i++) {
            const float v = real_at(&a, &b, product, i);
            bits |= (unsigned)(v > 0 && v < most) << (i & 7);
        }
        mask[k] &= (uint8_t)bits;
    }
}

void ib_cuda_real_passes(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, const float *top,
                         uint8_t *mask)
{
    BEGIN(dev, real_passes_kernel, (n + 7) / 8, *a, *b, n, product, top, mask);
}
