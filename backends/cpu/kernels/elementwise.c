/* elementwise.c - fp32 loops in which each output depends on one element of each input. */
#include <math.h>

#include "arithmetic/philox.h"
#include "backends/cpu/level.h"

#define FOR_EACH(i, n) _Pragma("omp parallel for schedule(static) if (n > IB_SERIAL)") for (int64_t i = 0; i < n; i++)

void IB_K(axpy)(ib_device *dev, float *y, const float *x, int64_t n, float a)
{
    FOR_EACH(i, n) y[i] += a * x[i];
}

void IB_K(axpy_by)(ib_device *dev, float *y, const float *x, int64_t n, float a, const float *b)
{
    const float f = a * *b;
    FOR_EACH(i, n) y[i] += f * x[i];
}

void IB_K(add_share)(ib_device *dev, float *y, int64_t n, const float *b, float divisor)
{
    const float share = *b / divisor;
    FOR_EACH(i, n) y[i] += share;
}

void IB_K(scale)(ib_device *dev, float *y, int64_t n, float a)
{
    FOR_EACH(i, n) y[i] *= a;
}

void IB_K(divide)(ib_device *dev, const float *x, int64_t n, float divisor, float *y)
{
    FOR_EACH(i, n) y[i] = x[i] / divisor;
}

void IB_K(scale_by)(ib_device *dev, float *y, int64_t n, const float *a)
{
    if (*a != 1)
        IB_K(scale)(dev, y, n, *a);
}

void IB_K(set)(ib_device *dev, float *y, int64_t n, float value)
{
    FOR_EACH(i, n) y[i] = value;
}

/* Walks the outer three dimensions; `body` sees the offsets ia, ib, iy of a row of elements with strides da, db. */
#define FOR_ROWS(s, body)                                                                                              \
    do {                                                                                                               \
        const int64_t cols = (s)->shape[3], da = (s)->a[3], db = (s)->b[3];                                            \
        int64_t iy = 0;                                                                                                \
        for (int64_t i0 = 0; i0 < (s)->shape[0]; i0++)                                                                 \
            for (int64_t i1 = 0; i1 < (s)->shape[1]; i1++)                                                             \
                for (int64_t i2 = 0; i2 < (s)->shape[2]; i2++, iy += cols) {                                           \
                    const int64_t ia = i0 * (s)->a[0] + i1 * (s)->a[1] + i2 * (s)->a[2];                               \
                    const int64_t ib = i0 * (s)->b[0] + i1 * (s)->b[1] + i2 * (s)->b[2];                               \
                    for (int64_t j = 0; j < cols; j++)                                                                 \
                        body;                                                                                          \
                }                                                                                                      \
    } while (0)

static int64_t elements(const ib_bcast *s)
{
    return s->shape[0] * s->shape[1] * s->shape[2] * s->shape[3];
}

void IB_K(add)(ib_device *dev, const ib_bcast *s, const float *a, const float *b, float *y)
{
    const int64_t n = elements(s);
    if (s->flat)
        FOR_EACH(i, n) y[i] = a[i] + b[i];
    else
        FOR_ROWS(s, y[iy + j] = a[ia + j * da] + b[ib + j * db]);
}

void IB_K(mul)(ib_device *dev, const ib_bcast *s, const float *a, const float *b, float *y)
{
    const int64_t n = elements(s);
    if (s->flat)
        FOR_EACH(i, n) y[i] = a[i] * b[i];
    else
        FOR_ROWS(s, y[iy + j] = a[ia + j * da] * b[ib + j * db]);
}

/* da[.] += sum over broadcast dimensions of dy * b (b = NULL: of dy) */
void IB_K(reduce_to)(ib_device *dev, const ib_bcast *s, const float *dy, const float *b, float *grad)
{
    const int64_t n = elements(s);
    if (s->flat && b)
        FOR_EACH(i, n) grad[i] += dy[i] * b[i];
    else if (s->flat)
        FOR_EACH(i, n) grad[i] += dy[i];
    else if (b)
        FOR_ROWS(s, grad[ia + j * da] += dy[iy + j] * b[ib + j * db]);
    else
        FOR_ROWS(s, (grad[ia + j * da] += dy[iy + j], (void)ib, (void)db));
}

void IB_K(clamp)(ib_device *dev, const float *x, float *y, int64_t n, float lo, float hi)
{
    FOR_EACH(i, n) y[i] = x[i] < lo ? lo : x[i] > hi ? hi : x[i];
}

/* dx += dy inside (lo, hi), 0 outside; without add it is set */
void IB_K(clamp_grad)(ib_device *dev, const float *x, const float *dy, float *dx, int64_t n, float lo, float hi,
                      int add)
{
    if (!add) {
        FOR_EACH(i, n) dx[i] = x[i] > lo && x[i] < hi ? dy[i] : 0.0f;
        return;
    }
    FOR_EACH(i, n) dx[i] += x[i] > lo && x[i] < hi ? dy[i] : 0.0f;
}

void IB_K(round)(ib_device *dev, const float *x, float *y, int64_t n)
{
    FOR_EACH(i, n) y[i] = rintf(x[i]);
}

void IB_K(sigmoid)(ib_device *dev, const float *x, float *y, int64_t n)
{
    FOR_EACH(i, n) y[i] = ib_sigmoid_of(x[i]);
}

/* dx += dy y (1 - y) */
void IB_K(sigmoid_grad)(ib_device *dev, const float *y, const float *dy, float *dx, int64_t n)
{
    FOR_EACH(i, n) dx[i] += dy[i] * y[i] * (1.0f - y[i]);
}

void IB_K(tanh)(ib_device *dev, const float *x, float *y, int64_t n)
{
    FOR_EACH(i, n) y[i] = ib_tanh_of(x[i]);
}

/* dx += dy (1 - y^2) */
void IB_K(tanh_grad)(ib_device *dev, const float *y, const float *dy, float *dx, int64_t n)
{
    FOR_EACH(i, n) dx[i] += dy[i] * (1.0f - y[i] * y[i]);
}

/* bit i of mask = keep element i, with probability 1 - p */
void IB_K(dropout_mask)(ib_device *dev, uint8_t *mask, int64_t n, float p, ib_rng rng)
{
    const int64_t bytes = (n + 7) / 8;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < bytes; b++) {
        unsigned bits = 0;
        uint32_t u[8]; /* ib_rng_uniform(rng, 8 b + j) */
        ib_rng_four(rng, (uint64_t)(2 * b), u);
        ib_rng_four(rng, (uint64_t)(2 * b + 1), u + 4);
        for (int j = 0; j < 8; j++)
            bits |= (unsigned)(ib_uniform_of(u[j]) >= p) << j;
        mask[b] = (uint8_t)bits;
    }
}

/* y += a x where the mask's bit is set */
void IB_K(masked_add)(ib_device *dev, const float *x, const uint8_t *mask, float *y, int64_t n, float a)
{
    FOR_EACH(i, n) y[i] += mask[i >> 3] >> (i & 7) & 1 ? a * x[i] : 0.0f;
}
