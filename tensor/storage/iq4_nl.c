/* iq4_nl.c - 32 elements: half d, 16 bytes of nibbles that choose from 16 fixed values; x = ib_iq4_value[q] d. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"
#include "tensor/storage/iq4_values.h"

enum { TRIES = 7 };

/* sums of w (value x) and w value^2 for the scale 1 / id */
static void sums(const float *x, const float *weight, float id, float *qx, float *q2)
{
    *qx = *q2 = 0;
    for (int j = 0; j < 32; j++) {
        const float q = ib_iq4_value[ib_iq4_index(id * x[j])], w = weight[j];
        *qx += w * q * x[j];
        *q2 += w * q * q;
    }
}

ENCODE(iq4_nl)
{
    float amax = 0, max = 0, d = 0, qx, q2;
    NO_ROW;
    float w[32];
    if (importance)
        weigh(32, x, importance, 2 * mean_square(x, 32), w);
    for (int j = 0; !importance && j < 32; j++)
        w[j] = x[j] * x[j];
    for (int j = 0; j < 32; j++)
        if (fabsf(x[j]) > amax) {
            amax = fabsf(x[j]);
            max = x[j];
        }
    if (amax >= 1e-15f) {
        sums(x, w, 1.0f / (-max / ib_iq4_value[0]), &qx, &q2);
        d = q2 > 0 ? qx / q2 : 0;
        float best = d * qx;
        for (int t = -TRIES; t <= TRIES; t++) {
            sums(x, w, (float)(t + ib_iq4_value[0]) / max, &qx, &q2);
            if (q2 > 0 && qx * qx > best * q2) {
                d = qx / q2;
                best = d * qx;
            }
        }
    }
    put_half(b, d);
    const float id = inverse(d);
    for (int j = 0; j < 16; j++)
        b[2 + j] = (uint8_t)(ib_iq4_index(id * x[j]) | ib_iq4_index(id * x[j + 16]) << 4);
}

DECODE(iq4_nl)
{
    const float d = half_at(b);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)ib_iq4_value[b[2 + j] & 15];
        y[j + 16] = d * (float)ib_iq4_value[b[2 + j] >> 4];
    }
}

IB_INTEGERS(iq4_nl)
{
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = ib_iq4_value[b[2 + j] & 15];
        y->code[j + 16] = ib_iq4_value[b[2 + j] >> 4];
    }
}

RECODE(iq4_nl)
{
    for (int j = 0; j < 16; j++)
        b[2 + j] = (uint8_t)(ib_iq4_index(code[j]) | ib_iq4_index(code[j + 16]) << 4);
}

RESCALE(iq4_nl)
{
    put_half(b, y->d);
}
