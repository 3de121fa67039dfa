/* q5_1.c - 32 elements: half d, half m, 32 fifth bits, 16 bytes of nibbles; x = q d + m. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

RECODE(q5_1);

ENCODE(q5_1)
{
    uint8_t L[32];
    float min = x[0], max = x[0];
    if (importance) {
        float weight[32];
        weigh(32, x, importance, square, weight);
        put_half(b, IB_STORE(search, scale_min, IB_LEVEL)(32, 31, x, weight, L, &min, &by_importance));
        put_half(b + 2, -min);
    } else {
        for (int j = 1; j < 32; j++) {
            min = x[j] < min ? x[j] : min;
            max = x[j] > max ? x[j] : max;
        }
        const float d = (max - min) / 31, id = inverse(d);
        put_half(b, d);
        put_half(b + 2, min);
        for (int j = 0; j < 32; j++) {
            const int l = (uint8_t)((x[j] - min) * id + 0.5f);
            L[j] = (uint8_t)(l < 31 ? l : 31);
        }
    }
    IB_STORE(q5_1, recode, IB_LEVEL)((const int8_t *)L, b);
}

DECODE(q5_1)
{
    const float d = half_at(b), m = half_at(b + 2);
    uint32_t high;
    memcpy(&high, b + 4, 4);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)((b[8 + j] & 15u) | (high >> j & 1u) << 4) * d + m;
        y[j + 16] = (float)((b[8 + j] >> 4) | (high >> (j + 16) & 1u) << 4) * d + m;
    }
}

IB_INTEGERS(q5_1)
{
    uint32_t high;
    memcpy(&high, b + 4, 4);
    y->d = half_at(b);
    y->m = half_at(b + 2);
    y->scale[0] = y->scale[1] = 1;
    y->min[0] = y->min[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = (int8_t)((b[8 + j] & 15u) | (high >> j & 1u) << 4);
        y->code[j + 16] = (int8_t)((b[8 + j] >> 4) | (high >> (j + 16) & 1u) << 4);
    }
}

RECODE(q5_1)
{
    uint32_t high = 0;
    for (int j = 0; j < 16; j++) {
        const unsigned lo = (unsigned)(code[j]), up = (unsigned)(code[j + 16]);
        b[8 + j] = (uint8_t)((lo & 15) | (up & 15) << 4);
        high |= (lo >> 4) << j | (up >> 4) << (j + 16);
    }
    memcpy(b + 4, &high, 4);
}

RESCALE(q5_1)
{
    put_half(b, y->d);
    put_half(b + 2, y->m);
}
