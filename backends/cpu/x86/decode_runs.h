/* decode_runs.h - spans of frozen matrices as fp32 in registers, for AVX2 and AVX-512, equal in every bit to
 * tensor/storage: formats of whole numbers, whose codes are coded_blocks.h's, and those that choose from a table; f16,
 * bf16 and f32 are decoded as kernels/decode.c does. */
#ifndef IB_BACKENDS_CPU_X86_DECODE_RUNS_H
#define IB_BACKENDS_CPU_X86_DECODE_RUNS_H

#include <immintrin.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/coded/coded_blocks.h"
#include "tensor/storage/e2m1.h"
#include "tensor/storage/scaled.h"

/* Sixteen values of signed bytes q: q d, or q d + m (q d - m is the same with -m in every bit); or of numbers 0 .. 15:
 * code[q] a. */
#ifdef __AVX512F__
static inline __m512 reals16(__m128i q)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
}
static inline void times16(__m128i q, float d, float *y)
{
    _mm512_storeu_ps(y, _mm512_mul_ps(reals16(q), _mm512_set1_ps(d)));
}
static inline void line16(__m128i q, float d, float m, float *y)
{
    _mm512_storeu_ps(y, _mm512_add_ps(_mm512_mul_ps(reals16(q), _mm512_set1_ps(d)), _mm512_set1_ps(m)));
}
static inline void coded16(__m128i q, const float *code, float a, float *y)
{
    const __m512 v = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(q), _mm512_loadu_ps(code));
    _mm512_storeu_ps(y, _mm512_mul_ps(v, _mm512_set1_ps(a)));
}
#else
static inline __m256 reals8(__m128i q)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
}
static inline void times16(__m128i q, float d, float *y)
{
    _mm256_storeu_ps(y, _mm256_mul_ps(reals8(q), _mm256_set1_ps(d)));
    _mm256_storeu_ps(y + 8, _mm256_mul_ps(reals8(_mm_srli_si128(q, 8)), _mm256_set1_ps(d)));
}
static inline void line16(__m128i q, float d, float m, float *y)
{
    const __m256 v = _mm256_set1_ps(d), w = _mm256_set1_ps(m);
    _mm256_storeu_ps(y, _mm256_add_ps(_mm256_mul_ps(reals8(q), v), w));
    _mm256_storeu_ps(y + 8, _mm256_add_ps(_mm256_mul_ps(reals8(_mm_srli_si128(q, 8)), v), w));
}
static inline __m256 coded8(__m128i q, const float *code)
{
    const __m256i at = _mm256_cvtepu8_epi32(q);
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(_mm256_loadu_ps(code), at),
                            _mm256_permutevar8x32_ps(_mm256_loadu_ps(code + 8), at),
                            _mm256_castsi256_ps(_mm256_slli_epi32(at, 28))); /* bit 3 as sign */
}
static inline void coded16(__m128i q, const float *code, float a, float *y)
{
    _mm256_storeu_ps(y, _mm256_mul_ps(coded8(q, code), _mm256_set1_ps(a)));
    _mm256_storeu_ps(y + 8, _mm256_mul_ps(coded8(_mm_srli_si128(q, 8), code), _mm256_set1_ps(a)));
}
#endif

/* of the half at b */
static inline float scale_at(const uint8_t *b)
{
    uint16_t h;
    memcpy(&h, b, sizeof h);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

/* y[16] of 16 signed integers: a x, in fp32 */
static inline void times_integers(__m256i x, float a, float *y)
{
    times16(_mm_packs_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)), a, y);
}

typedef __m256i (*parts)(const uint8_t *b, int j);
typedef coded_scales (*scales)(const uint8_t *b);

/* A block; all but b and y are constants where it is inlined. */
static inline __attribute__((always_inline)) void run_block(const uint8_t *b, float *y, coded_format f, scales of,
                                                            parts part)
{
    const float d = f.power ? half_power(b[f.d_at]) : scale_at(b + f.d_at),
                m = f.m_at < 0 ? 0.0f : scale_at(b + f.m_at);
    float ds[16] = {d, d}, dm[16] = {m, m};
    if (f.block == 256) {
        const coded_scales s = of(b);
        times_integers(s.scale, d, ds);
        if (f.m_at >= 0)
            times_integers(s.min, -m, dm);
    }
#pragma GCC unroll 8
    for (int j = 0; j < f.block / 32; j++) {
        const __m256i q = _mm256_sub_epi8(part(b, j), _mm256_set1_epi8((char)(f.shift > 0 ? f.shift : 0)));
        const __m128i half[2] = {_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)};
        for (int h = 0; h < 2; h++)
            if (f.m_at < 0)
                times16(half[h], ds[2 * j + h], y + 32 * j + 16 * h);
            else
                line16(half[h], ds[2 * j + h], dm[2 * j + h], y + 32 * j + 16 * h);
    }
}

/* Of formats with f->decode, whose scales lie in their blocks; nf4 and fp4 choose from the matrix's own table. */
#define RUN_FORMAT(name, of, wide, ...) RUN_##wide(name, of, __VA_ARGS__)
#define RUN_nf4(...)
#define RUN_fp4(...)
#define RUN_none(name, of, block, bytes, ...)                                                                          \
    static void run_##name(const uint8_t *b, int64_t blocks, float *y)                                                 \
    {                                                                                                                  \
        for (int64_t i = 0; i < blocks; i++)                                                                           \
            run_block(b + i * (bytes), y + i * (block), (coded_format){block, bytes, __VA_ARGS__}, scales_##of,        \
                      part_##name);                                                                                    \
    }
CODED_FORMATS(RUN_FORMAT)
#undef RUN_none

static void (*const runs[IB_N_STORAGE])(const uint8_t *b, int64_t blocks, float *y) = {
#define RUN_none(name, ...) [IB_AT_##name] = run_##name,
    CODED_FORMATS(RUN_FORMAT)
#undef RUN_none
};

/* whole blocks of 64 from an even element, the first of two in the high nibble */
static inline void run_coded(const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const uint8_t *b = m->data + first / 2;
    for (int64_t i = 0; i < n; i += IB_NF4_BLOCK) {
        const float a = ib_absmax_at(m, (first + i) / IB_NF4_BLOCK);
        for (int64_t j = i; j < i + IB_NF4_BLOCK; j += 32) {
            const __m256i q = nibbles_in_turn(b + j / 2);
            coded16(_mm256_castsi256_si128(q), m->code, a, y + j);
            coded16(_mm256_extracti128_si256(q, 1), m->code, a, y + j + 16);
        }
    }
}

static inline void run_bytes(const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const uint8_t *b = m->data + first;
    const float scale = m->absmax[first / m->cols];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        times16(load16(b + i), scale, y + i);
    for (; i < n; i++)
        y[i] = (float)(int8_t)b[i] * scale;
    for (i = 0; m->unit != 1 && i < n; i++)
        y[i] *= m->unit;
}

/* y[n] = elements first .. first + n of the flattened matrix */
static inline void decode_runs(ib_device *dev, const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const ib_storage *f = m->format;
    if (f->decode && runs[f->index] && first % f->block == 0 && n % f->block == 0)
        runs[f->index](m->data + first / f->block * f->bytes, n / f->block, y);
    else if (f->code && first % IB_NF4_BLOCK == 0 && n % IB_NF4_BLOCK == 0)
        run_coded(m, first, n, y);
    else if (f->index == IB_AT_int8 && first % m->cols + n <= m->cols)
        run_bytes(m, first, n, y);
    else
        IB_K(decode)(dev, m, first, n, y);
}

#endif
