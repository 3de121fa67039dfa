/* avx2_store.h - a few bytes of a vector into memory. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_STORE_H
#define IB_BACKENDS_CPU_X86_AVX2_STORE_H

#include <immintrin.h>
#include <stdint.h>

/* The low eight bytes of v, or the first `count`: a call for each would take longer than the store. */
static inline void ib_store8(int8_t *to, __m128i v, int64_t count)
{
    if (count >= 8)
        _mm_storel_epi64((__m128i *)to, v);
    else
        for (int64_t i = 0, bytes = _mm_cvtsi128_si64(v); i < count; i++)
            to[i] = (int8_t)(bytes >> 8 * i);
}

#endif
