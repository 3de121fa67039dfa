/* taps_planes.h - vectors, and samples laid out in planes (taps.h), for conv_taps.c and depthwise_taps.c. Levels
 * without wide vectors have none of it. */
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
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1)),
                 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
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

/* Every second number. */
static inline void copy_even(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
#ifdef __AVX512F__
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    for (; i < n; i += LANES) {
        const int64_t left = n - i, a = ib_min64(2 * left - 1, LANES),
                      b = ib_min64(ib_max64(2 * left - 1 - LANES, 0), LANES);
        const __m512 low = _mm512_maskz_loadu_ps((__mmask16)((1u << a) - 1), from + 2 * i),
                     high = _mm512_maskz_loadu_ps((__mmask16)((1u << b) - 1), from + 2 * i + LANES);
        _mm512_mask_storeu_ps(to + i, (__mmask16)((1u << ib_min64(left, LANES)) - 1),
                              _mm512_permutex2var_ps(low, even, high));
    }
#endif
    for (; i < n; i++)
        to[i] = from[2 * i];
}

/* The planes of one sample's group; what lies between its rows is 0 already. */
static inline void spread(const ib_window *s, const ib_taps *t, const float *x, float *src)
{
    const int64_t channels = s->ic / s->groups;
    for (int64_t c = 0; c < channels; c++)
        for (int a = 0; a < s->sh; a++)
            for (int b = 0; b < s->sw; b++, src += t->plane) {
                const int64_t from = s->pw > b ? (s->pw - b + s->sw - 1) / s->sw : 0,
                              end = (s->iw - 1 + s->pw - b) / s->sw + 1;
                const int64_t most = s->iw + s->pw - b <= 0 ? 0 : ib_min64(end, t->wide);
                for (int64_t r = 0; r < t->rows && most > from; r++) {
                    const int64_t iy = r * s->sh + a - s->ph;
                    float *to = src + r * t->wide;
                    const float *row = x + (c * s->ih + iy) * s->iw + b - s->pw;
                    if (iy < 0 || iy >= s->ih)
                        continue;
                    if (s->sw == 1)
                        copy(to + from, row + from, most - from);
                    else if (s->sw == 2)
                        copy_even(to + from, row + 2 * from, most - from);
                    else
                        for (int64_t k = from; k < most; k++)
                            to[k] = row[k * s->sw];
                }
            }
}

/* dy in rows of `wide` with zeroes between, before (t->front) and behind; a plane is dy_stride long. */
static inline int64_t dy_stride(const ib_taps *t)
{
    return t->front + t->plane + IB_TAP_SLACK;
}

/* Up to 32 bits from bit i on; `bytes`: of the mask. */
static inline uint32_t bits_at(const uint8_t *mask, int64_t i, int64_t bytes)
{
    uint32_t v = 0;
    if (i / 8 + 4 <= bytes)
        memcpy(&v, mask + i / 8, 4);
    else
        memcpy(&v, mask + i / 8, (size_t)(bytes - i / 8));
    return v >> i % 8;
}

#ifndef __AVX512F__
/* All bits of the first `count` lanes; of those whose bit is set. */
static inline __m256i first(int64_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline __m256 where_set(uint32_t bits)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), bit), bit));
}
#endif

/* Plane `p` of dy (sample times channels, plus channel) where the mask has bits; what lies between rows is 0
 * already. Returns the sum. */
static inline float take_plane(const ib_window *s, const ib_taps *t, const ib_conv_grads *g, int64_t p, float *to)
{
    const int64_t bytes = (s->n * s->oc * s->oh * s->ow + 7) / 8;
    vec sum = splat(0);
    for (int64_t y = 0; y < s->oh; y++, to += t->wide) {
        const int64_t at = (p * s->oh + y) * s->ow;
#ifdef __AVX512F__
        for (int64_t x = 0; x < s->ow; x += LANES) {
            const __mmask16 live = s->ow - x >= LANES ? 0xFFFF : (__mmask16)((1u << (s->ow - x)) - 1);
            const vec v = (vec)_mm512_maskz_loadu_ps(g->mask ? live & (__mmask16)bits_at(g->mask, at + x, bytes) : live,
                                                     g->dy + at + x);
            _mm512_mask_storeu_ps(to + x, live, (__m512)v);
            sum += v;
        }
#else
        /* what is written behind a row's end is 0, as what lies there, or the next row comes over it */
        for (int64_t x = 0; x < s->ow; x += LANES) {
            const int64_t count = ib_min64(LANES, s->ow - x);
            vec v = count == LANES ? load(g->dy + at + x) : (vec)_mm256_maskload_ps(g->dy + at + x, first(count));
            if (g->mask)
                v = (vec)_mm256_and_ps((__m256)v, where_set(bits_at(g->mask, at + x, bytes)));
            *(vec *)(to + x) = v;
            sum += v;
        }
#endif
    }
    return add_lanes(sum);
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
                *offset++ = (int32_t)(((c * s->sh + ky % s->sh) * s->sw + kx % s->sw) * t->plane +
                                      ky / s->sh * t->wide + kx / s->sw);
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
