/* scales.h - from ranges to codes: formulas of quantizers, which host and kernels share. */
#ifndef IB_ARITHMETIC_SCALES_H
#define IB_ARITHMETIC_SCALES_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "arithmetic/real.h"

typedef enum ib_learned { IB_NOT_LEARNED, IB_LSQ, IB_PACT } ib_learned;
typedef enum ib_act { IB_ACT_NONE, IB_ACT_RELU, IB_ACT_RELU6 } ib_act;

/* What a range does with that of another batch. */
typedef enum ib_follows { IB_STANDS_STILL, IB_FOLLOWS_EXTREMES, IB_FOLLOWS_AVERAGE } ib_follows;

/* What a table of codes stands for. */
typedef enum ib_function { IB_IDENTITY, IB_SIGMOID, IB_TANH } ib_function;

enum { IB_MAX_BIAS = 1 << 30 }; /* |bias| in steps of the accumulator; products have as much room */

/* Whether codes can have this scale: no file, range or parameter may bring another. */
IB_DEVICE_FN static inline int ib_usable_scale(float s)
{
    return s >= FLT_MIN && s <= FLT_MAX; /* positive and normal */
}

/* Affine (or, with `symmetric`, zero-centred) scale and zero point of the range [lo, hi], widened to hold 0.
 * Nothing but 0 gives scale 1. The source of every activation's scale; whoever uses one asks ib_usable_scale. */
IB_DEVICE_FN static inline void ib_scale_of_range(float lo, float hi, int symmetric, int qmin, int qmax, float *scale,
                                                  int32_t *zero)
{
    lo = lo < 0 ? lo : 0;
    hi = hi > 0 ? hi : 0;
    *scale = 1.0f;
    *zero = lo < 0 || symmetric ? 0 : qmin;
    if (!(hi - lo > 0))
        return;
    if (symmetric) {
        const float top = -lo > hi ? -lo : hi;
        *scale = top / (float)qmax;
        return;
    }
    *scale = (hi - lo) / (float)(qmax - qmin);
    if (!ib_usable_scale(*scale))
        return;
    const float z = rintf((float)qmin - lo / *scale);
    *zero = z < (float)qmin ? qmin : z > (float)qmax ? qmax : (int)z;
}

/* The range of `count` batches and one of [now_lo, now_hi]: their extremes. */
IB_DEVICE_FN static inline void ib_follow_extremes(float *lo, float *hi, int64_t count, float now_lo, float now_hi)
{
    *lo = !count || now_lo < *lo ? now_lo : *lo;
    *hi = !count || now_hi > *hi ? now_hi : *hi;
}

/* m += c (now - m), from the extremes of the first batch that is not all zeros; batches of zeros alone say nothing */
IB_DEVICE_FN static inline void ib_follow_average(float *lo, float *hi, int64_t count, float c, float now_lo,
                                                  float now_hi)
{
    const int begun = count && (*lo != 0 || *hi != 0);
    if (begun && now_lo == 0 && now_hi == 0)
        return;
    *lo = begun ? *lo + c * (now_lo - *lo) : now_lo;
    *hi = begun ? *hi + c * (now_hi - *hi) : now_hi;
}

/* The codes between which `act` clamps. */
IB_DEVICE_FN static inline void ib_act_bounds(float scale, int zero, int qmin, int qmax, ib_act act, int32_t *lo,
                                              int32_t *hi)
{
    *lo = qmin;
    *hi = qmax;
    if (act != IB_ACT_NONE && zero > *lo)
        *lo = zero;
    if (act == IB_ACT_RELU6) {
        const float six = rintf(6.0f / scale) + (float)zero;
        if (six < (float)*hi)
            *hi = six < (float)*lo ? *lo : (int)six;
    }
}

/* The real value from which on `act` or PACT's level lets no gradient pass: infinity if there is none. Behind any `act`
 * nothing passes at 0 and below it either, as in PyTorch. */
IB_DEVICE_FN static inline float ib_passes_below(float scale, int zero, int qmax, ib_learned learned, ib_act act)
{
    return learned == IB_PACT ? (float)(qmax - zero) * scale : act == IB_ACT_RELU6 ? 6.0f : INFINITY;
}

/* y = f(x), and dy/dx */
IB_DEVICE_FN static inline float ib_function_at(ib_function f, float x)
{
    return f == IB_SIGMOID ? 1.0f / (1.0f + ib_exp_nearest(-x)) : f == IB_TANH ? ib_tanh_nearest(x) : x;
}
IB_DEVICE_FN static inline float ib_slope_at(ib_function f, float y)
{
    return f == IB_SIGMOID ? y * (1.0f - y) : f == IB_TANH ? 1.0f - y * y : 1.0f;
}

#endif
