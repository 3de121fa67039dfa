/* requant.h - the real factor of a requantization as the integers that runtime/isobit_rt.h works with: formulas that
 * host and kernels share. */
#ifndef IB_ARITHMETIC_REQUANT_H
#define IB_ARITHMETIC_REQUANT_H

#include <math.h>
#include <stdint.h>

#include <isobit/qat.h>

#include "arithmetic/real.h"
#include "base/assert.h"
#include "runtime/isobit_types.h"

/* How the products of a profile (ib_profile) are rounded: one of ISOBIT_TFLITE_DOUBLE, ... The functions below take
 * profiles. */
IB_DEVICE_FN static inline int ib_rounding(int profile)
{
    return profile == IB_XNNPACK ? ISOBIT_FP32_RNE : profile;
}

/* TFLite's QuantizeMultiplier: M = mult * 2^(exp - 31), mult in [2^30, 2^31). */
IB_DEVICE_FN static inline isobit_scale ib_fixed_point(double m)
{
    isobit_scale s = {0, 0};
    if (!(m > 0))
        return s;
    int exp;
    int64_t mult = llround(frexp(m, &exp) * 2147483648.0);
    if (mult == (int64_t)1 << 31) {
        mult /= 2;
        exp++;
    }
    if (exp < -31)
        return s;
    s.mult = exp > 30 /* saturates every accumulator but 0, as the larger factor would */ ? INT32_MAX : (int32_t)mult;
    s.exp = exp > 30 ? 30 : exp;
    IB_ASSERT(s.mult >= 1 << 30 && s.exp >= -31, "a fixed-point factor's mantissa has 31 bits");
    return s;
}

IB_DEVICE_FN static inline isobit_scale ib_float_point(float m)
{
    isobit_scale s = {0, 0};
    if (!(m > 0))
        return s;
    int exp;
    const float part = frexpf(m, &exp);
    s.mult = (int32_t)ldexpf(part, 24);
    if (exp < -31) {
        s.mult = 0;
        return s;
    }
    s.exp = exp > 54 ? 30 : exp - 24; /* saturates every accumulator but 0, as the larger factor would */
    IB_ASSERT(s.mult >= 1 << 23 && s.mult < 1 << 24, "a factor's mantissa is that of an fp32 number");
    return s;
}

/* M = s_in * s_w / s_out in the form of `profile`: in double for tflite_*, in fp32 for fp32_rne, as the runtimes of
 * these profiles compute it. A factor below 2^-32 becomes 0, and one above 2^30 becomes 2^30: no sum of 32 bits tells
 * either from the factor itself. The steps and M are finite numbers. */
IB_DEVICE_FN static inline isobit_scale ib_requant_scale(float s_in, float s_w, float s_out, int profile)
{
    if (ib_rounding(profile) == ISOBIT_FP32_RNE)
        return ib_float_point(s_in * s_w / s_out);
    return ib_fixed_point((double)s_in * s_w / s_out);
}

/* The factors of an addition (see isobit_add): returns a, b and out. For xnnpack as XNNPACK's
 * xnn_init_qs8_add_minmax_scalar_params makes them (it takes factors from 2^-10 to 2^8): in fp32, the larger with 21
 * bits. Both steps are to be below ib_requant_add_limit() s_out: what the 21 bits hold, or TFLite's own limit of 1
 * on its output multiplier. */
IB_DEVICE_FN static inline void ib_requant_add(float s_a, float s_b, float s_out, int profile, isobit_scale *a,
                                               isobit_scale *b, isobit_scale *out)
{
    const double larger = s_a > s_b ? s_a : s_b;
    if (profile == IB_XNNPACK) {
        const float f_a = s_a / s_out, f_b = s_b / s_out;
        int exp;
        frexpf(f_a > f_b ? f_a : f_b, &exp);
        exp = exp < -9 ? -30 : exp - 21; /* the half that is added fits int32 */
        a->mult = (int32_t)lrintf(ldexpf(f_a, -exp));
        b->mult = (int32_t)lrintf(ldexpf(f_b, -exp));
        a->exp = b->exp = exp;
        *out = (isobit_scale){1, 0};
        return;
    }
    if (profile == ISOBIT_FP32_RNE) {
        /* The larger factor gets 21 bits, so that |sum| < 2 * 255 * 2^21 < 2^30; from 2^-41 down no sum reaches a half.
         */
        int exp;
        frexp(larger / s_out, &exp);
        exp = exp < -41 ? -62 : exp - 21;
        a->mult = (int32_t)llrint(ldexp((double)s_a / s_out, -exp));
        b->mult = (int32_t)llrint(ldexp((double)s_b / s_out, -exp));
        a->exp = b->exp = exp;
        out->mult = out->exp = 0;
        return;
    }
    *a = ib_fixed_point(s_a / (2 * larger));
    *b = ib_fixed_point(s_b / (2 * larger));
    *out = ib_fixed_point(2 * larger / ((double)(1 << 20) * s_out));
}

IB_DEVICE_FN static inline double ib_requant_add_limit(int profile)
{
    return profile == IB_XNNPACK ? 0x1p20 : profile == ISOBIT_FP32_RNE ? 0x1p21 : 0x1p19;
}

/* The real number that a factor stands for. */
IB_DEVICE_FN static inline double ib_requant_value(isobit_scale s, int profile)
{
    return ldexp((double)s.mult, ib_rounding(profile) == ISOBIT_FP32_RNE ? s.exp : s.exp - 31);
}

#endif
