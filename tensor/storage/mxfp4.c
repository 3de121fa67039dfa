/* mxfp4.c - 32 elements: byte e, 16 bytes of nibbles, each an E2M1 real; x = 2^(e - 127) real. ggml's layout of OCP's
 * MXFP4: low nibbles are the first 16. */
#include "tensor/storage/e2m1.h"
#include "tensor/storage/integers.h"

/* The largest value lies in the binade of 4 .. 6, the largest reals. ggml's reference takes log2f() of it, which a
 * little below a power of two is whole already. */
ENCODE(mxfp4)
{
    UNWEIGHTED;
    const float most = e2m1_largest(x, 32);
    const int e = most > 0 ? (int)floorf(log2f(most)) - 2 + 127 : 0;
    b[0] = (uint8_t)clamp_int(e, 0, 255);
    e2m1_put(x, 32, half_power(b[0]), b + 1);
}

DECODE(mxfp4)
{
    e2m1_take(b + 1, 32, half_power(b[0]), y);
}

IB_INTEGERS(mxfp4)
{
    y->d = half_power(b[0]);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = ib_e2m1_twice[b[1 + j] & 15];
        y->code[j + 16] = ib_e2m1_twice[b[1 + j] >> 4];
    }
}
