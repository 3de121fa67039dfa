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
    *y = bf16_at(b);
}
