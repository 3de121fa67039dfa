/* quantize.c - between fp32 values and codes. Masks hold one bit an element, set where the gradient passes: where the
 * code before clamping lies in [qmin, qmax], which reaches half a step beyond the range (as in PyTorch). */
#include <math.h>

#include "backends/cpu/level.h"

/* q = clamp(round(x / scale) + zero), ties to even or (half_away) away from zero. NaN becomes `zero`. */
void IB_K(quantize)(const float *x, int64_t n, float scale, int zero, int qmin, int qmax, int half_away, int8_t *q,
                    uint8_t *mask)
{
    const float lo = (float)(qmin - zero), hi = (float)(qmax - zero);
    const int64_t bytes = (n + 7) / 8;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < bytes; b++) {
        unsigned bits = 0;
        for (int64_t i = 8 * b; i < ib_min64(n, 8 * b + 8); i++) {
            const float t = x[i] / scale, r = half_away ? roundf(t) : rintf(t);
            const int inside = r >= lo && r <= hi;
            bits |= (unsigned)inside << (i & 7);
            q[i] = (int8_t)((int)(inside ? r : r < lo ? lo : r > hi ? hi : 0.0f) + zero);
        }
        if (mask)
            mask[b] = (uint8_t)bits;
    }
}

void IB_K(dequantize)(const int8_t *q, int64_t n, float scale, int zero, float *y)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(q[i] - zero) * scale;
}

/* q = clamp(rne(w / scale[row]), -qmax, qmax) */
void IB_K(quantize_rows)(const float *w, int64_t rows, int64_t cols, const float *scale, int n_scales, int qmax,
                         int8_t *q, uint8_t *mask)
{
    const int64_t n = rows * cols;
    for (int64_t b = 0; b < (n + 7) / 8; b++) {
        unsigned bits = 0;
        for (int64_t i = 8 * b; i < ib_min64(n, 8 * b + 8); i++) {
            const float r = rintf(w[i] / scale[n_scales == 1 ? 0 : i / (n / n_scales)]);
            const int inside = r >= (float)-qmax && r <= (float)qmax;
            bits |= (unsigned)inside << (i & 7);
            q[i] = (int8_t)(inside ? r : r < 0 ? -qmax : r > 0 ? qmax : 0);
        }
        if (mask)
            mask[b] = (uint8_t)bits;
    }
}

/* y = codes * factor of the group * scale of the row */
void IB_K(dequantize_rows)(const ib_qweights *w, int64_t rows, int64_t cols, const float *scale, int n_scales, float *y)
{
    for (int64_t r = 0; r < rows; r++) {
        const float s = scale[n_scales == 1 ? 0 : r];
        for (int64_t i = 0; i < cols; i++) {
            const int f = w->group_size ? w->group_factor[r * w->n_groups + i / w->group_size] : 1;
            y[r * cols + i] = (float)(w->codes[r * cols + i] * f) * s;
        }
    }
}

void IB_K(abs_max_rows)(const float *w, int64_t rows, int64_t cols, float *y)
{
    for (int64_t r = 0; r < rows; r++) {
        float best = 0;
        for (int64_t i = 0; i < cols; i++)
            best = fabsf(w[r * cols + i]) > best ? fabsf(w[r * cols + i]) : best;
        y[r] = best;
    }
}

/* dx += dy where the mask's bit is set */
void IB_K(grad_where)(const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        dx[i] += mask[i >> 3] >> (i & 7) & 1 ? dy[i] : 0.0f;
}
