/* ternary.h - what tq1_0 and tq2_0 share: codes -1, 0 and 1 times the largest value of 256. */
#ifndef IB_TENSOR_STORAGE_TERNARY_H
#define IB_TENSOR_STORAGE_TERNARY_H

#include "tensor/storage.h"
#include "tensor/storage/integers.h"

/* Codes of x[256], 1 more than they are, of the scale that is returned; halves away from zero, as ggml's reference. */
static inline float ternary_codes(const float *x, uint8_t *q)
{
    float d = 0;
    for (int i = 0; i < 256; i++)
        d = fabsf(x[i]) > d ? fabsf(x[i]) : d;
    const float id = inverse(d);
    for (int i = 0; i < 256; i++)
        q[i] = (uint8_t)(1 + (x[i] * id >= 0.5f) - (x[i] * id <= -0.5f));
    return d;
}

/* Of codes 1 more than they are. */
static inline void ternary_integers(float d, const uint8_t *q, ib_integers *y)
{
    y->d = d;
    y->m = 0;
    memset(y->scale, 1, sizeof y->scale);
    for (int i = 0; i < 256; i++)
        y->code[i] = (int8_t)(q[i] - 1);
}

#endif
