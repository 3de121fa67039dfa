/* nvfp4.c - 64 elements in 4 groups: 4 scales of 8 bits, 32 bytes of nibbles, each an E2M1 real; x = scale real. ggml's
 * layout of NVFP4: low nibbles are the first 8 of a group, scales are E4M3 without a sign, whose bit is not looked at,
 * and the one that E4M3 says is no number is 0. */
#include "tensor/storage/e2m1.h"

/* Half of the scale. */
static inline float scale_of(uint8_t s)
{
    const int e = s >> 3 & 15, m = s & 7;
    union {
        uint32_t u;
        float f;
    } v = {(uint32_t)(e + 127 - 8) << 23 | (uint32_t)m << 20};
    return s == 0x7f ? 0.0f : e ? v.f : (float)m * 0x1p-10f;
}

/* The nearest scale, halves up; below 2^-6 they are multiples of 2^-9, and from 256 on, as ggml's reference has it,
 * 448. */
static inline uint8_t scale_for(float x)
{
    union {
        float f;
        uint32_t u;
    } v = {x < 448.0f ? x : 448.0f};
    const int e = (int)(v.u >> 23) - 127 + 7;
    if (e <= 0) {
        const int m = (int)(v.f * 512.0f + 0.5f);
        return (uint8_t)(m < 7 ? m : 7);
    }
    const uint32_t rounded = v.u + (1u << 19); /* the mantissa's carry is the exponent's */
    const int s = (int)(rounded >> 20) - ((127 - 7) << 3);
    return (uint8_t)(s < 15 << 3 ? s : 0x7e);
}

ENCODE(nvfp4)
{
    UNWEIGHTED;
    for (int j = 0; j < 4; j++) {
        b[j] = scale_for(e2m1_largest(x + 16 * j, 16) / 6.0f);
        e2m1_put(x + 16 * j, 16, scale_of(b[j]), b + 4 + 8 * j);
    }
}

DECODE(nvfp4)
{
    for (int j = 0; j < 4; j++)
        e2m1_take(b + 4 + 8 * j, 16, scale_of(b[j]), y + 16 * j);
}
