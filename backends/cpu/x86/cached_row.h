/* cached_row.h - attention of one query over a cache, as generation has it, for AVX2 and AVX-512: equal in every bit to
 * kernels/attention_cached.c. Keys and values are widened in registers; heads are whole vectors of LANES. */
#ifndef IB_BACKENDS_CPU_X86_CACHED_ROW_H
#define IB_BACKENDS_CPU_X86_CACHED_ROW_H

#include <math.h>

#include "arithmetic/real.h"
#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/dot.h"
#include "backends/cpu/x86/vectors.h"

enum { MOST_VECTORS = IB_MAX_HEAD_DIM / WIDTH };

/* A vector of cached values from element `at`; scale: of int8. */
static inline vec cached(const ib_kv_cache *c, const void *rows, int64_t at, vec scale)
{
    const int8_t *codes = (const int8_t *)rows + at;
    const uint16_t *halves = (const uint16_t *)rows + at;
#ifdef __AVX512F__
    if (c->int8)
        return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)codes))), scale);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)halves));
#else
    if (c->int8)
        return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)codes))), scale);
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)halves));
#endif
}

static inline vec scale_of(const ib_kv_cache *c, const float *scale, int64_t row, int g)
{
    return VEC(set1_ps)(c->int8 ? scale[row * c->groups + g] : 1.0f);
}

/* y + a b, rounded twice as plain C has it */
static inline vec plus(vec y, vec a, vec b)
{
    return VEC(add_ps)(y, VEC(mul_ps)(a, b));
}

/* The sums of the lanes of WIDTH vectors, each in the order of ib_add_lanes; of AVX2 the first step is done. Each step
 * adds the halves of two vectors' parts and lays the results side by side. */
static inline vec sums_of(const vec *x)
{
#ifdef __AVX512F__
    vec quad[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) { /* vectors k, 4 + k, 8 + k, 12 + k */
        const vec a = _mm512_add_ps(_mm512_shuffle_f32x4(x[k], x[4 + k], 0x44),
                                    _mm512_shuffle_f32x4(x[k], x[4 + k], 0xEE)),
                  b = _mm512_add_ps(_mm512_shuffle_f32x4(x[8 + k], x[12 + k], 0x44),
                                    _mm512_shuffle_f32x4(x[8 + k], x[12 + k], 0xEE));
        quad[k] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    }
#else
    vec quad[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) /* vectors k, 4 + k */
        quad[k] =
            _mm256_add_ps(_mm256_permute2f128_ps(x[k], x[4 + k], 0x20), _mm256_permute2f128_ps(x[k], x[4 + k], 0x31));
#endif
    const vec a = VEC(add_ps)(VEC(shuffle_ps)(quad[0], quad[1], 0x44), VEC(shuffle_ps)(quad[0], quad[1], 0xEE)),
              b = VEC(add_ps)(VEC(shuffle_ps)(quad[2], quad[3], 0x44), VEC(shuffle_ps)(quad[2], quad[3], 0xEE));
    return VEC(add_ps)(VEC(shuffle_ps)(a, b, 0x88), VEC(shuffle_ps)(a, b, 0xDD));
}

/* Online softmax of a query. */
typedef struct running {
    float max, sum;
    float shrink; /* what the last block has made of earlier weights */
} running;

/* The most of a block's numbers, and their sum in the order of ib_sum. */
static inline float most_of(const float *s)
{
    vec most = VEC(loadu_ps)(s);
    for (int j = WIDTH; j < TILE; j += WIDTH)
        most = VEC(max_ps)(most, VEC(loadu_ps)(s + j));
#ifdef __AVX512F__
    const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(most), _mm512_extractf32x8_ps(most, 1));
#else
    const __m256 a = most;
#endif
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)),
                 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

