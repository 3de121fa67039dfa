/* optimizer_steps.c - what an optimizer makes of weights and gradients: SGD, AdamW. */
#include <float.h>
#include <math.h>

#include "arithmetic/dynamic_code.h"
#include "backends/cpu/level.h"

/* A refusal is passed on to where the optimizer reads. */
static int is_refused(const ib_update *u)
{
    if (u->refused->kind && !u->at.fault->kind)
        *u->at.fault = *u->refused;
    return u->refused->kind != IB_NO_FAULT;
}

static void report(const ib_update *u, int bad)
{
    if (bad)
        ib_raise(u->at, IB_FAULT_parameter_not_finite, 0, u->rate, 0, 0);
}

/* g' = g grad_scale + decay w;  m = momentum m + g';  w -= lr (nesterov ? g' + momentum m : m) */
void IB_K(sgd)(ib_device *dev, const ib_sgd_step *s, const ib_update *u, float *w, const float *g, float *m, int64_t n)
{
    int bad = 0;
    if (is_refused(u))
        return;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++) {
        const float grad = g[i] * s->grad_scale + s->decay * w[i];
        m[i] = s->momentum * m[i] + grad;
        w[i] -= s->lr * (s->nesterov ? grad + s->momentum * m[i] : m[i]);
        bad |= !(fabsf(w[i]) <= FLT_MAX);
    }
    report(u, bad);
}

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr (m / c1 / (sqrt(v / c2) + eps) + decay w)
 * with c = 1 - b^t (Loshchilov and Hutter, arXiv:1711.05101) */
void IB_K(adamw)(ib_device *dev, const ib_adamw_step *s, const ib_update *u, float *w, const float *g, float *m,
                 float *v, int64_t n)
{
    int bad = 0;
    if (is_refused(u))
        return;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++) {
        const float grad = g[i] * s->grad_scale;
        m[i] = s->beta1 * m[i] + (1.0f - s->beta1) * grad;
        v[i] = s->beta2 * v[i] + (1.0f - s->beta2) * grad * grad;
        w[i] -= s->lr * (m[i] / s->correction1 / (sqrtf(v[i] / s->correction2) + s->eps) + s->decay * w[i]);
        bad |= !(fabsf(w[i]) <= FLT_MAX);
    }
    report(u, bad);
}

/* One block: its states are decoded, moved, and encoded by their new largest ones; whether w is not finite. */
static int adamw8_block(const ib_adamw_step *s, const ib_states8 *q, int64_t b, int64_t size, float *w, const float *g)
{
    float m[IB_ADAMW8_BLOCK], v[IB_ADAMW8_BLOCK], top_m = 0, top_v = 0;
    const float c2 = s->root2, step = s->lr * c2 / s->correction1;
    const float m_top = q->m_top[b / IB_ADAMW8_BLOCK], v_top = q->v_top[b / IB_ADAMW8_BLOCK];
    int bad = 0;
    for (int64_t i = 0; i < size; i++) {
        const float grad = g[b + i] * s->grad_scale;
        m[i] = m_top ? q->m_map[q->m[b + i]] * m_top : 0;
        v[i] = v_top ? q->v_map[q->v[b + i]] * v_top : 0;
        if (isfinite(grad)) { /* else the element is skipped */
            m[i] = s->beta1 * m[i] + (1.0f - s->beta1) * grad;
            v[i] = s->beta2 * v[i] + (1.0f - s->beta2) * grad * grad;
            w[b + i] -= s->lr * s->decay * w[b + i];
            w[b + i] -= step * (m[i] / (sqrtf(v[i]) + c2 * s->eps));
        }
        bad |= !isfinite(w[b + i]);
        top_m = fabsf(m[i]) > top_m ? fabsf(m[i]) : top_m;
        top_v = v[i] > top_v ? v[i] : top_v;
    }
    q->m_top[b / IB_ADAMW8_BLOCK] = top_m;
    q->v_top[b / IB_ADAMW8_BLOCK] = top_v;
    for (int64_t i = 0; i < size; i++) {
        q->m[b + i] = ib_dynamic_code(q->m_map, top_m ? m[i] * (1.0f / top_m) : 0);
        q->v[b + i] = ib_dynamic_code(q->v_map, top_v ? v[i] * (1.0f / top_v) : 0);
    }
    return bad;
}

/* m in the signed and v in the unsigned dynamic map (Dettmers et al., arXiv:2110.02861); a new state is zero.
 *   p -= lr decay p, then p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt v + sqrt(1 - b2^t) eps) */
void IB_K(adamw8)(ib_device *dev, const ib_adamw_step *s, const ib_update *u, const ib_states8 *state, float *w,
                  const float *g, int64_t n)
{
    int bad = 0;
    if (is_refused(u))
        return;
#pragma omp parallel for schedule(static) reduction(| : bad)
    for (int64_t b = 0; b < n; b += IB_ADAMW8_BLOCK)
        bad |= adamw8_block(s, state, b, ib_min64(IB_ADAMW8_BLOCK, n - b), w, g);
    report(u, bad);
}
