/* optimizers.h - what an optimizer makes of weights and gradients: SGD, AdamW, a number at a time. Of the formulas that
 * kernels of the CPU and of CUDA share. */
#ifndef IB_BACKENDS_FORMULAS_OPTIMIZERS_H
#define IB_BACKENDS_FORMULAS_OPTIMIZERS_H

#include <float.h>
#include <math.h>

#include "arithmetic/dynamic_code.h"
#include "arithmetic/real.h"
#include "backends/operands.h"

/* A refusal is passed on to where the optimizer reads. */
IB_DEVICE_FN static inline void ib_pass_on(const ib_update *u)
{
    if (u->refused->kind && !u->at.fault->kind)
        *u->at.fault = *u->refused;
}

IB_DEVICE_FN static inline void ib_say_not_finite(const ib_update *u)
{
    ib_raise(u->at, IB_FAULT_parameter_not_finite, 0, u->rate, 0, 0);
}

/* The corrections of AdamW's step: c = 1 - b^t in double, and its root. */
IB_DEVICE_FN static inline void ib_advance(ib_progress *p, double beta1, double beta2)
{
    const int64_t t = ++p->steps;
    const double c2 = 1 - ib_power(beta2, t);
    p->correction1 = (float)(1 - ib_power(beta1, t));
    p->correction2 = (float)c2;
    p->root2 = (float)sqrt(c2);
}

/* The steps below return whether w is not finite any more. */

/* g' = g grad_scale + decay w;  m = momentum m + g';  w -= lr (nesterov ? g' + momentum m : m) */
IB_DEVICE_FN static inline int ib_sgd(const ib_sgd_step *s, float g, float *m, float *w)
{
    const float grad = g * s->grad_scale + s->decay * *w;
    *m = s->momentum * *m + grad;
    *w -= s->lr * (s->nesterov ? grad + s->momentum * *m : *m);
    return !(fabsf(*w) <= FLT_MAX);
}

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr (m / c1 / (sqrt(v / c2) + eps) + decay w)
 * with c = 1 - b^t (Loshchilov and Hutter, arXiv:1711.05101) */
IB_DEVICE_FN static inline int ib_adamw(const ib_adamw_step *s, const ib_progress *p, float g, float *m, float *v,
                                        float *w)
{
    const float grad = g * s->grad_scale;
    *m = s->beta1 * *m + (1.0f - s->beta1) * grad;
    *v = s->beta2 * *v + (1.0f - s->beta2) * grad * grad;
    *w -= s->lr * (*m / p->correction1 / (sqrtf(*v / p->correction2) + s->eps) + s->decay * *w);
    return !(fabsf(*w) <= FLT_MAX);
}

/* m in the signed and v in the unsigned dynamic map (Dettmers et al., arXiv:2110.02861), decoded; a new state is zero.
 *   p -= lr decay p, then p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt v + sqrt(1 - b2^t) eps)
 * An element whose gradient is not finite is skipped. */
IB_DEVICE_FN static inline int ib_adamw8(const ib_adamw_step *s, const ib_progress *p, float g, float *m, float *v,
                                         float *w)
{
    const float grad = g * s->grad_scale, c2 = p->root2, step = s->lr * c2 / p->correction1;
    if (isfinite(grad)) {
        *m = s->beta1 * *m + (1.0f - s->beta1) * grad;
        *v = s->beta2 * *v + (1.0f - s->beta2) * grad * grad;
        *w -= s->lr * s->decay * *w;
        *w -= step * (*m / (sqrtf(*v) + c2 * s->eps));
    }
    return !isfinite(*w);
}

/* A state of 8 bits: its code times the largest of its block, and back. */
IB_DEVICE_FN static inline float ib_state_of(const float *map, uint8_t code, float top)
{
    return top != 0 ? map[code] * top : 0;
}
IB_DEVICE_FN static inline uint8_t ib_code_of_state(const float *map, float state, float top)
{
    return ib_dynamic_code(map, top != 0 ? state * (1.0f / top) : 0);
}

#endif
