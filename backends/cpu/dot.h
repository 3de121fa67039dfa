/* dot.h - sums in 16 interleaved parts, which are added in halves: an order that vectorizes and is the same at every
 * level. */
#ifndef IB_BACKENDS_CPU_DOT_H
#define IB_BACKENDS_CPU_DOT_H

#include <stdint.h>

#include "arithmetic/real.h"

enum { LANES = 16 };

IB_DEVICE_FN static inline float ib_add_lanes(float *part)
{
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            part[l] += part[l + half];
    return part[0];
}

IB_DEVICE_FN static inline float ib_sum(const float *a, int64_t n)
{
    float part[LANES] = {0};
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += a[i + l];
    float sum = ib_add_lanes(part);
    for (int64_t i = whole; i < n; i++)
        sum += a[i];
    return sum;
}

/* sum of (a - m)^2 */
IB_DEVICE_FN static inline float ib_sum_deviation(const float *a, float m, int64_t n)
{
    float part[LANES] = {0};
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += (a[i + l] - m) * (a[i + l] - m);
    float sum = ib_add_lanes(part);
    for (int64_t i = whole; i < n; i++)
        sum += (a[i] - m) * (a[i] - m);
    return sum;
}

/* sum of a (b - m) */
IB_DEVICE_FN static inline float ib_dot_deviation(const float *a, const float *b, float m, int64_t n)
{
    float part[LANES] = {0};
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += a[i + l] * (b[i + l] - m);
    float sum = ib_add_lanes(part);
    for (int64_t i = whole; i < n; i++)
        sum += a[i] * (b[i] - m);
    return sum;
}

IB_DEVICE_FN static inline float ib_dot(const float *a, const float *b, int64_t n)
{
    float part[LANES] = {0};
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += a[i + l] * b[i + l];
    float sum = ib_add_lanes(part);
    for (int64_t i = whole; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

#endif
