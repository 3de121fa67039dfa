/* codes.h - real numbers as codes: the roundings of quantizers. Of the formulas that kernels of the CPU and of CUDA
 * share. */
#ifndef IB_FORMULAS_CODES_H
#define IB_FORMULAS_CODES_H

#include <math.h>
#include <stdint.h>

#include "arithmetic/real.h"

/* x in steps of `scale`, rounded: ties to even, or away from zero. */
IB_DEVICE_FN static inline float ib_steps_of(float x, float scale, int half_away)
{
    const float t = x / scale;
    return half_away ? roundf(t) : rintf(t);
}

/* The whole number r where it lies in lo .. hi, else the nearer of both; 0 for NaN. */
IB_DEVICE_FN static inline int ib_code_within(float r, float lo, float hi)
{
    return (int)(r >= lo && r <= hi ? r : r < lo ? lo : r > hi ? hi : 0.0f);
}

/* Two-level scales (VS-Quant, arXiv:2102.04503): of a row whose largest magnitude is `top` the scale that factors 1..15
 * multiply, and of a group the least factor whose steps reach its own. */
IB_DEVICE_FN static inline float ib_scale_of_groups(float top, int qmax)
{
    return top > 0 ? top / (float)(15 * qmax) : 1.0f;
}
IB_DEVICE_FN static inline uint8_t ib_group_factor(float top, int qmax, float scale)
{
    const float f = ceilf(top / (float)qmax / scale - 1e-4f);
    return (uint8_t)(f < 1 ? 1 : f > 15 ? 15 : f);
}

/* Of w = NaN, which no group's largest magnitude shows, the code where a scale has grown: the least. */
IB_DEVICE_FN static inline int ib_regrown_code(float w, float step, int qmax)
{
    return (int)fminf(fmaxf(rintf(w / step), (float)-qmax), (float)qmax);
}

/* Scales of least squared error: candidate t of IB_SCALES_TRIED .. IB_SCALES_TRIED / 6 + 1, a fraction of the largest
 * magnitude, and what codes of that scale make of w, squared. */
enum { IB_SCALES_TRIED = 48 };
IB_DEVICE_FN static inline float ib_tried_scale(float top, int t, int qmax)
{
    return top * (float)t / (float)(IB_SCALES_TRIED * qmax);
}
IB_DEVICE_FN static inline double ib_squared_error(float w, float scale, int qmax)
{
    const float q = rintf(w / scale), most = (float)qmax, c = q > most ? most : q < -most ? -most : q;
    return (double)(w - c * scale) * (w - c * scale);
}

#endif
