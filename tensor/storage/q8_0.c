/* q8_0.c - 32 elements: half d, 32 signed bytes; x = q d. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

ENCODE(q8_0)
{
    UNWEIGHTED;
    float amax = 0;
    for (int j = 0; j < 32; j++)
        amax = fabsf(x[j]) > amax ? fabsf(x[j]) : amax;
    const float d = amax / 127, id = inverse(d);
    put_half(b, d);
    for (int j = 0; j < 32; j++)
        b[2 + j] = (uint8_t)(int8_t)roundf(x[j] * id);
}

DECODE(q8_0)
{
    const float d = half_at(b);
    for (int j = 0; j < 32; j++)
        y[j] = (float)(int8_t)b[2 + j] * d;
}

IB_INTEGERS(q8_0)
{
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    memcpy(y->code, b + 2, 32);
}

RECODE(q8_0)
{
    memcpy(b + 2, code, 32);
}

RESCALE(q8_0)
{
    put_half(b, y->d);
}
