/* f16.c - half precision. */
#include "tensor/storage.h"

ENCODE(f16)
{
    UNWEIGHTED;
    put_half(b, *x);
}
DECODE(f16)
{
    *y = half_at(b);
}
