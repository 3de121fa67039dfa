/* q4_0.c - 32 elements: half d, 16 bytes of nibbles (element j low, j + 16 high); x = (q - 8) d. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

RECODE(q4_0);

ENCODE(q4_0)
{
    int8_t L[32];
    float amax = 0, max = 0;
    if (importance) {
        float weight[32];
        weigh(32, x, importance, square, weight);
        put_half(b, IB_STORE(search, scale, IB_LEVEL)(32, 8, x, weight, L));
        for (int j = 0; j < 32; j++)
            L[j] = (int8_t)(L[j] - 8);
    } else {
        for (int j = 0; j < 32; j++)
            if (fabsf(x[j]) > amax) {
                amax = fabsf(x[j]);
                max = x[j];
            }
        const float d = max / -8, id = inverse(d);
        put_half(b, d);
        for (int j = 0; j < 32; j++) {
            const int l = (int8_t)(x[j] * id + 8.5f);
            L[j] = (int8_t)((l < 15 ? l : 15) - 8);
        }
    }
    IB_STORE(q4_0, recode, IB_LEVEL)(L, b);
}

DECODE(q4_0)
{
    const float d = half_at(b);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)((b[2 + j] & 15) - 8) * d;
        y[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
    }
}

IB_INTEGERS(q4_0)
{
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = (int8_t)((b[2 + j] & 15) - 8);
        y->code[j + 16] = (int8_t)((b[2 + j] >> 4) - 8);
    }
}

RECODE(q4_0)
{
    for (int j = 0; j < 16; j++)
        b[2 + j] = (uint8_t)((code[j] + 8) | (code[j + 16] + 8) << 4);
}

RESCALE(q4_0)
{
    put_half(b, y->d);
}
