/* dynamic_code.h - inside the library: numbers as codes of a dynamic 8-bit map (Dettmers et al., arXiv:2110.02861). */
#ifndef IB_ARITHMETIC_DYNAMIC_CODE_H
#define IB_ARITHMETIC_DYNAMIC_CODE_H

#include <stdint.h>

#include "arithmetic/real.h"

/* The value of map [256], ascending, that is nearest to x, of two as near the lower one. bitsandbytes first puts x on a
 * grid of 65536 points over [-1, 1]; its thresholds lie between these points (measured). */
IB_DEVICE_FN static inline uint8_t ib_dynamic_code(const float *map, float x)
{
    const float u = x < -1 ? -1 : x > 1 ? 1 : x;
    const int i = (int)((u + 1.0f) * 32767.5f + 0.5f);
    const float at = (float)(i / 32767.5 - 1.0);
    int lo = 0, hi = 255;
    while (hi - lo > 1) {
        const int mid = (lo + hi) / 2;
        if (map[mid] <= at)
            lo = mid;
        else
            hi = mid;
    }
    return (uint8_t)(at <= map[lo] || at - map[lo] <= map[hi] - at ? lo : hi);
}

#endif
