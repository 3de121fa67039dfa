/* e2m1.h - inside the library: the 4-bit reals of OCP's microscaling formats, twice as large, which makes them whole;
 * the scales of mxfp4 and nvfp4 are halves of what they say. */
#ifndef IB_TENSOR_STORAGE_E2M1_H
#define IB_TENSOR_STORAGE_E2M1_H

#include "tensor/storage.h"

static const int8_t ib_e2m1_twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* 2^(e - 128): half of what OCP's E8M0 says a scale of the byte e is */
static inline float half_power(uint8_t e)
{
    union {
        uint32_t u;
        float f;
    } v = {e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23};
    return v.f;
}

/* Of the values times d the nearest to x, of several the first. */
static inline int e2m1_index(float x, float d)
{
    int best = 0;
    for (int i = 1; i < 16; i++)
        if (fabsf((float)ib_e2m1_twice[i] * d - x) < fabsf((float)ib_e2m1_twice[best] * d - x))
            best = i;
    return best;
}

/* n / 2 bytes, whose low nibbles are the first half of n values. */
static inline void e2m1_put(const float *x, int n, float d, uint8_t *b)
{
    for (int j = 0; j < n / 2; j++)
        b[j] = (uint8_t)(e2m1_index(x[j], d) | e2m1_index(x[j + n / 2], d) << 4);
}
static inline void e2m1_take(const uint8_t *restrict b, int n, float d, float *restrict y)
{
    for (int j = 0; j < n / 2; j++) {
        y[j] = (float)ib_e2m1_twice[b[j] & 15] * d;
        y[j + n / 2] = (float)ib_e2m1_twice[b[j] >> 4] * d;
    }
}

static inline float e2m1_largest(const float *x, int n)
{
    float most = 0;
    for (int j = 0; j < n; j++)
        most = fabsf(x[j]) > most ? fabsf(x[j]) : most;
    return most;
}

#endif
