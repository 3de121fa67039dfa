/* avx2_requant.c - sums to codes, and their range, eight at a time, equal in every bit to integer.c. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_store.h"
#include "backends/cpu/x86/requant8.h"

/* Eight sums to codes, of which `count` are stored, and a byte of mask. */
static unsigned store8(__m256i v, int zero, int lo, int hi, int64_t count, int8_t *q)
{
    const __m256i least = _mm256_set1_epi32(lo - zero), most = _mm256_set1_epi32(hi - zero);
    const __m256i outside = _mm256_or_si256(_mm256_cmpgt_epi32(least, v), _mm256_cmpgt_epi32(v, most));
    const __m256i y = _mm256_add_epi32(_mm256_max_epi32(least, _mm256_min_epi32(most, v)), _mm256_set1_epi32(zero));
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
    ib_store8(q, _mm_packs_epi16(half, half), count);
    return 0xFFu & ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(outside));
}

/* Bits of the lanes with 0 < acc < top. */
static unsigned between8(__m256i acc, __m256i top)
{
    const __m256i inside =
        _mm256_and_si256(_mm256_cmpgt_epi32(acc, _mm256_setzero_si256()), _mm256_cmpgt_epi32(top, acc));
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(inside));
}

/* What eight lanes are requantized with. */
typedef struct lanes8 {
    ib_scales8 scale;
    __m256i top;
} lanes8;

static inline lanes8 one_channel(const ib_epilogue *r, int64_t c)
{
    return (lanes8){ib_scales8_of(_mm256_set1_epi32(r->scale[c].mult), _mm256_set1_epi32(r->scale[c].exp), r->profile),
                    _mm256_set1_epi32(r->top ? r->top[c] : 0)};
}

/* Of elements i, i + 1, ... of planes, whatever channels they belong to. */
static lanes8 their_channels(const ib_epilogue *r, const ib_planes *s, int64_t i, int64_t count)
{
    isobit_scale own[8] = {{0, -24}};
    int32_t top[8] = {0};
    for (int64_t j = 0; j < 8; j++) {
        const int64_t c = (i + ib_min64(j, count - 1)) / s->hw % s->c;
        own[j] = r->scale[c];
        top[j] = r->top ? r->top[c] : 0;
    }
    return (lanes8){ib_load_scales8(own, r->profile), _mm256_loadu_si256((const __m256i *)top)};
}

static inline lanes8 eight_channels(const ib_epilogue *r, int64_t c)
{
    return (lanes8){ib_load_scales8(r->scale + c, r->profile),
                    r->top ? _mm256_loadu_si256((const __m256i *)(r->top + c)) : _mm256_setzero_si256()};
}

/* Of n rows whose channels are whole vectors: each vector of channels along all rows. */
static void requant_rows(int64_t n, int64_t channels, const int32_t *acc, const ib_epilogue *r)
{
    const int zero = *r->zero, lo = *r->lo, hi = *r->hi;
#pragma omp parallel for schedule(static) if (n * channels > IB_SERIAL)
    for (int64_t c = 0; c < channels; c += 8) {
        const lanes8 of = eight_channels(r, c);
        for (int64_t i = c; i < n * channels; i += channels) {
            const __m256i a = _mm256_loadu_si256((const __m256i *)(acc + i));
            unsigned bits = store8(ib_requant8(a, &of.scale), zero, lo, hi, 8, r->codes + i);
            if (r->top)
                bits &= between8(a, of.top);
            if (r->mask)
                r->mask[i / 8] = (uint8_t)bits;
        }
    }
}

