/* q5_k.c - as q4_k with a fifth bit: half d, half dmin, 12 bytes of scales and mins, 32 bytes of high bits, 128 of
 * nibbles. */
#include "tensor/storage/k_scales.h"

RECODE(q5_k);

ENCODE(q5_k)
{
    uint8_t L[256];
    NO_ROW;
    k_encode(x, importance, b, L, 31, &(search_steps){-0.5f, 0.1f, 15, 0});
    IB_STORE(q5_k, recode, IB_LEVEL)((const int8_t *)L, b);
}

DECODE(q5_k)
{
    const float d = half_at(b), m = half_at(b + 2);
    for (int j = 0; j < 8; j++) {
        int scale, min;
        k_scale_at(b + 4, j, &scale, &min);
        const float ds = d * (float)scale, dm = m * (float)min;
        const uint8_t *q = b + 48 + 32 * (j / 2);
        const int shift = 4 * (j & 1);
        for (int i = 0; i < 32; i++)
            y[32 * j + i] = ds * (float)((q[i] >> shift & 15) | (b[16 + i] >> j & 1) << 4) - dm;
    }
}

IB_INTEGERS(q5_k)
{
    k_integers(b, y);
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 32; i++)
            y->code[32 * j + i] = (int8_t)((b[48 + 32 * (j / 2) + i] >> 4 * (j & 1) & 15) | (b[16 + i] >> j & 1) << 4);
}

RECODE(q5_k)
{
    memset(b + 16, 0, 32);
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 32; i++) {
            const int lo = code[64 * j + i], hi = code[64 * j + i + 32];
            b[16 + i] |= (uint8_t)((lo >> 4 | hi >> 4 << 1) << 2 * j);
            b[48 + 32 * j + i] = (uint8_t)((lo & 15) | (hi & 15) << 4);
        }
}

RESCALE(q5_k)
{
    k_rescale(y, b);
}
