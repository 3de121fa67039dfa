/* half.c - half precision and bfloat16. */
#include "tensor/storage.h"

float ib_half_to_float(uint16_t h)
{
    const uint8_t b[2] = {(uint8_t)h, (uint8_t)(h >> 8)};
    return half_at(b);
}

uint16_t ib_float_to_half(float x)
{
    union {
        float f;
        uint32_t u;
    } v = {x};
    const uint16_t sign = (uint16_t)((v.u >> 16) & 0x8000u);
    const uint32_t a = v.u & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (a >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (a < 0x38800000u) { /* subnormal: adding 0.5 puts the last bit of a half into the last bit of the sum */
        union {
            uint32_t u;
            float f;
        } s = {a};
        s.f += 0.5f;
        return (uint16_t)(sign | (s.u - 0x3f000000u));
    }
    return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13));
}

float ib_bf16_to_float(uint16_t h)
{
    const uint8_t b[2] = {(uint8_t)h, (uint8_t)(h >> 8)};
    return bf16_at(b);
}

uint16_t ib_float_to_bf16(float x)
{
    union {
        float f;
        uint32_t u;
    } v = {x};
    if ((v.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((v.u >> 16) | 64u);
    return (uint16_t)((v.u + 0x7fffu + ((v.u >> 16) & 1u)) >> 16);
}
