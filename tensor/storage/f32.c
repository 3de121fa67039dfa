/* f32.c - single precision; the block is one element, as in f16.c and bf16.c. */
#include "tensor/storage.h"

ENCODE(f32)
{
    UNWEIGHTED;
    memcpy(b, x, 4);
}
DECODE(f32)
{
    memcpy(y, b, 4);
}
