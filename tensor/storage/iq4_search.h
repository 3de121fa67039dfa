/* iq4_search.h - the scale of 32 values that iq4_nl and iq4_xs search for, as ggml's reference does. */
#ifndef IB_TENSOR_STORAGE_IQ4_SEARCH_H
#define IB_TENSOR_STORAGE_IQ4_SEARCH_H

#include "tensor/storage.h"
#include "tensor/storage/iq4_values.h"

enum { IQ4_TRIES = 7 };

/* sums of w (value x) and w value^2 for the scale 1 / id */
static inline void iq4_sums(const float *x, const float *weight, float id, float *qx, float *q2)
{
    *qx = *q2 = 0;
    for (int j = 0; j < 32; j++) {
        const float q = ib_iq4_value[ib_iq4_index(id * x[j])], w = weight[j];
        *qx += w * q * x[j];
        *q2 += w * q * q;
    }
}

/* Of 16 trial scales the one that explains most: maximal (sum w q x)^2 / sum w q^2. Columns of an importance weigh
 * beside it with twice the mean square of the block. */
static inline float iq4_scale(const float *x, const float *importance, float square)
{
    float amax = 0, max = 0, d, qx, q2, w[32];
    if (importance)
        weigh(32, x, importance, square, w);
    for (int j = 0; !importance && j < 32; j++)
        w[j] = x[j] * x[j];
    for (int j = 0; j < 32; j++)
        if (fabsf(x[j]) > amax) {
            amax = fabsf(x[j]);
            max = x[j];
        }
    if (amax < 1e-15f)
        return 0;
    iq4_sums(x, w, 1.0f / (-max / ib_iq4_value[0]), &qx, &q2);
    d = q2 > 0 ? qx / q2 : 0;
    float best = d * qx;
    for (int t = -IQ4_TRIES; t <= IQ4_TRIES; t++) {
        iq4_sums(x, w, (float)(t + ib_iq4_value[0]) / max, &qx, &q2);
        if (q2 > 0 && qx * qx > best * q2) {
            d = qx / q2;
            best = d * qx;
        }
    }
    return d;
}

/* The 16 bytes of 32 codes: the nearest values of id x. */
static inline void iq4_put(const float *x, float id, uint8_t *b)
{
    for (int j = 0; j < 16; j++)
        b[j] = (uint8_t)(ib_iq4_index(id * x[j]) | ib_iq4_index(id * x[j + 16]) << 4);
}

#endif
