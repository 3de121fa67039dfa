/* elementwise.cu - fp32 loops in which each output depends on one element of each input. */
#include "arithmetic/philox.h"
#include "backends/cuda/kernels/family.cuh"

static __global__ void axpy_kernel(float *y, const float *x, int64_t n, float a)
{
    EACH(i, n)
    y[i] += a * x[i];
}

void ib_cuda_axpy(ib_device *dev, float *y, const float *x, int64_t n, float a)
{
    BEGIN(dev, axpy_kernel, n, y, x, n, a);
}

/* y += a b x with one number b */
static __global__ void axpy_by_kernel(float *y, const float *x, int64_t n, float a, const float *b)
{
    const float f = a * *b;
    EACH(i, n)
    {
        y[i] += f * x[i];
    }
}

void ib_cuda_axpy_by(ib_device *dev, float *y, const float *x, int64_t n, float a, const float *b)
{
    BEGIN(dev, axpy_by_kernel, n, y, x, n, a, b);
}

/* y += b / divisor with one number b */
static __global__ void add_share_kernel(float *y, int64_t n, const float *b, float divisor)
{
    const float share = *b / divisor;
    EACH(i, n)
    {
        y[i] += share;
    }
}

void ib_cuda_add_share(ib_device *dev, float *y, int64_t n, const float *b, float divisor)
{
    BEGIN(dev, add_share_kernel, n, y, n, b, divisor);
}

static __global__ void divide_kernel(const float *x, int64_t n, float divisor, float *y)
{
    EACH(i, n)
    {
        y[i] = x[i] / divisor;
    }
}

void ib_cuda_divide(ib_device *dev, const float *x, int64_t n, float divisor, float *y)
{
    BEGIN(dev, divide_kernel, n, x, n, divisor, y);
}

static __global__ void scale_kernel(float *y, int64_t n, float a)
{
    EACH(i, n)
    y[i] *= a;
}

void ib_cuda_scale(ib_device *dev, float *y, int64_t n, float a)
{
    BEGIN(dev, scale_kernel, n, y, n, a);
}

static __global__ void scale_by_kernel(float *y, int64_t n, const float *a)
{
    EACH(i, n)
    {
        y[i] *= *a;
    }
}

void ib_cuda_scale_by(ib_device *dev, float *y, int64_t n, const float *a)
{
    BEGIN(dev, scale_by_kernel, n, y, n, a);
}

static __global__ void set_kernel(float *y, int64_t n, float value)
{
    EACH(i, n)
    {
        y[i] = value;
    }
}

void ib_cuda_set(ib_device *dev, float *y, int64_t n, float value)
{
    BEGIN(dev, set_kernel, n, y, n, value);
}

/* ---- with broadcasting ---- */

static int64_t elements(const ib_bcast *s)
{
    return s->shape[0] * s->shape[1] * s->shape[2] * s->shape[3];
}

/* Where element i of the result has its operand of these strides. */
static __device__ int64_t place(const ib_bcast *s, const int64_t *stride, int64_t i)
{
    if (s->flat)
        return i;
    int64_t at = 0;
    for (int d = IB_MAX_DIMS - 1; d >= 0; d--) {
        at += i % s->shape[d] * stride[d];
        i /= s->shape[d];
    }
    return at;
}

static __global__ void add_kernel(ib_bcast s, int64_t n, const float *a, const float *b, float *y)
{
    EACH(i, n)
    y[i] = a[place(&s, s.a, i)] + b[place(&s, s.b, i)];
}

void ib_cuda_add(ib_device *dev, const ib_bcast *s, const float *a, const float *b, float *y)
{
    BEGIN(dev, add_kernel, elements(s), *s, elements(s), a, b, y);
}

static __global__ void mul_kernel(ib_bcast s, int64_t n, const float *a, const float *b, float *y)
{
    EACH(i, n)
    y[i] = a[place(&s, s.a, i)] * b[place(&s, s.b, i)];
}

void ib_cuda_mul(ib_device *dev, const ib_bcast *s, const float *a, const float *b, float *y)
{
    BEGIN(dev, mul_kernel, elements(s), *s, elements(s), a, b, y);
}

/* da[.] += sum over broadcast dimensions of dy * b (b = NULL: of dy). A thread has an element of da, of which the
 * dimensions without a stride are summed in their order. */
static __global__ void reduce_to_kernel(ib_bcast s, int64_t n, const float *dy, const float *b, float *da)
{
    int64_t kept[IB_MAX_DIMS], summed[IB_MAX_DIMS], terms = 1;
    for (int d = 0; d < IB_MAX_DIMS; d++) {
        kept[d] = s.flat || s.a[d] ? s.shape[d] : 1;
        summed[d] = s.flat || s.a[d] ? 1 : s.shape[d];
        terms *= summed[d];
    }
    EACH(i, n)
    {
        int64_t first = 0, at = 0, left = i, step = 1; /* in dy, in da */
        for (int d = IB_MAX_DIMS - 1; d >= 0; d--) {
            const int64_t j = left % kept[d];
            first += j * step;
            at += j * s.a[d];
            left /= kept[d];
            step *= s.shape[d];
        }
        if (s.flat)
            at = first = i;
        float sum = da[at];
        for (int64_t t = 0; t < terms; t++) {
            int64_t of = first, rest = t;
            step = 1;
            for (int d = IB_MAX_DIMS - 1; d >= 0; d--) {
                of += rest % summed[d] * step;
                rest /= summed[d];
                step *= s.shape[d];
            }
            sum += b ? dy[of] * b[place(&s, s.b, of)] : dy[of];
        }
        da[at] = sum;
    }
}

