/* k_scales.h - the eight 6-bit scales and mins in 12 bytes that q4_k and q5_k share. */
#ifndef IB_TENSOR_STORAGE_K_SCALES_H
#define IB_TENSOR_STORAGE_K_SCALES_H

#include "tensor/storage.h"
#include "tensor/storage/integers.h"

static inline void k_scale_at(const uint8_t *s, int j, int *scale, int *min)
{
    *scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
    *min = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
}

/* In the order of j. */
static inline void k_put_scale(uint8_t *s, int j, int scale, int min)
{
    if (j < 4) {
        s[j] = (uint8_t)scale;
        s[j + 4] = (uint8_t)min;
        return;
    }
    s[j + 4] = (uint8_t)((scale & 15) | (min & 15) << 4);
    s[j - 4] |= (uint8_t)(scale >> 4 << 6);
    s[j] |= (uint8_t)(min >> 4 << 6);
}

/* Searches scales and codes of all groups; writes half d, half dmin and the 12 bytes to b. */
static inline void k_encode(const float *x, const float *importance, uint8_t *b, uint8_t *L, int nmax,
                            const search_steps *steps)
{
    float weight[32], sum[8], scale[8], min[8], max_scale = 0, max_min = 0, d, dmin;
    const float square = importance ? 2 * mean_square(x, 256) : 0;
    uint8_t ls[8], lm[8], *s = b + 4;
    for (int j = 0; j < 8; j++) {
        const float *at = x + 32 * j;
        if (importance) {
            sum[j] = weigh(32, at, importance + 32 * j, square, weight);
        } else {
            const float mean = sqrtf(mean_square(at, 32));
            for (int i = 0; i < 32; i++)
                weight[i] = mean + fabsf(at[i]);
        }
        scale[j] = IB_STORE(search, scale_min, IB_LEVEL)(32, nmax, at, weight, L + 32 * j, &min[j],
                                                         importance ? &by_importance : steps);
        max_scale = scale[j] > max_scale ? scale[j] : max_scale;
        max_min = min[j] > max_min ? min[j] : max_min;
    }
    if (importance) {
        d = IB_STORE(search, positive, IB_LEVEL)(8, 63, scale, sum, ls);
        dmin = IB_STORE(search, positive, IB_LEVEL)(8, 63, min, sum, lm);
    } else {
        const float by_scale = max_scale > 0 ? 63.0f / max_scale : 0, by_min = max_min > 0 ? 63.0f / max_min : 0;
        d = max_scale / 63.0f;
        dmin = max_min / 63.0f;
        for (int j = 0; j < 8; j++) {
            ls[j] = (uint8_t)nearest(by_scale * scale[j]);
            lm[j] = (uint8_t)nearest(by_min * min[j]);
        }
    }
    put_half(b, d);
    put_half(b + 2, dmin);
    for (int j = 0; j < 8; j++)
        k_put_scale(s, j, ls[j] < 63 ? ls[j] : 63, lm[j] < 63 ? lm[j] : 63);
    for (int j = 0; j < 8; j++) {
        const float step = half_at(b) * (float)(ls[j] < 63 ? ls[j] : 63),
                    m = half_at(b + 2) * (float)(lm[j] < 63 ? lm[j] : 63);
        for (int i = 32 * j; step && i < 32 * j + 32; i++)
            L[i] = (uint8_t)clamp_int(nearest((x[i] + m) / step), 0, nmax);
    }
}

/* All but the codes of a block that begins with half d, half dmin and the 12 bytes. */
static inline void k_integers(const uint8_t *b, ib_integers *y)
{
    y->d = half_at(b);
    y->m = -half_at(b + 2);
    for (int j = 0; j < 8; j++) {
        int scale, min;
        k_scale_at(b + 4, j, &scale, &min);
        y->scale[2 * j] = y->scale[2 * j + 1] = (int8_t)scale;
        y->min[2 * j] = y->min[2 * j + 1] = (uint8_t)min;
    }
}

static inline void k_rescale(const ib_integers *y, uint8_t *b)
{
    put_half(b, y->d);
    put_half(b + 2, -y->m);
    for (int j = 0; j < 8; j++)
        k_put_scale(b + 4, j, y->scale[2 * j], y->min[2 * j]);
}

#endif
