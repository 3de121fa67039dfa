/* quantize.c - between fp32 values and codes. Masks hold one bit an element, set where the gradient passes: where the
 * code before clamping lies in [qmin, qmax], which reaches half a step beyond the range (as in PyTorch). */
#include <math.h>

#include "backends/formulas/codes.h"
#include "backends/cpu/level.h"

/* q = clamp(round(x / scale) + zero), ties to even or (half_away) away from zero. NaN becomes `zero`. */
void IB_K(quantize)(ib_device *dev, const float *x, int64_t n, const ib_affine *p, int8_t *q, uint8_t *mask)
{
    const int zero = ib_zero_of(p->zero), half_away = p->half_away;
    const float scale = *p->scale, lo = (float)(p->qmin - zero), hi = (float)(p->qmax - zero);
    const int64_t bytes = (n + 7) / 8;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < bytes; b++) {
        unsigned bits = 0;
        for (int64_t i = 8 * b; i < ib_min64(n, 8 * b + 8); i++) {
            const float r = ib_steps_of(x[i], scale, half_away);
            bits |= (unsigned)(r >= lo && r <= hi) << (i & 7);
            q[i] = (int8_t)(ib_code_within(r, lo, hi) + zero);
        }
        if (mask)
            mask[b] = (uint8_t)bits;
    }
}

void IB_K(dequantize)(ib_device *dev, const ib_coded *x, int64_t n, float *y)
{
    const int8_t *q = x->codes;
    const float scale = *x->scale;
    const int zero = ib_zero_of(x->zero);
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(q[i] - zero) * scale;
}

/* q = clamp(rne(w / scale[row]), -qmax, qmax) */
void IB_K(quantize_rows)(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    const int64_t n = rows * cols, part = n / p->n_scales;
    const float *w = p->w, *scale = p->scale;
    const int qmax = p->qmax;
    int8_t *q = p->q;
    uint8_t *mask = p->mask;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < (n + 7) / 8; b++) {
        unsigned bits = 0;
        int64_t row = 8 * b / part, end = (row + 1) * part; /* of the elements with scale[row] */
        for (int64_t i = 8 * b; i < ib_min64(n, 8 * b + 8); i++) {
            for (; i >= end; end += part)
                row++;
            const float r = ib_steps_of(w[i], scale[row], 0);
            bits |= (unsigned)(r >= (float)-qmax && r <= (float)qmax) << (i & 7);
            q[i] = (int8_t)ib_code_within(r, (float)-qmax, (float)qmax);
        }
        if (mask)
            mask[b] = (uint8_t)bits;
    }
}

/* y = codes * factor of the group * scale of the row */
void IB_K(dequantize_rows)(ib_device *dev, const ib_qweights *w, int64_t rows, int64_t cols, const float *scale,
                           int n_scales, float *y)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t r = 0; r < rows; r++) {
        const float s = scale[n_scales == 1 ? 0 : r];
        const int8_t *codes = w->codes + r * cols;
        if (!w->group_size)
            for (int64_t i = 0; i < cols; i++)
                y[r * cols + i] = (float)codes[i] * s;
        else
            for (int64_t i = 0; i < cols; i++)
                y[r * cols + i] = (float)(codes[i] * w->group_factor[r * w->n_groups + i / w->group_size]) * s;
    }
}

void IB_K(abs_max_rows)(ib_device *dev, const float *w, int64_t rows, int64_t cols, float *y)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t r = 0; r < rows; r++) {
        float best = 0;
        for (int64_t i = 0; i < cols; i++)
            best = fabsf(w[r * cols + i]) > best ? fabsf(w[r * cols + i]) : best;
        y[r] = best;
    }
}

/* dz = dy where the mask's bit is set, else 0 */
void IB_K(where)(ib_device *dev, const float *dy, const uint8_t *mask, float *dz, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        dz[i] = mask[i >> 3] >> (i & 7) & 1 ? dy[i] : 0.0f;
}

