/* q1_0.c - 128 elements: half d, 16 bytes of signs; x = d where the bit is set, else -d. */
#include "tensor/storage.h"

ENCODE(q1_0) /* d is the mean of |x| */
{
    UNWEIGHTED;
    float sum = 0;
    for (int i = 0; i < 128; i++)
        sum += fabsf(x[i]);
    put_half(b, sum / 128);
    memset(b + 2, 0, 16);
    for (int i = 0; i < 128; i++)
        b[2 + i / 8] |= (uint8_t)((x[i] >= 0) << i % 8);
}

DECODE(q1_0)
{
    const float d = half_at(b);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++)
            y[8 * i + j] = b[2 + i] >> j & 1 ? d : -d;
}
