/* q4_1.c - 32 elements: half d, half m, 16 bytes of nibbles; x = q d + m. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

RECODE(q4_1);

ENCODE(q4_1)
{
    uint8_t L[32];
    float min = x[0], max = x[0];
    if (importance) {
        float weight[32];
        weigh(32, x, importance, square, weight);
        put_half(b, IB_STORE(search, scale_min, IB_LEVEL)(32, 15, x, weight, L, &min, &by_importance));
        put_half(b + 2, -min);
    } else {
        for (int j = 1; j < 32; j++) {
            min = x[j] < min ? x[j] : min;
            max = x[j] > max ? x[j] : max;
        }
        const float d = (max - min) / 15, id = inverse(d);
        put_half(b, d);
        put_half(b + 2, min);
        for (int j = 0; j < 32; j++) {
            const int l = (uint8_t)((x[j] - min) * id + 0.5f);
            L[j] = (uint8_t)(l < 15 ? l : 15);
        }
    }
    IB_STORE(q4_1, recode, IB_LEVEL)((const int8_t *)L, b);
}

DECODE(q4_1)
{
    const float d = half_at(b), m = half_at(b + 2);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)(b[4 + j] & 15) * d + m;
        y[j + 16] = (float)(b[4 + j] >> 4) * d + m;
    }
}

IB_INTEGERS(q4_1)
{
    y->d = half_at(b);
    y->m = half_at(b + 2);
    y->scale[0] = y->scale[1] = 1;
    y->min[0] = y->min[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = (int8_t)(b[4 + j] & 15);
        y->code[j + 16] = (int8_t)(b[4 + j] >> 4);
    }
}

RECODE(q4_1)
{
    for (int j = 0; j < 16; j++)
        b[4 + j] = (uint8_t)((code[j]) | (code[j + 16]) << 4);
}

RESCALE(q4_1)
{
    put_half(b, y->d);
    put_half(b + 2, y->m);
}
