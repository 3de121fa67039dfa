/* quantizers.h - scales and zero points of activations: from ranges, from learned parameters, and these parameters'
 * gradients: LSQ learns t = ln s, so that a scale stays positive (Esser et al., arXiv:1902.08153); PACT learns the
 * largest real value alpha (Choi et al., arXiv:1805.06085). Of the formulas that kernels of the CPU and of CUDA share.
 */
#ifndef IB_BACKENDS_FORMULAS_QUANTIZERS_H
#define IB_BACKENDS_FORMULAS_QUANTIZERS_H

#include <math.h>

#include "backends/quantization.h"

/* A quantizer's range takes that of a batch, its scale and zero point follow. */
IB_DEVICE_FN static inline void ib_take_range(const ib_following *p, ib_quantizer_state *s, float lo, float hi)
{
    if (p->act != IB_ACT_NONE) {
        lo = lo > 0 ? lo : 0;
        hi = hi > 0 ? hi : 0;
    }
    if (p->act == IB_ACT_RELU6 && hi > 6)
        hi = 6;
    if (p->how == IB_FOLLOWS_AVERAGE)
        ib_follow_average(&s->lo, &s->hi, s->count, p->averaging, lo, hi);
    else
        ib_follow_extremes(&s->lo, &s->hi, s->count, lo, hi);
    s->count++;
    ib_scale_of_range(s->lo, s->hi, p->symmetric, p->qmin, p->qmax, &s->scale, &s->zero);
}

/* Returns whether the state's scale is one. */
IB_DEVICE_FN static inline int ib_state_follows(const ib_following *p, ib_quantizer_state *s)
{
    if (p->lo && !(isfinite(*p->lo) && isfinite(*p->hi))) {
        ib_raise(p->at, IB_FAULT_range_not_finite, 0, *p->lo, *p->hi, 0);
        return 0;
    }
    if (p->lo)
        ib_take_range(p, s, *p->lo, *p->hi);
    if (p->param) {
        s->scale = p->learned == IB_PACT ? *p->param / (float)(p->qmax - p->qmin) : ib_exp_nearest(*p->param);
        if (p->learned == IB_PACT)
            s->zero = p->qmin;
        if (!(s->scale > 1e-30f && s->scale < 1e30f)) {
            ib_raise(p->param_at, IB_FAULT_learned_scale, 0, s->scale, 0, 0);
            return 0;
        }
    }
    if (ib_usable_scale(s->scale))
        return 1;
    ib_raise(p->at, IB_FAULT_range_step, 0, s->scale, 0, 0);
    return 0;
}

IB_DEVICE_FN static inline void ib_follow(const ib_following *p)
{
    const int ok = ib_state_follows(p, p->state);
    *p->scale = ok ? p->state->scale : 1.0f;
    *p->zero = ok ? p->state->zero : 0;
}

IB_DEVICE_FN static inline void ib_constant_scale(float lo, float hi, int qmin, int qmax, ib_quantizer_state *state,
                                                  ib_site at)
{
    *state = (ib_quantizer_state){0};
    ib_scale_of_range(lo, hi, 0, qmin, qmax, &state->scale, &state->zero);
    if (ib_usable_scale(state->scale))
        return;
    ib_raise(at, IB_FAULT_constant_step, 0, lo, hi, state->scale);
    state->scale = 1.0f;
}

/* lo .. hi widened to what codes qmin .. qmax can stand for. */
IB_DEVICE_FN static inline void ib_widen_range(float scale, int32_t zero, int qmin, int qmax, float *lo, float *hi)
{
    *lo = fminf(*lo, scale * (float)(qmin - zero));
    *hi = fmaxf(*hi, scale * (float)(qmax - zero));
}

/* ---- learned scales ---- */

/* dt = g s sum dy (q - zero - [inside: x / s]), g = 1 / sqrt(N Q), for N values and Q codes above zero: a term of the
 * sum, whether x is inside, and g. The sum of a row is that of IB_LSQ_LANES sums in double, of the columns c with one
 * c % IB_LSQ_LANES each. */
enum { IB_LSQ_LANES = 8 };
IB_DEVICE_FN static inline float ib_lsq_term(float x, float dy, float scale, float lo, float hi)
{
    const float v = x / scale, r = rintf(v);
    return dy * (r < lo ? lo : r > hi ? hi : r - v);
}
IB_DEVICE_FN static inline int ib_lsq_inside(float x, float scale, float lo, float hi)
{
    const float r = rintf(x / scale);
    return r >= lo && r <= hi;
}
IB_DEVICE_FN static inline double ib_lsq_sum(const double *lanes)
{
    double sum = lanes[0];
    for (int i = 1; i < IB_LSQ_LANES; i++)
        sum += lanes[i];
    return sum;
}
IB_DEVICE_FN static inline double ib_lsq_factor(int64_t values, int qmax, int zero)
{
    const double positive = qmax > zero ? qmax - zero : 1;
    return 1.0 / sqrt((double)values * positive);
}

/* What PACT's level alpha is: the largest code's value. */
IB_DEVICE_FN static inline float ib_level_of(const ib_affine *p)
{
    return ib_passes_below(*p->scale, ib_zero_of(p->zero), p->qmax, IB_PACT, IB_ACT_NONE);
}

/* dalpha += sum dy [x >= alpha]: a term */
IB_DEVICE_FN static inline float ib_pact_term(float x, float dy, float alpha)
{
    return x >= alpha ? dy : 0.0f;
}

#endif
