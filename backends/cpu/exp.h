/* exp.h - e^x as arithmetic, so that loops over it vectorize and give the same bits at every level. */
#ifndef IB_BACKENDS_CPU_EXP_H
#define IB_BACKENDS_CPU_EXP_H

#include <math.h>
#include <stdint.h>

/* x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7 (error 2^-26), times 2^n. Relative error
 * below 2e-7; below -87 the result is 0, above 88 it is e^88. */
static inline float ib_exp(float x)
{
    const float c = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float n = rintf(c * 1.44269504f);
    const float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    union {
        int32_t i;
        float f;
    } scale = {((int32_t)n + 127) << 23};
    return x < -87.0f ? 0.0f : p * scale.f;
}

static inline float ib_sigmoid_of(float x)
{
    return 1.0f / (1.0f + ib_exp(-x));
}

#endif
