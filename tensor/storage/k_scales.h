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

/* Searches scales and codes of all groups; writes half d, half dmin and the 12 bytes to b. */
static inline void k_encode(const float *x, const float *weight, uint8_t *b, uint8_t *L, int nmax, float rmin,
                            int steps)
{
    float own[32], scale[8], min[8], max_scale = 0, max_min = 0;
    uint8_t *s = b + 4;
    for (int j = 0; j < 8; j++) {
        float sum = 0;
        for (int i = 0; i < 32; i++)
            sum += x[32 * j + i] * x[32 * j + i];
        const float mean = sqrtf(sum / 32);
        for (int i = 0; i < 32; i++)
            own[i] = mean + fabsf(x[32 * j + i]);
        const float *given = weights_of(weight ? weight + 32 * j : NULL, 32);
        scale[j] = IB_STORE(search, scale_min, IB_LEVEL)(32, nmax, x + 32 * j, given ? given : own, L + 32 * j, &min[j],
                                                         rmin, 0.1f, steps, 0);
        max_scale = scale[j] > max_scale ? scale[j] : max_scale;
        max_min = min[j] > max_min ? min[j] : max_min;
    }
    const float inverse_scale = max_scale > 0 ? 63.0f / max_scale : 0, inverse_min = max_min > 0 ? 63.0f / max_min : 0;
    for (int j = 0; j < 8; j++) {
        int ls = (uint8_t)nearest(inverse_scale * scale[j]), lm = (uint8_t)nearest(inverse_min * min[j]);
        ls = ls < 63 ? ls : 63;
        lm = lm < 63 ? lm : 63;
        if (j < 4) {
            s[j] = (uint8_t)ls;
            s[j + 4] = (uint8_t)lm;
        } else {
            s[j + 4] = (uint8_t)((ls & 15) | (lm & 15) << 4);
            s[j - 4] |= (uint8_t)(ls >> 4 << 6);
            s[j] |= (uint8_t)(lm >> 4 << 6);
        }
    }
    put_half(b, max_scale / 63.0f);
    put_half(b + 2, max_min / 63.0f);
    for (int j = 0; j < 8; j++) {
        int ls, lm;
        k_scale_at(s, j, &ls, &lm);
        const float d = half_at(b) * (float)ls, m = half_at(b + 2) * (float)lm;
        for (int i = 32 * j; d && i < 32 * j + 32; i++)
            L[i] = (uint8_t)clamp_int(nearest((x[i] + m) / d), 0, nmax);
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

#endif
