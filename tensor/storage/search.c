/* search.c - weighted searches for scales, as ggml does them (ggml-quants.c: make_qkx2_quants and make_qkx3_quants,
 * make_qx_quants, make_qp_quants). */
#include "tensor/storage.h"

/* For each trial scale the codes are fixed and scale and min follow by weighted least squares:
 *   scale = (W Sxl - Sx Sl) / D,  min = (Sl2 Sx - Sl Sxl) / D,  D = W Sl2 - Sl^2;  min > 0 is not representable. */
float IB_STORE(search, scale_min, IB_LEVEL)(int n, int nmax, const float *x, const float *weight, uint8_t *L,
                                            float *minus_min, const search_steps *range)
{
    float min = x[0], max = x[0], sum_w = weight[0], sum_x = sum_w * x[0], best = 0;
    uint8_t trial[32];
    for (int i = 1; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        sum_w += weight[i];
        sum_x += weight[i] * x[i];
    }
    min = min > 0 ? 0 : min;
    if (max == min) {
        memset(L, 0, (size_t)n);
        *minus_min = -min;
        return 0;
    }
    float inverse = (float)nmax / (max - min), scale = 1 / inverse;
    for (int i = 0; i < n; i++) {
        L[i] = (uint8_t)clamp_int(nearest(inverse * (x[i] - min)), 0, nmax);
        const float e = scale * (float)L[i] + min - x[i];
        best += weight[i] * (range->absolute ? fabsf(e) : e * e);
    }
    for (int s = 0; s <= range->steps; s++) { /* trial codes count from the best min so far, as the reference's */
        float sum_l = 0, sum_l2 = 0, sum_xl = 0;
        inverse = (range->first + range->step * (float)s + (float)nmax) / (max - min);
        for (int i = 0; i < n; i++) {
            const int l = clamp_int(nearest(inverse * (x[i] - min)), 0, nmax);
            const float w = weight[i], f = (float)l;
            trial[i] = (uint8_t)l;
            sum_l += w * f;
            sum_l2 += w * f * f;
            sum_xl += w * f * x[i];
        }
        const float D = sum_w * sum_l2 - sum_l * sum_l;
        if (!(D > 0))
            continue;
        float this_scale = (sum_w * sum_xl - sum_x * sum_l) / D, this_min = (sum_l2 * sum_x - sum_l * sum_xl) / D,
              error = 0;
        if (this_min > 0) {
            this_min = 0;
            this_scale = sum_xl / sum_l2;
        }
        for (int i = 0; i < n; i++) {
            const float e = this_scale * (float)trial[i] + this_min - x[i];
            error += weight[i] * (range->absolute ? fabsf(e) : e * e);
        }
        if (error < best) {
            memcpy(L, trial, (size_t)n);
            best = error;
            scale = this_scale;
            min = this_min;
        }
    }
    *minus_min = -min;
    return scale;
}

/* Of 19 trial scales the one that explains most: maximal (sum w x l)^2 / sum w l^2. */
float IB_STORE(search, scale, IB_LEVEL)(int n, int nmax, const float *x, const float *weight, int8_t *L)
{
    float max = 0, amax = 0, scale = 0, best = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > amax) {
            amax = fabsf(x[i]);
            max = x[i];
        }
    if (n <= 0)
        return 0;
    memset(L, 0, (size_t)n);
    if (amax < 1e-15f)
        return 0;
    for (int t = 0; t < 19; t++) {
        const int s = t == 0 ? 0 : t <= 9 ? t - 10 : t - 9; /* 0, then -9 .. -1, 1 .. 9 */
        const float inverse = s ? -((float)nmax + 0.1f * (float)s) / max : -(float)nmax / max;
        float xl = 0, l2 = 0;
        for (int i = 0; i < n; i++) {
            const float l = (float)clamp_int(nearest(inverse * x[i]), -nmax, nmax - 1),
                        w = weight ? weight[i] : x[i] * x[i];
            xl += w * x[i] * l;
            l2 += w * l * l;
        }
        if (t && !(l2 > 0 && xl * xl > best * l2))
            continue;
        for (int i = 0; i < n; i++)
            L[i] = (int8_t)(nmax + clamp_int(nearest(inverse * x[i]), -nmax, nmax - 1));
        scale = l2 ? xl / l2 : 0;
        best = scale * xl;
    }
    return scale;
}

/* Of 9 trial scales the one of the least error, then up to five rounds that move single codes while
 * (sum w x l)^2 / sum w l^2 rises. Codes are kept in bytes, as the reference's. */
float IB_STORE(search, positive, IB_LEVEL)(int n, int nmax, const float *x, const float *weight, uint8_t *L)
{
    float max = 0, best = 0, xl = 0, l2 = 0;
    for (int i = 0; i < n; i++)
        max = max > x[i] ? max : x[i];
    for (int i = 0; i < n; i++)
        L[i] = 0;
    if (max < 1e-15f)
        return 0;
    float inverse = (float)nmax / max;
    for (int t = 0; t < 9; t++) { /* 0, then -4 .. -1, 1 .. 4 */
        const int s = t == 0 ? 0 : t <= 4 ? t - 5 : t - 4;
        const float trial = s ? (0.1f * (float)s + (float)nmax) / max : (float)nmax / max, scale = 1 / trial;
        float error = 0;
        for (int i = 0; i < n; i++) {
            const int l = nearest(trial * x[i]);
            const float e = x[i] - scale * (float)(s ? (l < nmax ? l : nmax) : (uint8_t)l);
            error += weight[i] * e * e;
        }
        if (!t || error < best) {
            best = error;
            inverse = trial;
        }
    }
    for (int i = 0; i < n; i++) {
        const int l = nearest(inverse * x[i]) < nmax ? nearest(inverse * x[i]) : nmax;
        L[i] = (uint8_t)l;
        xl += weight[i] * x[i] * (float)l;
        l2 += weight[i] * (float)l * (float)l;
    }
    for (int round = 0, changed = 1; round < 5 && changed; round++) {
        changed = 0;
        for (int i = 0; i < n; i++) {
            const float w = weight[i], old = (float)L[i];
            float others_xl = xl - w * x[i] * old, others_l2 = l2 - w * old * old;
            if (!(others_xl > 0 && others_l2 > 0))
                continue;
            const int rounded = nearest(x[i] * others_l2 / others_xl), l = rounded < nmax ? rounded : nmax;
            if (l == L[i])
                continue;
            others_xl += w * x[i] * (float)l;
            others_l2 += w * (float)l * (float)l;
            if (others_xl * others_xl * l2 > xl * xl * others_l2) {
                L[i] = (uint8_t)l;
                xl = others_xl;
                l2 = others_l2;
                changed = 1;
            }
        }
    }
    return l2 > 0 ? xl / l2 : 0;
}
