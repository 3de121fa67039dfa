/* vectors.h - a vector of fp32, for files that are written once for AVX2 and AVX-512. */
#ifndef IB_BACKENDS_CPU_X86_VECTORS_H
#define IB_BACKENDS_CPU_X86_VECTORS_H

#include <immintrin.h>
#include <stdint.h>

#ifdef __AVX512F__
enum { WIDTH = 16 };
typedef __m512 vec;
typedef __mmask16 lanes;
#define VEC(what) _mm512_##what
static inline lanes first_lanes(int64_t n)
{
    return n >= WIDTH ? 0xffff : (lanes)((1u << n) - 1);
}
static inline vec load_lanes(const float *x, lanes m)
{
    return _mm512_maskz_loadu_ps(m, x);
}
static inline void store_lanes(float *x, lanes m, vec v)
{
    _mm512_mask_storeu_ps(x, m, v);
}
#else
enum { WIDTH = 8 };
typedef __m256 vec;
typedef __m256i lanes;
#define VEC(what) _mm256_##what
static inline lanes first_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec load_lanes(const float *x, lanes m)
{
    return _mm256_maskload_ps(x, m);
}
static inline void store_lanes(float *x, lanes m, vec v)
{
    _mm256_maskstore_ps(x, m, v);
}
#endif

/* to[j][i] = x[i][j] for i, j < 8, rows ld and ld_to apart; to: at 32 bytes */
static inline void transpose8(const float *x, int64_t ld, float *to, int64_t ld_to)
{
    __m256 r[8], t[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_loadu_ps(x + i * ld);
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) { /* pairs of rows, of columns 0 1 4 5 and 2 3 6 7 */
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int h = 0; h < 8; h += 4) { /* fours of rows, of columns j and j + 4 */
        r[h] = _mm256_shuffle_ps(t[h], t[h + 2], 0x44);
        r[h + 1] = _mm256_shuffle_ps(t[h], t[h + 2], 0xEE);
        r[h + 2] = _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44);
        r[h + 3] = _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        _mm256_store_ps(to + j * ld_to, _mm256_permute2f128_ps(r[j], r[4 + j], 0x20));
        _mm256_store_ps(to + (j + 4) * ld_to, _mm256_permute2f128_ps(r[j], r[4 + j], 0x31));
    }
}

#endif
