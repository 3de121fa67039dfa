/* vectors.h - a vector of fp32, for files that are written once for AVX2 and AVX-512; and eight by eight turned. */
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

/* to[j] of eight vectors has dword j of each; to may be x. */
static inline void turn8(const __m256i *x, __m256i *to)
{
    __m256i two[8], four[8];
#pragma GCC unroll 4
    for (int j = 0; j < 8; j += 2) { /* pairs of rows, of columns 0 1 4 5 and 2 3 6 7 */
        two[j] = _mm256_unpacklo_epi32(x[j], x[j + 1]);
        two[j + 1] = _mm256_unpackhi_epi32(x[j], x[j + 1]);
    }
#pragma GCC unroll 2
    for (int j = 0; j < 8; j += 4) /* fours of rows, of columns 0 and 4, 1 and 5 .. */
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            four[j + 2 * h] = _mm256_unpacklo_epi64(two[j + h], two[j + h + 2]);
            four[j + 2 * h + 1] = _mm256_unpackhi_epi64(two[j + h], two[j + h + 2]);
        }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        to[j] = _mm256_permute2x128_si256(four[j], four[j + 4], 0x20);
        to[j + 4] = _mm256_permute2x128_si256(four[j], four[j + 4], 0x31);
    }
}

/* to[j][i] = x[i][j] for i, j < 8, of fp32 or int32, rows ld and ld_to apart */
static inline void transpose8(const void *x, int64_t ld, void *to, int64_t ld_to)
{
    __m256i v[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        v[i] = _mm256_loadu_si256((const __m256i *)(const void *)((const char *)x + 4 * i * ld));
    turn8(v, v);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        _mm256_storeu_si256((__m256i *)(void *)((char *)to + 4 * j * ld_to), v[j]);
}

#endif
