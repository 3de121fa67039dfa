/* int4.c - isobit's int4: 32 elements: half d, nibbles in two's complement (element 2i low); x = q d, q in
 * -7..7. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

ENCODE(int4)
{
    UNWEIGHTED;
    float amax = 0;
    for (int j = 0; j < 32; j++)
        amax = fabsf(x[j]) > amax ? fabsf(x[j]) : amax;
    put_half(b, amax / 7);
    const float d = half_at(b);
    for (int j = 0; j < 16; j++) {
        const int lo = d ? clamp_int(nearest(x[2 * j] / d), -7, 7) : 0,
                  hi = d ? clamp_int(nearest(x[2 * j + 1] / d), -7, 7) : 0;
        b[2 + j] = (uint8_t)((lo & 15) | (hi & 15) << 4);
    }
}

DECODE(int4)
{
    const float d = half_at(b);
    for (int j = 0; j < 16; j++) {
        y[2 * j] = (float)((int8_t)(b[2 + j] << 4) >> 4) * d;
        y[2 * j + 1] = (float)((int8_t)b[2 + j] >> 4) * d;
    }
}

IB_INTEGERS(int4)
{
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[2 * j] = (int8_t)((int8_t)(b[2 + j] << 4) >> 4);
        y->code[2 * j + 1] = (int8_t)((int8_t)b[2 + j] >> 4);
    }
}

RECODE(int4)
{
    for (int j = 0; j < 16; j++)
        b[2 + j] = (uint8_t)((code[2 * j] & 15) | (code[2 * j + 1] & 15) << 4);
}

RESCALE(int4)
{
    put_half(b, y->d);
}
