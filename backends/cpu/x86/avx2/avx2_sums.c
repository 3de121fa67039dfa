/* avx2_sums.c - sums and products of two coded operands with AVX2: the codes of a sum, and of both the range and where
 * an activation lets gradients pass. Equal in every bit to integer.c; eight at a time, the bits of one mask byte. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_store.h"
#include "backends/cpu/x86/requant8.h"

/* Eight codes, or the first `count` and zeros. */
static inline __m256i eight(const int8_t *x, int64_t count)
{
    int64_t bytes = 0;
    if (count >= 8)
        memcpy(&bytes, x, 8);
    else
        for (int64_t i = 0; i < count; i++)
            bytes |= (int64_t)(uint8_t)x[i] << 8 * i;
    return _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes));
}

static void qadd(ib_device *dev, const struct isobit_add *p, int64_t n, const int8_t *x, const int8_t *y, int profile,
                 int8_t *q, uint8_t *mask)
{
    const ib_add8 shared = ib_add8_of(p, 0, profile);
    if (!shared.exact) {
        IB_BELOW(qadd)(dev, p, n, x, y, profile, q, mask);
        return;
    }
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t block = 0; block < n; block += IB_BLOCK) {
        const ib_add8 k = shared; /* a thread's own, which no store may change */
        const __m256i least = _mm256_set1_epi32(p->lo - p->out_zero), most = _mm256_set1_epi32(p->hi - p->out_zero),
                      zero = _mm256_set1_epi32(p->out_zero);
        for (int64_t i = block, end = ib_min64(n, block + IB_BLOCK); i < end; i += 8) {
            const int64_t count = ib_min64(8, end - i);
            const __m256i sum = ib_sum8(&k, eight(x + i, count), eight(y + i, count));
            const __m256i within = _mm256_max_epi32(least, _mm256_min_epi32(most, sum)),
                          code = _mm256_add_epi32(within, zero), inside = _mm256_cmpeq_epi32(within, sum);
            const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
            ib_store8(q + i, _mm_packs_epi16(half, half), count);
            if (mask)
                mask[i / 8] = (uint8_t)(_mm256_movemask_ps(_mm256_castsi256_ps(inside)) & ((1 << count) - 1));
        }
    }
}

/* What makes a real number of each operand, and of both the result. */
typedef struct operands {
    const int8_t *codes[2];
    __m256 scale[2];
    __m256i zero[2];
    int product;
} operands;

static operands operands_of(const ib_coded *a, const ib_coded *b, int product)
{
    return (operands){{a->codes, b->codes},
                      {_mm256_set1_ps(*a->scale), _mm256_set1_ps(*b->scale)},
                      {_mm256_set1_epi32(ib_zero_of(a->zero)), _mm256_set1_epi32(ib_zero_of(b->zero))},
                      product};
}

static inline __m256 real8(const operands *o, int64_t i, int64_t count)
{
    __m256 v[2];
    for (int j = 0; j < 2; j++)
        v[j] =
            _mm256_mul_ps(o->scale[j], _mm256_cvtepi32_ps(_mm256_sub_epi32(eight(o->codes[j] + i, count), o->zero[j])));
    return o->product ? _mm256_mul_ps(v[0], v[1]) : _mm256_add_ps(v[0], v[1]);
}

static void real_range(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, float *lo,
                       float *hi)
{
    float least = INFINITY, most = -INFINITY;
    const operands shared = operands_of(a, b, product);
#pragma omp parallel for schedule(static) reduction(min : least) reduction(max : most) if (n > IB_SERIAL)
    for (int64_t block = 0; block < n; block += IB_BLOCK) {
        const operands o = shared;
        const int64_t end = ib_min64(n, block + IB_BLOCK);
        __m256 low = _mm256_set1_ps(INFINITY), high = _mm256_set1_ps(-INFINITY);
        int64_t i = block;
        float lows[8], highs[8], rest[8];
        for (; i + 8 <= end; i += 8) {
            const __m256 v = real8(&o, i, 8);
            low = _mm256_min_ps(v, low);
            high = _mm256_max_ps(v, high);
        }
        _mm256_storeu_ps(lows, low);
        _mm256_storeu_ps(highs, high);
        for (int64_t l = 0; l < 8; l++) {
            least = lows[l] < least ? lows[l] : least;
            most = highs[l] > most ? highs[l] : most;
        }
        if (i < end)
            _mm256_storeu_ps(rest, real8(&o, i, end - i));
        for (int64_t l = 0; l < end - i; l++) {
            least = rest[l] < least ? rest[l] : least;
            most = rest[l] > most ? rest[l] : most;
        }
    }
    *lo = least;
    *hi = most;
}

/* mask &= the lanes where 0 < a + b < top, or the product of the two */
static void real_passes(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, const float *top,
                        uint8_t *mask)
{
    const operands shared = operands_of(a, b, product);
    const float highest = *top;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t block = 0; block < n; block += IB_BLOCK) {
        const operands o = shared;
        const __m256 most = _mm256_set1_ps(highest);
        for (int64_t i = block, end = ib_min64(n, block + IB_BLOCK); i < end; i += 8) {
            const __m256 v = real8(&o, i, ib_min64(8, end - i));
            const __m256 inside =
                _mm256_and_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GT_OQ), _mm256_cmp_ps(v, most, _CMP_LT_OQ));
            mask[i / 8] &= (uint8_t)_mm256_movemask_ps(inside);
        }
    }
}

void ib_avx2_sums_replace(ib_kernels *k)
{
    k->qadd = qadd;
    k->real_range = real_range;
    k->real_passes = real_passes;
}