/* Eight elements at a time, the bits of one mask byte. */
void ib_avx2_requant(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r)
{
    const int64_t c = s->c, hw = s->hw, size = s->n * c * hw;
    const int zero = *r->zero, lo = *r->lo, hi = *r->hi;
    if (!ib_scales_are_small(r->scale, c, r->profile)) {
        IB_K(requant)(dev, s, acc, r);
        return;
    }
    if (hw == 1 && c % 8 == 0) {
        requant_rows(s->n, c, acc, r);
        return;
    }
#pragma omp parallel for schedule(static) if (size > IB_SERIAL)
    for (int64_t block = 0; block < size; block += IB_BLOCK) {
        int64_t plane = block / hw, end = (plane + 1) * hw, known = -1; /* of the plane that holds element i */
        lanes8 of;
        for (int64_t i = block, stop = ib_min64(size, block + IB_BLOCK); i < stop; i += 8) {
            const int64_t count = ib_min64(8, stop - i);
            int32_t few[8] = {0};
            for (; i >= end; end += hw)
                plane++;
            if (i + count > end && hw == 1 && i % c + 8 <= c) {
                of = eight_channels(r, i % c);
                known = -1;
            } else if (i + count > end) {
                of = their_channels(r, s, i, count);
                known = -1;
            } else if (known != plane) {
                of = one_channel(r, plane % c);
                known = plane;
            }
            const __m256i a =
                _mm256_loadu_si256((const __m256i *)(count < 8 ? memcpy(few, acc + i, (size_t)count * 4) : acc + i));
            unsigned bits = store8(ib_requant8(a, &of.scale), zero, lo, hi, count, r->codes + i);
            if (r->top)
                bits &= between8(a, of.top);
            if (r->mask)
                r->mask[i / 8] = (uint8_t)(bits & ((1u << count) - 1));
        }
    }
}

/* The extremes of eight channels' sums, or of one channel's in eight lanes. */
typedef struct extremes {
    int32_t low[8], high[8];
} extremes;

static extremes extremes_of(const int32_t *acc, int64_t n, int64_t stride, int64_t count)
{
    __m256i low = _mm256_set1_epi32(INT32_MAX), high = _mm256_set1_epi32(INT32_MIN);
    extremes e;
    for (int64_t i = 0; i < n; i++, acc += stride) {
        int64_t l = 0;
        for (; l + 8 <= count; l += 8) {
            const __m256i v = _mm256_loadu_si256((const __m256i *)(acc + l));
            low = _mm256_min_epi32(low, v);
            high = _mm256_max_epi32(high, v);
        }
        if (l < count) {
            const __m256i live = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(count - l)),
                                                    _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
                          v = _mm256_maskload_epi32(acc + l, live);
            low = _mm256_blendv_epi8(low, _mm256_min_epi32(low, v), live);
            high = _mm256_blendv_epi8(high, _mm256_max_epi32(high, v), live);
        }
    }
    _mm256_storeu_si256((__m256i *)e.low, low);
    _mm256_storeu_si256((__m256i *)e.high, high);
    return e;
}

/* The extremes of scale[c] * acc over all elements. */
static void acc_range(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *lo, float *hi)
{
    const int64_t n = s->n, c = s->c, hw = s->hw, step = hw == 1 ? 8 : 1;
    float a = INFINITY, b = -INFINITY;
#pragma omp parallel for schedule(static) reduction(min : a) reduction(max : b) if (n * c * hw > IB_SERIAL)
    for (int64_t j = 0; j < c; j += step) {
        const int64_t count = hw == 1 ? ib_min64(8, c - j) : hw;
        extremes e = extremes_of(acc + j * hw, n, c * hw, count);
        for (int l = 1; hw > 1 && l < 8; l++) { /* lanes of one channel */
            e.low[0] = e.low[l] < e.low[0] ? e.low[l] : e.low[0];
            e.high[0] = e.high[l] > e.high[0] ? e.high[l] : e.high[0];
        }
        for (int64_t l = 0; l < (hw > 1 ? 1 : count); l++) {
            const float x = (float)e.low[l] * scale[j + l], y = (float)e.high[l] * scale[j + l];
            a = x < a ? x : a;
            b = y > b ? y : b;
        }
    }
    *lo = a;
    *hi = b;
}

void ib_avx2_requant_replace(ib_kernels *k)
{
    k->requant = ib_avx2_requant;
    k->acc_range = acc_range;
}