void ib_cuda_reduce_to(ib_device *dev, const ib_bcast *s, const float *dy, const float *b, float *da)
{
    int64_t n = 1;
    for (int d = 0; d < IB_MAX_DIMS; d++)
        n *= s->flat || s->a[d] ? s->shape[d] : 1;
    BEGIN(dev, reduce_to_kernel, n, *s, n, dy, b, da);
}

/* ---- functions ---- */

static __global__ void clamp_kernel(const float *x, float *y, int64_t n, float lo, float hi)
{
    EACH(i, n)
    y[i] = x[i] < lo ? lo : x[i] > hi ? hi : x[i];
}

void ib_cuda_clamp(ib_device *dev, const float *x, float *y, int64_t n, float lo, float hi)
{
    BEGIN(dev, clamp_kernel, n, x, y, n, lo, hi);
}

/* dx += dy inside (lo, hi), 0 outside; without add it is set */
static __global__ void clamp_grad_kernel(const float *x, const float *dy, float *dx, int64_t n, float lo, float hi,
                                         int add)
{
    EACH(i, n)
    {
        const float d = x[i] > lo && x[i] < hi ? dy[i] : 0.0f;
        dx[i] = add ? dx[i] + d : d;
    }
}

void ib_cuda_clamp_grad(ib_device *dev, const float *x, const float *dy, float *dx, int64_t n, float lo, float hi,
                        int add)
{
    BEGIN(dev, clamp_grad_kernel, n, x, dy, dx, n, lo, hi, add);
}

static __global__ void round_kernel(const float *x, float *y, int64_t n)
{
    EACH(i, n)
    y[i] = rintf(x[i]);
}

void ib_cuda_round(ib_device *dev, const float *x, float *y, int64_t n)
{
    BEGIN(dev, round_kernel, n, x, y, n);
}

static __global__ void sigmoid_kernel(const float *x, float *y, int64_t n)
{
    EACH(i, n)
    y[i] = ib_sigmoid_of(x[i]);
}

void ib_cuda_sigmoid(ib_device *dev, const float *x, float *y, int64_t n)
{
    BEGIN(dev, sigmoid_kernel, n, x, y, n);
}

/* dx += dy y (1 - y) */
static __global__ void sigmoid_grad_kernel(const float *y, const float *dy, float *dx, int64_t n)
{
    EACH(i, n)
    dx[i] += dy[i] * y[i] * (1.0f - y[i]);
}

void ib_cuda_sigmoid_grad(ib_device *dev, const float *y, const float *dy, float *dx, int64_t n)
{
    BEGIN(dev, sigmoid_grad_kernel, n, y, dy, dx, n);
}

static __global__ void tanh_kernel(const float *x, float *y, int64_t n)
{
    EACH(i, n)
    y[i] = ib_tanh_of(x[i]);
}

void ib_cuda_tanh(ib_device *dev, const float *x, float *y, int64_t n)
{
    BEGIN(dev, tanh_kernel, n, x, y, n);
}

/* dx += dy (1 - y^2) */
static __global__ void tanh_grad_kernel(const float *y, const float *dy, float *dx, int64_t n)
{
    EACH(i, n)
    dx[i] += dy[i] * (1.0f - y[i] * y[i]);
}

void ib_cuda_tanh_grad(ib_device *dev, const float *y, const float *dy, float *dx, int64_t n)
{
    BEGIN(dev, tanh_grad_kernel, n, y, dy, dx, n);
}

/* ---- masks: bit i of their bytes ---- */

/* Numbers 8 b .. 8 b + 7 of the stream are byte b. */
static __global__ void dropout_mask_kernel(uint8_t *mask, int64_t n, float p, ib_rng rng)
{
    EACH(b, (n + 7) / 8)
    {
        unsigned bits = 0;
        uint32_t u[8];
        ib_philox(rng, (uint64_t)(2 * b), u);
        ib_philox(rng, (uint64_t)(2 * b + 1), u + 4);
        for (int j = 0; j < 8; j++)
            bits |= (unsigned)(ib_uniform_of(u[j]) >= p) << j;
        mask[b] = (uint8_t)bits;
    }
}

void ib_cuda_dropout_mask(ib_device *dev, uint8_t *mask, int64_t n, float p, ib_rng rng)
{
    BEGIN(dev, dropout_mask_kernel, (n + 7) / 8, mask, n, p, rng);
}

/* y += a x where the bit is set */
static __global__ void masked_add_kernel(const float *x, const uint8_t *mask, float *y, int64_t n, float a)
{
    EACH(i, n)
    y[i] += mask[i >> 3] >> (i & 7) & 1 ? a * x[i] : 0.0f;
}

void ib_cuda_masked_add(ib_device *dev, const float *x, const uint8_t *mask, float *y, int64_t n, float a)
{
    BEGIN(dev, masked_add_kernel, n, x, mask, y, n, a);
}

/* dz = dy where the bit is set, else 0 */
static __global__ void where_kernel(const float *dy, const uint8_t *mask, float *dz, int64_t n)
{
    EACH(i, n)
    dz[i] = mask[i >> 3] >> (i & 7) & 1 ? dy[i] : 0.0f;
}

void ib_cuda_where(ib_device *dev, const float *dy, const uint8_t *mask, float *dz, int64_t n)
{
    BEGIN(dev, where_kernel, n, dy, mask, dz, n);
}

/* dx += dy where the bit is set */
static __global__ void grad_where_kernel(const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
    EACH(i, n)
    dx[i] += mask[i >> 3] >> (i & 7) & 1 ? dy[i] : 0.0f;
}

void ib_cuda_grad_where(ib_device *dev, const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
    BEGIN(dev, grad_where_kernel, n, dy, mask, dx, n);
}
