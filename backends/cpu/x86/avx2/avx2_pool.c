/* avx2_pool.c - max pooling of pairs of rows and columns within the image, the usual one, equal in every bit to pool.c;
 * all others are left to it. A vector of results may reach into the next row, which comes over it. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"

static int is_two_by_two(const ib_window *s)
{
    return s->kh == 2 && s->kw == 2 && s->sh == 2 && s->sw == 2 && !s->ph && !s->pw && 2 * s->oh <= s->ih &&
           2 * s->ow <= s->iw;
}

/* Columns 2 l and 2 l + 1 of sixteen, in lanes l = 0 1 4 5 2 3 6 7. */
static inline __m256 columns(const float *in, int odd)
{
    const __m256 a = _mm256_loadu_ps(in), b = _mm256_loadu_ps(in + 8);
    return odd ? _mm256_shuffle_ps(a, b, 0xDD) : _mm256_shuffle_ps(a, b, 0x88);
}
static inline __m256i in_order(__m256i v)
{
    return _mm256_permute4x64_epi64(v, 0xD8);
}

/* Eight windows, of rows `in` and in + width, whose first column is at `at` of the plane. The first of the largest
 * elements wins, NaN only where it comes first. */
static inline void eight(const void *x, int64_t width, int64_t at, void *y, int32_t *argmax)
{
    const float *in = x;
    const __m256 v[4] = {columns(in, 0), columns(in, 1), columns(in + width, 0), columns(in + width, 1)};
    __m256 best = v[0];
    __m256i place = _mm256_setr_epi32(0, 2, 8, 10, 4, 6, 12, 14);
    const __m256i first = place;
    for (int j = 1; j < 4; j++) {
        const __m256 wins = _mm256_cmp_ps(v[j], best, _CMP_GT_OQ);
        const __m256i own = _mm256_add_epi32(first, _mm256_set1_epi32((int32_t)(j / 2 * width + j % 2)));
        best = _mm256_blendv_ps(best, v[j], wins);
        place = _mm256_blendv_epi8(place, own, _mm256_castps_si256(wins));
    }
    _mm256_storeu_ps(y, _mm256_castsi256_ps(in_order(_mm256_castps_si256(best))));
    if (argmax)
        _mm256_storeu_si256((__m256i *)argmax, in_order(_mm256_add_epi32(place, _mm256_set1_epi32((int32_t)at))));
}

/* The same for sixteen windows of codes: bytes 2 i and 2 i + 1 as the halves of 16 bits. */
static inline void sixteen(const void *x, int64_t width, int64_t at, void *y, int32_t *argmax)
{
    const int8_t *in = x;
    __m256i best = _mm256_undefined_si256(), place = _mm256_setzero_si256();
    for (int j = 0; j < 4; j++) {
        const __m256i both = _mm256_loadu_si256((const __m256i *)(in + j / 2 * width)),
                      v = _mm256_srai_epi16(j % 2 ? both : _mm256_slli_epi16(both, 8), 8);
        const __m256i wins = j ? _mm256_cmpgt_epi16(v, best) : _mm256_setzero_si256();
        best = j ? _mm256_max_epi16(best, v) : v;
        place = _mm256_blendv_epi8(place, _mm256_set1_epi16((int16_t)j), wins);
    }
    const __m256i packed = in_order(_mm256_packs_epi16(best, best));
    _mm_storeu_si128(y, _mm256_castsi256_si128(packed));
    for (int h = 0; h < 2 && argmax; h++) { /* window 0 .. 3 of lane l to at + 2 l + column + row width */
        const __m256i j = _mm256_cvtepi16_epi32(h ? _mm256_extracti128_si256(place, 1) : _mm256_castsi256_si128(place)),
                      one = _mm256_set1_epi32(1), lane = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
        const __m256i below = _mm256_and_si256(_mm256_cmpgt_epi32(j, one), _mm256_set1_epi32((int32_t)width));
        const __m256i base = _mm256_add_epi32(lane, _mm256_set1_epi32((int32_t)at + 16 * h));
        _mm256_storeu_si256((__m256i *)(argmax + 8 * h),
                            _mm256_add_epi32(_mm256_add_epi32(base, below), _mm256_and_si256(j, one)));
    }
}

/* A plane, so many windows at a time of elements of `size` bytes, which are constants where it is inlined; what a
 * vector would read behind the plane comes from a copy. */
static inline __attribute__((always_inline)) void one_plane(const ib_window *s, const char *x, char *y, int32_t *argmax,
                                                            int64_t once, size_t size,
                                                            void (*windows)(const void *in, int64_t width, int64_t at,
                                                                            void *y, int32_t *argmax))
{
    const int64_t plane = s->ih * s->iw, results = s->oh * s->ow, width = s->iw, n = (int64_t)size;
    for (int64_t oy = 0; oy < s->oh; oy++)
        for (int64_t ox = 0; ox < s->ow; ox += once) {
            const int64_t at = 2 * oy * width + 2 * ox, o = oy * s->ow + ox, left = ib_min64(once, s->ow - ox);
            char rows[2 * 16 * sizeof(float)], best[8 * sizeof(float)];
            int32_t place[16];
            if (o + once <= results && at + width + 2 * once <= plane) {
                windows(x + n * at, width, at, y + n * o, argmax ? argmax + o : NULL);
                continue;
            }
            memset(rows, 0, sizeof rows);
            for (int64_t r = 0; r < 2; r++)
                memcpy(rows + 2 * n * once * r, x + n * (at + width * r), 2 * (size_t)left * size);
            windows(rows, 2 * once, 0, best, place);
            memcpy(y + n * o, best, (size_t)left * size);
            for (int64_t i = 0; i < left && argmax; i++)
                argmax[o + i] = (int32_t)(at + place[i] % (2 * once) + place[i] / (2 * once) * width);
        }
}

static void maxpool(ib_device *dev, const ib_window *s, const float *x, float *y, int32_t *argmax)
{
    const int64_t plane = s->ih * s->iw, results = s->oh * s->ow;
    if (!is_two_by_two(s)) {
        IB_K(maxpool)(dev, s, x, y, argmax);
        return;
    }
#pragma omp parallel for schedule(static) if (s->n * s->ic * plane > IB_SERIAL)
    for (int64_t p = 0; p < s->n * s->ic; p++)
        one_plane(s, (const char *)(x + p * plane), (char *)(y + p * results), argmax ? argmax + p * results : NULL, 8,
                  sizeof *x, eight);
}

static void qmaxpool(ib_device *dev, const ib_window *s, const int8_t *x, int8_t *y, int32_t *argmax)
{
    const int64_t plane = s->ih * s->iw, results = s->oh * s->ow;
    if (!is_two_by_two(s)) {
        IB_K(qmaxpool)(dev, s, x, y, argmax);
        return;
    }
#pragma omp parallel for schedule(static) if (s->n * s->ic * plane > IB_SERIAL)
    for (int64_t p = 0; p < s->n * s->ic; p++)
        one_plane(s, (const char *)(x + p * plane), (char *)(y + p * results), argmax ? argmax + p * results : NULL, 16,
                  sizeof *x, sixteen);
}

void ib_avx2_pool_replace(ib_kernels *k)
{
    k->maxpool = maxpool;
    k->qmaxpool = qmaxpool;
}
