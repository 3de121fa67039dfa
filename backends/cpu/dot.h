/* dot.h - sums of products in 16 interleaved parts: an order that vectorizes and is the same at every level. */
#ifndef IB_BACKENDS_CPU_DOT_H
#define IB_BACKENDS_CPU_DOT_H

#include <stdint.h>

enum { LANES = 16 };

static inline float ib_dot(const float *a, const float *b, int64_t n)
{
    float part[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += a[i + l] * b[i + l];
    for (int l = 0; l < LANES; l++)
        sum += part[l];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

#endif
