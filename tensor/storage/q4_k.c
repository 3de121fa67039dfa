/* q4_k.c - 256 elements in 8 groups: half d, half dmin, 12 bytes of scales and mins, 128 bytes of nibbles;
 * x = d scale q - dmin min. */
#include "tensor/storage/k_scales.h"

RECODE(q4_k);

ENCODE(q4_k)
{
    uint8_t L[256];
    NO_ROW;
    k_encode(x, importance, b, L, 15, &(search_steps){-1.0f, 0.1f, 20, 0});
    IB_STORE(q4_k, recode, IB_LEVEL)((const int8_t *)L, b);
}

DECODE(q4_k)
{
    const float d = half_at(b), m = half_at(b + 2);
    for (int j = 0; j < 8; j++) {
        int scale, min;
        k_scale_at(b + 4, j, &scale, &min);
        const float ds = d * (float)scale, dm = m * (float)min;
        const uint8_t *q = b + 16 + 32 * (j / 2);
        const int shift = 4 * (j & 1);
        for (int i = 0; i < 32; i++)
            y[32 * j + i] = ds * (float)(q[i] >> shift & 15) - dm;
    }
}

IB_INTEGERS(q4_k)
{
    k_integers(b, y);
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 32; i++)
            y->code[32 * j + i] = (int8_t)(b[16 + 32 * (j / 2) + i] >> 4 * (j & 1) & 15);
}

RECODE(q4_k)
{
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 32; i++)
            b[16 + 32 * j + i] = (uint8_t)(code[64 * j + i] | code[64 * j + i + 32] << 4);
}

RESCALE(q4_k)
{
    k_rescale(y, b);
}
