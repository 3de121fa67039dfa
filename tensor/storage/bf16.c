/* bf16.c - bfloat16. */
#include "tensor/storage.h"

ENCODE(bf16)
{
    UNWEIGHTED;
    const uint16_t h = ib_float_to_bf16(*x);
    memcpy(b, &h, 2);
}
DECODE(bf16)
{
    uint16_t h;
    memcpy(&h, b, 2);
    *y = ib_bf16_to_float(h);
}
