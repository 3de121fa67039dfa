/* quantizers.c - scales and zero points of activations and the gradients of learned ones, by formulas/quantizers.h. */
#include "backends/cpu/level.h"
#include "backends/formulas/quantizers.h"

void IB_K(follow)(ib_device *dev, const ib_following *p)
{
    ib_follow(p);
}

void IB_K(constant_scale)(ib_device *dev, const float *lo, const float *hi, int qmin, int qmax,
                          ib_quantizer_state *state, ib_site at)
{
    ib_constant_scale(*lo, *hi, qmin, qmax, state, at);
}

/* Codes of nothing but 0 say nothing of a range, whatever their scale. */
void IB_K(code_range)(ib_device *dev, const ib_coded *x, int64_t n, int qmin, int qmax, float *lo, float *hi)
{
    const int32_t zero = ib_zero_of(x->zero);
    int64_t i = 0;
    while (i < n && x->codes[i] == zero)
        i++;
    if (i < n)
        ib_widen_range(*x->scale, zero, qmin, qmax, lo, hi);
}

void IB_K(lsq_grad)(ib_device *dev, int64_t rows, int64_t cols, const ib_affine *p, const ib_lsq_grads *g)
{
    const int zero = ib_zero_of(p->zero);
    const float lo = (float)(p->qmin - zero), hi = (float)(p->qmax - zero);
    const double factor = ib_lsq_factor(g->values, p->qmax, zero);
    const float *x = g->x, *dy = g->dy;
    for (int64_t row = 0; row < rows; row++, x += cols, dy += cols) {
        const float scale = p->scale[row];
        double lanes[IB_LSQ_LANES] = {0};
        for (int64_t c = 0; c < cols; c++)
            lanes[c % IB_LSQ_LANES] += ib_lsq_term(x[c], dy[c], scale, lo, hi);
        for (int64_t c = 0; g->dx && c < cols; c++)
            g->dx[row * cols + c] += ib_lsq_inside(x[c], scale, lo, hi) ? dy[c] : 0.0f;
        if (g->dt)
            g->dt[row] += (float)(factor * scale * ib_lsq_sum(lanes));
    }
}

void IB_K(pact_grad)(ib_device *dev, const float *x, const float *dy, int64_t n, const ib_affine *p, float *dalpha)
{
    const float alpha = ib_level_of(p);
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += ib_pact_term(x[i], dy[i], alpha);
    *dalpha += (float)total;
}

/* What PACT's level gets, x does not. */
void IB_K(pact_passes)(ib_device *dev, const float *x, int64_t n, const ib_affine *p, uint8_t *mask)
{
    const float alpha = ib_level_of(p);
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