static inline float sum_of(const float *s)
{
    vec part[LANES / WIDTH];
    for (int p = 0; p < LANES / WIDTH; p++)
        part[p] = VEC(loadu_ps)(s + WIDTH * p);
    for (int j = LANES; j < TILE; j += WIDTH)
        part[j / WIDTH % (LANES / WIDTH)] = VEC(add_ps)(part[j / WIDTH % (LANES / WIDTH)], VEC(loadu_ps)(s + j));
#ifdef __AVX512F__
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(part[0]), _mm512_extractf32x8_ps(part[0], 1));
#else
    const __m256 a = _mm256_add_ps(part[0], part[1]);
#endif
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)),
                 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

/* Scores of a block become weights; keys below lo and from hi on are not seen. */
static inline void soften(float *s, int lo, int hi, running *r)
{
    for (int j = 0; j < lo; j++)
        s[j] = -INFINITY;
    for (int j = hi; j < TILE; j++)
        s[j] = -INFINITY;
    const float block = most_of(s), most = block > r->max ? block : r->max;
    for (int j = 0; j < TILE; j++)
        s[j] = ib_exp(s[j] - most);
    r->shrink = ib_exp(r->max - most);
    r->sum = r->sum * r->shrink + sum_of(s);
    r->max = most;
}

/* Head h of query i, `vectors` of WIDTH wide. */
static inline __attribute__((always_inline)) void attend_row(const ib_kv_cache *c, const ib_cached_queries *a,
                                                             int64_t i, int h, int vectors, const float *q, float *y)
{
    const int g = h / (a->heads / c->groups), parts = LANES / WIDTH;
    const int64_t step = (int64_t)c->groups * c->dim, first = (int64_t)g * c->dim, from = first_cached(a, i),
                  to = a->before + i + 1;
    const float slope = alibi_slope(a->heads, h, a->bend.alibi);
    vec query[MOST_VECTORS], o[MOST_VECTORS];
    float s[TILE];
    running r = {-INFINITY, 0, 0};
    for (int p = 0; p < vectors; p++) {
        query[p] = VEC(loadu_ps)(q + WIDTH * p);
        o[p] = VEC(setzero_ps)();
    }
    for (int64_t j0 = from / TILE * TILE; j0 < to; j0 += TILE) {
        const int lo = (int)ib_max64(from - j0, 0), hi = (int)ib_min64(to - j0, TILE);
        for (int j = lo / WIDTH * WIDTH; j < hi; j += WIDTH) {
            vec dot[WIDTH];
            for (int k = 0; k < WIDTH; k++) {
                const int64_t row = j0 + (j + k < lo ? lo : j + k < hi ? j + k : hi - 1), at = row * step + first;
                const vec scale = scale_of(c, c->k_scale, row, g);
                vec part[LANES / WIDTH];
                for (int p = 0; p < parts; p++)
                    part[p] = VEC(mul_ps)(query[p], cached(c, c->k, at + WIDTH * p, scale));
                for (int p = parts; p < vectors; p++)
                    part[p % parts] = plus(part[p % parts], query[p], cached(c, c->k, at + WIDTH * p, scale));
                dot[k] = parts > 1 ? VEC(add_ps)(part[0], part[parts - 1]) : part[0];
            }
            VEC(storeu_ps)(s + j, VEC(mul_ps)(sums_of(dot), VEC(set1_ps)(a->scale)));
        }
        bend_scores(&a->bend, slope, j0 - (a->before + i), 1, lo, hi, s, NULL);
        soften(s, lo, hi, &r);
        for (int p = 0; p < vectors; p++)
            o[p] = VEC(mul_ps)(o[p], VEC(set1_ps)(r.shrink));
        for (int j = lo; j < hi; j++) {
            const vec weight = VEC(set1_ps)(s[j]), scale = scale_of(c, c->v_scale, j0 + j, g);
            for (int p = 0; p < vectors; p++)
                o[p] = plus(o[p], weight, cached(c, c->v, (j0 + j) * step + first + WIDTH * p, scale));
        }
    }
    for (int p = 0; p < vectors; p++)
        VEC(storeu_ps)(y + WIDTH * p, VEC(div_ps)(o[p], VEC(set1_ps)(r.sum)));
}

#endif
