/* q5_0.c - 32 elements: half d, 32 fifth bits, 16 bytes of nibbles; x = (q - 16) d. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

RECODE(q5_0);

ENCODE(q5_0)
{
    int8_t L[32];
    float amax = 0, max = 0;
    if (importance) {
        float weight[32];
        weigh(32, x, importance, square, weight);
        put_half(b, IB_STORE(search, scale, IB_LEVEL)(32, 16, x, weight, L));
        for (int j = 0; j < 32; j++)
            L[j] = (int8_t)(L[j] - 16);
    } else {
        for (int j = 0; j < 32; j++)
            if (fabsf(x[j]) > amax) {
                amax = fabsf(x[j]);
                max = x[j];
            }
        const float d = max / -16, id = inverse(d);
        put_half(b, d);
        for (int j = 0; j < 32; j++) {
            const int l = (int8_t)(x[j] * id + 16.5f);
            L[j] = (int8_t)((l < 31 ? l : 31) - 16);
        }
    }
    IB_STORE(q5_0, recode, IB_LEVEL)(L, b);
}

DECODE(q5_0)
{
    const float d = half_at(b);
    uint32_t high;
    memcpy(&high, b + 2, 4);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)((int)((b[6 + j] & 15u) | (high >> j & 1u) << 4) - 16) * d;
        y[j + 16] = (float)((int)((b[6 + j] >> 4) | (high >> (j + 16) & 1u) << 4) - 16) * d;
    }
}

IB_INTEGERS(q5_0)
{
    uint32_t high;
    memcpy(&high, b + 2, 4);
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = (int8_t)((int)((b[6 + j] & 15u) | (high >> j & 1u) << 4) - 16);
        y->code[j + 16] = (int8_t)((int)((b[6 + j] >> 4) | (high >> (j + 16) & 1u) << 4) - 16);
    }
}

RECODE(q5_0)
{
    uint32_t high = 0;
    for (int j = 0; j < 16; j++) {
        const unsigned lo = (unsigned)(code[j] + 16), up = (unsigned)(code[j + 16] + 16);
        b[6 + j] = (uint8_t)((lo & 15) | (up & 15) << 4);
        high |= (lo >> 4) << j | (up >> 4) << (j + 16);
    }
    memcpy(b + 2, &high, 4);
}

RESCALE(q5_0)
{
    put_half(b, y->d);
}
