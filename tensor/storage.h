/* storage.h - inside the library: how the files of tensor/storage/ are written.
 *
 * Each is compiled once per level of the CPU (backends/cpu/level.h), because decoding blocks is the inner loop of
 * every product with a frozen matrix. Contraction is off, so every level gives the same bytes. */
#ifndef IB_TENSOR_STORAGE_H
#define IB_TENSOR_STORAGE_H

#include <isobit/matrix.h>
#include <math.h>
#include <string.h>

#include "tensor/storage_places.h"

#define IB_STORE2(name, what, level) ib_##name##_##what##_##level
#define IB_STORE(name, what, level) IB_STORE2(name, what, level)
/* restrict: bytes may alias anything, which keeps loops from vectorizing */
/* The block as ggml has it: by its reference (quantize_row_<name>_ref), or where columns have an importance by its
 * search (quantize_row_<name>_impl), for which `square` is the mean square of the row. */
#define ENCODE(name)                                                                                                   \
    void IB_STORE(name, encode, IB_LEVEL)(const float *restrict x, const float *restrict importance, float square,     \
                                          uint8_t *restrict b)
#define UNWEIGHTED (void)importance, (void)square /* its scales follow from the largest values */
#define NO_ROW (void)square                       /* its searches look at blocks alone */
/* What follows decodes a block; of it are made ib_<name>_decode_<level>, and _decode_run_, of blocks one behind the
 * other, without a call for each. */
#define DECODE(name)                                                                                                   \
    static inline void name##_block(const uint8_t *restrict b, float *restrict y);                                     \
    void IB_STORE(name, decode, IB_LEVEL)(const uint8_t *restrict b, float *restrict y)                                \
    {                                                                                                                  \
        name##_block(b, y);                                                                                            \
    }                                                                                                                  \
    void IB_STORE(name, decode_run, IB_LEVEL)(const uint8_t *restrict b, int64_t blocks, float *restrict y)            \
    {                                                                                                                  \
        for (int64_t i = 0; i < blocks; i++)                                                                           \
            name##_block(b + i * IB_BYTES_##name, y + i * IB_BLOCK_##name);                                            \
    }                                                                                                                  \
    static inline void name##_block(const uint8_t *restrict b, float *restrict y)

extern const float ib_code_nf4[16], ib_code_fp4[16];

/* 2^112 lifts a half's exponent field, moved into a float's place, to its value; subnormals come out exactly. */
static inline float half_at(const uint8_t *b)
{
    const uint32_t h = (uint32_t)(b[0] | b[1] << 8), sign = (h & 0x8000u) << 16;
    union {
        uint32_t u;
        float f;
    } v = {(h & 0x7fffu) << 13};
    v.f *= 0x1p112f;
    if ((h & 0x7c00u) == 0x7c00u)
        v.u = 0x7f800000u | (h & 0x3ffu) << 13;
    v.u |= sign;
    return v.f;
}

static inline float bf16_at(const uint8_t *b)
{
    union {
        uint32_t u;
        float f;
    } v = {(uint32_t)(b[0] | b[1] << 8) << 16};
    return v.f;
}

static inline void put_half(uint8_t *b, float x)
{
    const uint16_t h = ib_float_to_half(x);
    b[0] = (uint8_t)h;
    b[1] = (uint8_t)(h >> 8);
}

/* Round to nearest even, as ggml's reference; what no int holds, and what is no number, becomes the least of them, as
 * x86 has it. */
static inline int nearest(float x)
{
    return x >= -0x1p31f && x < 0x1p31f ? (int)rintf(x) : INT32_MIN;
}
/* 0 of a step so small that fp32 holds no inverse: as 16-bit scale it is 0 as well. */
static inline float inverse(float d)
{
    const float id = 1.0f / d;
    return d && isfinite(id) ? id : 0.0f;
}
static inline int clamp_int(int x, int lo, int hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static inline float mean_square(const float *x, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum / (float)n;
}

/* How much squared errors count in ggml's searches: importance sqrt(square + x^2). Returns their sum. */
static inline float weigh(int n, const float *x, const float *importance, float square, float *weight)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        weight[i] = importance[i] * sqrtf(square + x[i] * x[i]);
    for (int i = 0; i < n; i++)
        sum += weight[i];
    return sum;
}

/* ---- the searches that several formats share (tensor/storage/search.c) ---- */
/* Trial scales nmax + first + step i, i = 0..steps, of the range of x; errors squared, or absolute. */
typedef struct search_steps {
    float first, step;
    int steps, absolute;
} search_steps;
static const search_steps by_importance = {-0.9f, 0.05f, 36, 0};
/* x ~ scale * L + min with L in 0..nmax; returns scale, *minus_min = -min. */
float IB_STORE(search, scale_min, IB_LEVEL)(int n, int nmax, const float *x, const float *weight, uint8_t *L,
                                            float *minus_min, const search_steps *s);
/* x ~ scale * (L - nmax), squared errors weighted by `weight`, or by x^2 (NULL). */
float IB_STORE(search, scale, IB_LEVEL)(int n, int nmax, const float *x, const float *weight, int8_t *L);
/* x ~ scale * L with L in 0..nmax, of x that are 0 or more. */
float IB_STORE(search, positive, IB_LEVEL)(int n, int nmax, const float *x, const float *weight, uint8_t *L);

#endif
