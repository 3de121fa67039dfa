/* quantizers.c - scales and zero points of activations: from ranges, from learned parameters, and these parameters'
 * gradients: LSQ learns t = ln s, so that a scale stays positive (Esser et al., arXiv:1902.08153); PACT learns the
 * largest real value alpha (Choi et al., arXiv:1805.06085). */
#include <math.h>

#include "backends/cpu/level.h"

/* A quantizer's range takes that of a batch, its scale and zero point follow. */
static void take_range(const ib_following *p, ib_quantizer_state *s, float lo, float hi)
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
static int follow(const ib_following *p, ib_quantizer_state *s)
{
    if (p->lo && !(isfinite(*p->lo) && isfinite(*p->hi))) {
        ib_raise(p->at, IB_FAULT_range_not_finite, 0, *p->lo, *p->hi, 0);
        return 0;
    }
    if (p->lo)
        take_range(p, s, *p->lo, *p->hi);
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

void IB_K(follow)(ib_device *dev, const ib_following *p)
{
    const int ok = follow(p, p->state);
    *p->scale = ok ? p->state->scale : 1.0f;
    *p->zero = ok ? p->state->zero : 0;
}

void IB_K(constant_scale)(ib_device *dev, const float *lo, const float *hi, int qmin, int qmax,
                          ib_quantizer_state *state, ib_site at)
{
    *state = (ib_quantizer_state){0};
    ib_scale_of_range(*lo, *hi, 0, qmin, qmax, &state->scale, &state->zero);
    if (ib_usable_scale(state->scale))
        return;
    ib_raise(at, IB_FAULT_constant_step, 0, *lo, *hi, state->scale);
    state->scale = 1.0f;
}

/* Codes of nothing but 0 say nothing of a range, whatever their scale. */
void IB_K(code_range)(ib_device *dev, const ib_coded *x, int64_t n, int qmin, int qmax, float *lo, float *hi)
{
    const int32_t zero = ib_zero_of(x->zero);
    const float scale = *x->scale;
    int64_t i = 0;
    while (i < n && x->codes[i] == zero)
        i++;
    if (i == n)
        return;
    *lo = fminf(*lo, scale * (float)(qmin - zero));
    *hi = fmaxf(*hi, scale * (float)(qmax - zero));
}

/* ---- learned scales ---- */

/* dt = g s sum dy (q - zero - [inside: x / s]), g = 1 / sqrt(N Q), for N values and Q codes above zero */
void IB_K(lsq_grad)(ib_device *dev, const float *x, const float *dy, int64_t rows, int64_t cols, const ib_affine *p,
                    int64_t values, float *dt)
{
    const int zero = ib_zero_of(p->zero);
    const float lo = (float)(p->qmin - zero), hi = (float)(p->qmax - zero);
    const double positive = p->qmax > zero ? p->qmax - zero : 1, factor = 1.0 / sqrt((double)values * positive);
    for (int64_t row = 0; row < rows; row++) {
        const float scale = p->scale[row];
        double total = 0;
        for (int64_t i = row * cols; i < (row + 1) * cols; i++) {
            const float v = x[i] / scale, r = rintf(v);
            total += dy[i] * (r < lo ? lo : r > hi ? hi : r - v);
        }
        dt[row] += (float)(factor * scale * total);
    }
}

/* What PACT's level alpha is: the largest code's value. */
static float level_of(const ib_affine *p)
{
    return ib_passes_below(*p->scale, ib_zero_of(p->zero), p->qmax, IB_PACT, IB_ACT_NONE);
}

/* dalpha += sum dy [x >= alpha] */
void IB_K(pact_grad)(ib_device *dev, const float *x, const float *dy, int64_t n, const ib_affine *p, float *dalpha)
{
    const float alpha = level_of(p);
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += x[i] >= alpha ? dy[i] : 0.0f;
    *dalpha += (float)total;
}

/* What PACT's level gets, x does not. */
void IB_K(pact_passes)(ib_device *dev, const float *x, int64_t n, const ib_affine *p, uint8_t *mask)
{
    const float alpha = level_of(p);
    for (int64_t i = 0; i < n; i++)
        if (x[i] >= alpha)
            mask[i / 8] &= (uint8_t) ~(1u << i % 8);
}

void IB_K(exp_scales)(ib_device *dev, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = ib_exp_nearest(x[i]);
}

void IB_K(log_scales)(ib_device *dev, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = ib_log_nearest(x[i]);
}
