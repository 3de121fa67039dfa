/* host_types.h - half precision and bfloat16 by CUDA's names: storage, and conversions as plain functions. */
#ifndef IB_CUDA_HOST_TYPES_H
#define IB_CUDA_HOST_TYPES_H

#include <stdint.h>
#include <string.h>

struct __half {
    uint16_t bits;
};
struct __nv_bfloat16 {
    uint16_t bits;
};

static inline uint32_t ib_host_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float ib_host_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* u / 2^drop, ties to even; 0 < drop < 32 */
static inline uint32_t ib_host_drop(uint32_t u, int drop)
{
    const uint32_t rest = u & ((1u << drop) - 1), half = 1u << (drop - 1);
    return (u >> drop) + (rest > half || (rest == half && (u >> drop & 1)));
}

static inline __half __float2half_rn(float x)
{
    const uint32_t u = ib_host_bits(x), sign = u >> 16 & 0x8000, size = u & 0x7FFFFFFF;
    uint32_t h;
    if (size > 0x7F800000)
        return {0x7FFF};      /* NaN, as the device has it */
    if (size >= 0x38800000) { /* 2^-14 and above: the exponent less 112, 13 bits fewer */
        h = ib_host_drop(size - (112u << 23), 13);
        h = h > 0x7C00 || size >= 0x47800000 ? 0x7C00 : h;
    } else { /* units of 2^-24 */
        const int drop = 126 - (int)(size >> 23);
        h = drop > 25 ? 0 : ib_host_drop((size & 0x7FFFFF) | 0x800000, drop);
    }
    return {(uint16_t)(sign | h)};
}

static inline float __half2float(__half x)
{
    const uint32_t sign = (uint32_t)(x.bits & 0x8000) << 16, e = x.bits >> 10 & 31, m = x.bits & 1023;
    if (e == 31)
        return ib_host_float(sign | 0x7F800000 | m << 13);
    if (e)
        return ib_host_float(sign | (e + 112) << 23 | m << 13);
    const float size = (float)m * 0x1p-24f;
    return sign ? -size : size;
}

static inline __nv_bfloat16 __float2bfloat16_rn(float x)
{
    const uint32_t u = ib_host_bits(x);
    if ((u & 0x7FFFFFFF) > 0x7F800000)
        return {0x7FFF};
    return {(uint16_t)ib_host_drop(u, 16)};
}

static inline float __bfloat162float(__nv_bfloat16 x)
{
    return ib_host_float((uint32_t)x.bits << 16);
}

#endif
