/* tq2_0.c - 256 elements: 64 bytes of 2 bits each, half d; x = d (q - 1). Bits 2 k of byte i of a half are element
 * 32 k + i of it. */
#include "tensor/storage/ternary.h"

static inline int code_of(const uint8_t *b, int i)
{
    return b[32 * (i / 128) + i % 32] >> 2 * (i / 32 & 3) & 3;
}

ENCODE(tq2_0)
{
    UNWEIGHTED;
    uint8_t q[256];
    put_half(b + 64, ternary_codes(x, q));
    for (int i = 0; i < 64; i++) {
        const uint8_t *of = q + 128 * (i / 32) + i % 32;
        b[i] = (uint8_t)(of[0] | of[32] << 2 | of[64] << 4 | of[96] << 6);
    }
}

DECODE(tq2_0)
{
    const float d = half_at(b + 64);
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 32; i++)
            y[32 * j + i] = (float)(code_of(b, 32 * j + i) - 1) * d;
}

IB_INTEGERS(tq2_0)
{
    uint8_t q[256];
    for (int i = 0; i < 256; i++)
        q[i] = (uint8_t)code_of(b, i);
    ternary_integers(half_at(b + 64), q, y);
}
