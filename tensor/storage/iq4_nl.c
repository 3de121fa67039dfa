/* iq4_nl.c - 32 elements: half d, 16 bytes of nibbles that choose from 16 fixed values; x = value[q] d. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

enum { TRIES = 7 };
static const int8_t value[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static int best_index(float x)
{
    if (x <= value[0])
        return 0;
    if (x >= value[15])
        return 15;
    int up = 1;
    while (x >= value[up])
        up++;
    return x - value[up - 1] < value[up] - x ? up - 1 : up;
}

/* sums of w (value x) and w value^2 for the scale 1 / id; w = weight, or x^2 (NULL) */
static void sums(const float *x, const float *weight, float id, float *qx, float *q2)
{
    *qx = *q2 = 0;
    for (int j = 0; j < 32; j++) {
        const float q = value[best_index(id * x[j])], w = weight ? weight[j] : x[j] * x[j];
        *qx += w * q * x[j];
        *q2 += w * q * q;
    }
}

ENCODE(iq4_nl)
{
    float amax = 0, max = 0, d = 0, qx, q2;
    const float *w = weights_of(weight, 32);
    for (int j = 0; j < 32; j++)
        if (fabsf(x[j]) > amax) {
            amax = fabsf(x[j]);
            max = x[j];
        }
    if (amax >= 1e-15f) {
        sums(x, w, 1.0f / (-max / value[0]), &qx, &q2);
        d = qx / q2;
        float best = d * qx;
        for (int t = -TRIES; t <= TRIES; t++) {
            sums(x, w, (float)(t + value[0]) / max, &qx, &q2);
            if (q2 > 0 && qx * qx > best * q2) {
                d = qx / q2;
                best = d * qx;
            }
        }
    }
    put_half(b, d);
    const float id = inverse(d);
    for (int j = 0; j < 16; j++)
        b[2 + j] = (uint8_t)(best_index(id * x[j]) | best_index(id * x[j + 16]) << 4);
}

DECODE(iq4_nl)
{
    const float d = half_at(b);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)value[b[2 + j] & 15];
        y[j + 16] = d * (float)value[b[2 + j] >> 4];
    }
}

IB_INTEGERS(iq4_nl)
{
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = value[b[2 + j] & 15];
        y->code[j + 16] = value[b[2 + j] >> 4];
    }
}
