/* taps_planes.h - vectors, and samples laid out in planes (taps.h), for conv_taps.c and depthwise_taps.c. Levels without wide
 * vectors have none of it. */
#ifndef IB_BACKENDS_CPU_TAPS_PLANES_H
#define IB_BACKENDS_CPU_TAPS_PLANES_H

#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/taps.h"

#ifdef __AVX2__
#include <immintrin.h>

#ifdef __AVX512F__
enum { LANES = 16, MB = 8, NV = 3, GT = 6, GB = 8, GV = 3 };
#else
enum { LANES = 8, MB = 4, NV = 3, GT = 5, GB = 4, GV = 3 };
#endif
enum { STEP = LANES * NV, MAX_TAPS_AT_ONCE = 4096, MAX_PHASES = 64 };
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4)));

static inline vec load(const float *p)
{
    return *(const vec *)p;
}

#ifdef __AVX512F__
static inline vec splat(float x)
{
    return (vec)_mm512_set1_ps(x);
}
static inline float add_lanes(vec v)
{
    return _mm512_reduce_add_ps((__m512)v);
}
#else
static inline vec splat(float x)
{
    return (vec)_mm256_set1_ps(x);
}
static inline float add_lanes(vec v)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1)), two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
#endif

/* Short rows: a call for each would take longer than the copy. */
static inline void copy(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        *(vec *)(to + i) = load(from + i);
#ifdef __AVX512F__
    const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_ps(to + i, rest, _mm512_maskz_loadu_ps(rest, from + i));
#else
    for (; i < n; i++)
        to[i] = from[i];
#endif
}

/* The planes of one sample's group; borders are 0. */
static inline void spread(const ib_window *s, const ib_taps *t, const float *x, float *src)
{
    const int64_t channels = s->ic / s->groups;
    for (int64_t c = 0; c < channels; c++)
        for (int a = 0; a < s->sh; a++)
            for (int b = 0; b < s->sw; b++, src += t->plane)
                for (int64_t r = 0; r < t->rows; r++) {
                    float *to = src + r * t->wide;
                    const int64_t iy = r * s->sh + a - s->ph, from = s->pw > b ? (s->pw - b + s->sw - 1) / s->sw : 0;
                    if (iy < 0 || iy >= s->ih) {
                        memset(to, 0, (size_t)t->wide * sizeof *to);
                        continue;
                    }
                    const float *row = x + (c * s->ih + iy) * s->iw + b - s->pw;
                    const int64_t end = (s->iw - 1 + s->pw - b) / s->sw + 1, most = s->iw + s->pw - b <= 0 ? 0 : ib_min64(end, t->wide);
                    memset(to, 0, (size_t)ib_min64(from, t->wide) * sizeof *to);
                    if (s->sw == 1 && most > from)
                        copy(to + from, row + from, most - from);
                    else
                        for (int64_t k = from; k < most; k++)
                            to[k] = row[k * s->sw];
                    for (int64_t k = ib_max64(most, from); k < t->wide; k++)
                        to[k] = 0;
                }
    memset(src, 0, IB_TAP_SLACK * sizeof *src);
}

/* dy in rows of `wide` with zeroes between, before (t->front) and behind; a row is dy_stride long. */
static inline int64_t dy_stride(const ib_taps *t)
{
    return t->front + t->plane + IB_TAP_SLACK;
}
/* (conv_taps_grads.c has its own, which takes masks.) */
static inline void spread_dy(const ib_window *s, const ib_taps *t, const float *dy, float *to)
{
    const int64_t channels = s->oc / s->groups, stride = dy_stride(t);
    memset(to, 0, (size_t)(channels * stride + IB_TAP_SLACK) * sizeof *to);
    for (int64_t o = 0; o < channels; o++)
        for (int64_t y = 0; y < s->oh; y++)
            copy(to + o * stride + t->front + y * t->wide, dy + (o * s->oh + y) * s->ow, s->ow);
}

static inline int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* Offsets of taps (c,ky,kx). */
static inline void offsets(const ib_window *s, const ib_taps *t, int32_t *offset)
{
    for (int64_t c = 0; c < s->ic / s->groups; c++)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++)
                *offset++ = (int32_t)(((c * s->sh + ky % s->sh) * s->sw + kx % s->sw) * t->plane + ky / s->sh * t->wide + kx / s->sw);
}

/* dx += out, a plane of phase (a,b) */
static inline void collect(const ib_window *s, const ib_taps *t, int a, int b, const float *out, float *dx)
{
    const int64_t from = s->pw > b ? (s->pw - b + s->sw - 1) / s->sw : 0, end = (s->iw - 1 + s->pw - b) / s->sw + 1;
    const int64_t most = s->iw + s->pw - b <= 0 ? 0 : ib_min64(end, t->wide);
    for (int64_t r = 0; r < t->rows; r++) {
        const int64_t iy = r * s->sh + a - s->ph;
        if (iy < 0 || iy >= s->ih)
            continue;
        float *row = dx + iy * s->iw + b - s->pw;
        const float *from_row = out + r * t->wide;
        if (s->sw == 1)
            for (int64_t q = from; q < most; q++)
                row[q] += from_row[q];
        else
            for (int64_t q = from; q < most; q++)
                row[q * s->sw] += from_row[q];
    }
}

#endif
#endif
