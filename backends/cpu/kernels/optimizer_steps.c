/* optimizer_steps.c - what an optimizer makes of weights and gradients: SGD, AdamW. */
#include <float.h>
#include <math.h>

#include "backends/cpu/level.h"

/* g' = g grad_scale + decay w;  m = momentum m + g';  w -= lr (nesterov ? g' + momentum m : m) */
int IB_K(sgd)(ib_device *dev, const ib_sgd_step *s, float *w, const float *g, float *m, int64_t n)
{
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++) {
        const float grad = g[i] * s->grad_scale + s->decay * w[i];
        m[i] = s->momentum * m[i] + grad;
        w[i] -= s->lr * (s->nesterov ? grad + s->momentum * m[i] : m[i]);
        bad |= !(fabsf(w[i]) <= FLT_MAX);
    }
    return !bad;
}

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr (m / c1 / (sqrt(v / c2) + eps) + decay w)
 * with c = 1 - b^t (Loshchilov and Hutter, arXiv:1711.05101) */
int IB_K(adamw)(ib_device *dev, const ib_adamw_step *s, float *w, const float *g, float *m, float *v, int64_t n)
{
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++) {
        const float grad = g[i] * s->grad_scale;
        m[i] = s->beta1 * m[i] + (1.0f - s->beta1) * grad;
        v[i] = s->beta2 * v[i] + (1.0f - s->beta2) * grad * grad;
        w[i] -= s->lr * (m[i] / s->correction1 / (sqrtf(v[i] / s->correction2) + s->eps) + s->decay * w[i]);
        bad |= !(fabsf(w[i]) <= FLT_MAX);
    }
    return !bad;
}
