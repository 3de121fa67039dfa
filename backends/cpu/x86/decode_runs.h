/* decode_runs.h - spans of frozen matrices as fp32 in registers, for AVX2 and AVX-512, equal in every bit to
 * tensor/storage: 4-bit and 8-bit formats; others are decoded as kernels/decode.c does. */
#ifndef IB_BACKENDS_CPU_X86_DECODE_RUNS_H
#define IB_BACKENDS_CPU_X86_DECODE_RUNS_H

#include <immintrin.h>

#include "backends/cpu/level.h"
#include "tensor/storage/scaled.h"

/* Sixteen values of signed bytes q: q d, or q d + m; or of numbers 0 .. 15: code[q] a. */
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

static inline __m128i sixteen(const uint8_t *b)
{
    return _mm_loadu_si128((const __m128i *)(const void *)b);
}
static inline __m128i low(__m128i b)
{
    return _mm_and_si128(b, _mm_set1_epi8(15));
}
static inline __m128i high(__m128i b)
{
    return _mm_and_si128(_mm_srli_epi16(b, 4), _mm_set1_epi8(15));
}
/* of the half at b */
static inline float scale_at(const uint8_t *b)
{
    uint16_t h;
    memcpy(&h, b, sizeof h);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

static inline void block_q4_0(const uint8_t *b, float *y)
{
    const __m128i q = sixteen(b + 2), eight = _mm_set1_epi8(8);
    const float d = scale_at(b);
    times16(_mm_sub_epi8(low(q), eight), d, y);
    times16(_mm_sub_epi8(high(q), eight), d, y + 16);
}

static inline void block_q4_1(const uint8_t *b, float *y)
{
    const __m128i q = sixteen(b + 4);
    const float d = scale_at(b), m = scale_at(b + 2);
    line16(low(q), d, m, y);
    line16(high(q), d, m, y + 16);
}

static inline __m128i values_iq4_nl(void)
{
    return _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
}

static inline void block_iq4_nl(const uint8_t *b, float *y)
{
    const __m128i q = sixteen(b + 2), value = values_iq4_nl();
    const float d = scale_at(b);
    times16(_mm_shuffle_epi8(value, low(q)), d, y);
    times16(_mm_shuffle_epi8(value, high(q)), d, y + 16);
}

static inline void block_int4(const uint8_t *b, float *y)
{
    const __m128i q = _mm_xor_si128(sixteen(b + 2), _mm_set1_epi8((char)0x88)), eight = _mm_set1_epi8(8);
    const __m128i even = _mm_sub_epi8(low(q), eight), odd = _mm_sub_epi8(high(q), eight);
    const float d = scale_at(b);
    times16(_mm_unpacklo_epi8(even, odd), d, y);
    times16(_mm_unpackhi_epi8(even, odd), d, y + 16);
}

static inline void block_q8_0(const uint8_t *b, float *y)
{
    const float d = scale_at(b);
    times16(sixteen(b + 2), d, y);
    times16(sixteen(b + 18), d, y + 16);
}

#define RUNS(RUN) RUN(q4_0) RUN(q4_1) RUN(iq4_nl) RUN(int4) RUN(q8_0)
#define RUN(name)                                                                                                      \
    static void run_##name(const uint8_t *b, int64_t blocks, float *y)                                                 \
    {                                                                                                                  \
        for (int64_t i = 0; i < blocks; i++)                                                                           \
            block_##name(b + i * IB_BYTES_##name, y + i * IB_BLOCK_##name);                                            \
    }
RUNS(RUN)
#undef RUN

static void (*const runs[IB_N_STORAGE])(const uint8_t *b, int64_t blocks, float *y) = {
#define RUN(name) [IB_AT_##name] = run_##name,
    RUNS(RUN)
#undef RUN
};

/* whole blocks of 64 from an even element, the first of two in the high nibble */
static inline void run_coded(const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const uint8_t *b = m->data + first / 2;
    for (int64_t i = 0; i < n; i += IB_NF4_BLOCK) {
        const float a = ib_absmax_at(m, (first + i) / IB_NF4_BLOCK);
        for (int64_t j = i; j < i + IB_NF4_BLOCK; j += 32) {
            const __m128i q = sixteen(b + j / 2);
            coded16(_mm_unpacklo_epi8(high(q), low(q)), m->code, a, y + j);
            coded16(_mm_unpackhi_epi8(high(q), low(q)), m->code, a, y + j + 16);
        }
    }
}

static inline void run_int8(const uint8_t *b, int64_t n, float scale, float *y)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        times16(sixteen(b + i), scale, y + i);
    for (; i < n; i++)
        y[i] = (float)(int8_t)b[i] * scale;
}

/* y[n] = elements first .. first + n of the flattened matrix */
static inline void decode_runs(ib_device *dev, const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const ib_storage *f = m->format;
    if (runs[f->index] && first % f->block == 0 && n % f->block == 0)
        runs[f->index](m->data + first / f->block * f->bytes, n / f->block, y);
    else if (f->code && first % IB_NF4_BLOCK == 0 && n % IB_NF4_BLOCK == 0)
        run_coded(m, first, n, y);
    else if (!f->decode && !f->code && first % m->cols + n <= m->cols)
        run_int8(m->data + first, n, m->absmax[first / m->cols], y);
    else
        IB_K(decode)(dev, m, first, n, y);
}

#endif
