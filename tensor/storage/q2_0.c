/* q2_0.c - 64 elements: half d, 16 bytes of 2 bits each, neighbours in a byte; x = d (q - 1), q - 1 = -1 .. 2. */
#include "tensor/storage.h"

ENCODE(q2_0) /* d is the largest |x|, so that 2 d is never used */
{
    UNWEIGHTED;
    float d = 0;
    for (int i = 0; i < 64; i++)
        d = fabsf(x[i]) > d ? fabsf(x[i]) : d;
    const float id = inverse(d);
    put_half(b, d);
    memset(b + 2, 0, 16);
    for (int i = 0; i < 64; i++)
        b[2 + i / 4] |= (uint8_t)((1 + (x[i] * id >= 0.5f) - (x[i] * id <= -0.5f)) << 2 * (i % 4));
}

DECODE(q2_0)
{
    const float d = half_at(b);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++)
            y[4 * i + j] = (float)((b[2 + i] >> 2 * j & 3) - 1) * d;
}