/* dx += dy where the mask's bit is set */
void IB_K(grad_where)(ib_device *dev, const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        dx[i] += mask[i >> 3] >> (i & 7) & 1 ? dy[i] : 0.0f;
}

/* The scale of each row with the least squared rounding error among fractions of the row's maximum. */
void IB_K(mse_scale_rows)(ib_device *dev, const float *w, int64_t rows, int64_t cols, int qmax, float *scale)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t r = 0; r < rows; r++) {
        const float *row = w + r * cols;
        float top = 0;
        IB_K(abs_max_rows)(dev, row, 1, cols, &top);
        double best = INFINITY;
        scale[r] = top / (float)qmax;
        for (int t = IB_SCALES_TRIED; t > IB_SCALES_TRIED / 6 && top > 0; t--) {
            const float s = ib_tried_scale(top, t, qmax);
            double error = 0;
            for (int64_t i = 0; i < cols; i++)
                error += ib_squared_error(row[i], s, qmax);
            if (error < best) {
                best = error;
                scale[r] = s;
            }
        }
    }
}

/* Two-level scales (VS-Quant, arXiv:2102.04503): a group's scale is an integer 1..15 times its row's.
 *   s_g = max|w_g| / qmax,  scale = max_g s_g / 15,  factor = ceil(s_g / scale),  q = rne(w / (scale factor)) */
void IB_K(quantize_groups)(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    const float *w = p->w;
    const int qmax = p->qmax, group_size = p->group_size;
    float *scale = p->scale;
    uint8_t *factor = p->factor, *mask = p->mask;
    int8_t *q = p->q;
    const int64_t groups = (cols + group_size - 1) / group_size;
    for (int64_t r = 0; r < rows; r++) {
        float top = 0;
        IB_K(abs_max_rows)(dev, w + r * cols, 1, cols, &top);
        scale[r] = ib_scale_of_groups(top, qmax);
        for (int64_t g = 0; g < groups; g++) {
            const int64_t first = g * group_size, count = ib_min64(group_size, cols - first);
            float group_top = 0;
            IB_K(abs_max_rows)(dev, w + r * cols + first, 1, count, &group_top);
            factor[r * groups + g] = ib_group_factor(group_top, qmax, scale[r]);
            const float s = scale[r] * factor[r * groups + g];
            for (int64_t i = r * cols + first; i < r * cols + first + count; i++)
                q[i] = (int8_t)ib_code_within(rintf(w[i] / s), (float)-qmax, (float)qmax);
        }
    }
    for (int64_t b = 0; mask && b < (rows * cols + 7) / 8; b++)
        mask[b] = 0xFF; /* nothing is clipped but by the ceil's slack */
}

void IB_K(drop_codes)(ib_device *dev, const int8_t *x, const uint8_t *mask, int64_t n, const int32_t *zero, int8_t *y)
{
    const int8_t none = (int8_t)ib_zero_of(zero);
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        y[i] = mask[i >> 3] >> (i & 7) & 1 ? x[i] : none;
}

/* y += gain[row] x */
void IB_K(scale_rows)(ib_device *dev, const float *x, int64_t rows, int64_t cols, const float *gain, float *y)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = r * cols; i < (r + 1) * cols; i++)
            y[i] += gain[r] * x[i];
}

/* y[row] += <x[row], dy[row]> */
void IB_K(dot_rows)(ib_device *dev, const float *x, const float *dy, int64_t rows, int64_t cols, float *y)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t r = 0; r < rows; r++) {
        double dot = 0;
        for (int64_t i = r * cols; i < (r + 1) * cols; i++)
            dot += x[i] * dy[i];
        y[r] += (float)dot;
    }
}

/* y[n,c,hw] = scale[c] acc */
void IB_K(acc_real)(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *y)
{
    const int64_t n = s->n, c = s->c, hw = s->hw;
#pragma omp parallel for schedule(static) if (n * c * hw > IB_SERIAL)
    for (int64_t r = 0; r < n * c; r++)
        for (int64_t i = r * hw; i < (r + 1) * hw; i++)
            y[i] = (float)acc[i] * scale[r % c];
}
