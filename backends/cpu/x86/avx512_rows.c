/* avx512_rows.c - what generation needs: one to four rows times a frozen matrix, whose blocks are unpacked in registers
 * and never stored, and attention of one row over the cache. Formats without a row here are decoded and multiplied
 * (avx512_frozen.c).
 *
 * A block's share of <x, w> is d sum q x (+ m sum x, with the sums of x by blocks made once). */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "backends/cpu/level.h"

void ib_avx512_pool_replace(ib_kernels *k);   /* avx512_pool.c */
void ib_avx512_peaks_replace(ib_kernels *k);  /* avx512_peaks.c */
void ib_avx512_frozen_replace(ib_kernels *k); /* avx512_frozen.c */
void ib_avx512_frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y,
                          float *scratch);

enum { FEW = 4 };

/* Two halves; for one, the second is of no use. */
static __m128 halves(const uint8_t *b, size_t bytes)
{
    int32_t two = 0;
    memcpy(&two, b, bytes);
    return _mm_cvtph_ps(_mm_cvtsi32_si128(two));
}

static __m512 low_bytes(__m128i q)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
}

/* sum over the nibbles of 16 bytes times x[32], less `shift` each */
static __m512 nibbles(const uint8_t *b, const float *x, __m128i shift)
{
    const __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)b), mask = _mm_set1_epi8(15);
    const __m128i lo = _mm_sub_epi8(_mm_and_si128(raw, mask), shift),
                  hi = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(raw, 4), mask), shift);
    return _mm512_fmadd_ps(low_bytes(hi), _mm512_loadu_ps(x + 16), _mm512_mul_ps(low_bytes(lo), _mm512_loadu_ps(x)));
}

/* acc + d <q, x> of one block each */
static __m512 block_q4_0(const uint8_t *b, const float *x, __m512 acc)
{
    return _mm512_fmadd_ps(_mm512_broadcastss_ps(halves(b, 2)), nibbles(b + 2, x, _mm_set1_epi8(8)), acc);
}

static __m512 block_q4_1(const uint8_t *b, const float *x, const float *sum, __m128 *least, __m512 acc)
{
    const __m128 dm = halves(b, 4);
    *least = _mm_fmadd_ss(_mm_movehdup_ps(dm), _mm_load_ss(sum), *least);
    return _mm512_fmadd_ps(_mm512_broadcastss_ps(dm), nibbles(b + 4, x, _mm_setzero_si128()), acc);
}

static __m512 block_q8_0(const uint8_t *b, const float *x, __m512 acc)
{
    const __m512 lo = low_bytes(_mm_loadu_si128((const __m128i *)(const void *)(b + 2))),
                 hi = low_bytes(_mm_loadu_si128((const __m128i *)(const void *)(b + 18)));
    return _mm512_fmadd_ps(_mm512_broadcastss_ps(halves(b, 2)),
                           _mm512_fmadd_ps(hi, _mm512_loadu_ps(x + 16), _mm512_mul_ps(lo, _mm512_loadu_ps(x))), acc);
}

/* Two accumulators in turns hide the latency of an addition. */
static float row_q4_0(const uint8_t *b, int64_t blocks, const float *x, const float *sums)
{
    (void)sums;
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (; blocks >= 2; blocks -= 2, b += 36, x += 64) {
        even = block_q4_0(b, x, even);
        odd = block_q4_0(b + 18, x + 32, odd);
    }
    if (blocks)
        even = block_q4_0(b, x, even);
    return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

static float row_q4_1(const uint8_t *b, int64_t blocks, const float *x, const float *sums)
{
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    __m128 least[2] = {_mm_setzero_ps(), _mm_setzero_ps()};
    for (; blocks >= 2; blocks -= 2, b += 40, x += 64, sums += 2) {
        even = block_q4_1(b, x, sums, &least[0], even);
        odd = block_q4_1(b + 20, x + 32, sums + 1, &least[1], odd);
    }
    if (blocks)
        even = block_q4_1(b, x, sums, &least[0], even);
    return _mm512_reduce_add_ps(_mm512_add_ps(even, odd)) + _mm_cvtss_f32(least[0]) + _mm_cvtss_f32(least[1]);
}

static float row_q8_0(const uint8_t *b, int64_t blocks, const float *x, const float *sums)
{
    (void)sums;
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (; blocks >= 2; blocks -= 2, b += 68, x += 64) {
        even = block_q8_0(b, x, even);
        odd = block_q8_0(b + 34, x + 32, odd);
    }
    if (blocks)
        even = block_q8_0(b, x, even);
    return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

static const struct {
    const char *name;
    float (*row)(const uint8_t *b, int64_t blocks, const float *x, const float *sums);
} formats[] = {{"q4_0", row_q4_0}, {"q4_1", row_q4_1}, {"q8_0", row_q8_0}};

static void few_rows(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    size_t f = 0;
    while (f < sizeof formats / sizeof *formats && strcmp(formats[f].name, w->format->name))
        f++;
    if (n > FEW || f == sizeof formats / sizeof *formats) {
        ib_avx512_frozen_mul(dev, w, n, x, add, y, scratch);
        return;
    }
    const int64_t blocks = w->cols / 32, bytes = blocks * w->format->bytes, tile = 16;
    for (int64_t i = 0; i < n * blocks; i++)
        scratch[i] = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_loadu_ps(x + 32 * i), _mm512_loadu_ps(x + 32 * i + 16)));
#pragma omp parallel for schedule(static) if (w->rows * w->cols > 16384)
    for (int64_t t = 0; t < w->rows; t += tile)
        for (int64_t o = t; o < w->rows && o < t + tile; o++)
            for (int64_t i = 0; i < n; i++) {
                const float sum = formats[f].row(w->data + o * bytes, blocks, x + i * w->cols, scratch + i * blocks);
                y[i * w->rows + o] = sum + (add ? y[i * w->rows + o] : 0.0f);
            }
}

/* Sixteen cached values from element `at`; scale: of int8. */
static inline __m512 cached(const ib_kv_cache *c, const void *rows, int64_t at, __m512 scale)
{
    if (c->int8)
        return _mm512_mul_ps(low_bytes(_mm_loadu_si128((const __m128i *)(const void *)((const int8_t *)rows + at))),
                             scale);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)((const uint16_t *)rows + at)));
}

/* y + a b, rounded twice as plain C has it */
static inline __m512 plus(__m512 y, __m512 a, __m512 b)
{
    return _mm512_add_ps(y, _mm512_mul_ps(a, b));
}

/* The sum of the lanes in the order of ib_add_lanes. */
static inline float add_lanes(__m512 x)
{
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)),
                 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

/* attention.c's online softmax, in every bit, for heads of whole vectors: query and result of a head stay in
 * registers. */
static inline __attribute__((always_inline)) void attend(const ib_kv_cache *c, int g, int parts, float scale,
                                                         int64_t from, int64_t to, const float *q, float *y)
{
    enum { BLOCK = 64 };
    const int64_t step = (int64_t)c->groups * c->dim, first = (int64_t)g * c->dim;
    __m512 query[8], o[8];
    float s[BLOCK], max = -INFINITY, sum = 0;
    for (int p = 0; p < parts; p++) {
        query[p] = _mm512_loadu_ps(q + 16 * p);
        o[p] = _mm512_setzero_ps();
    }
    for (int64_t j0 = from; j0 < to; j0 += BLOCK) {
        const int n = (int)(to - j0 < BLOCK ? to - j0 : BLOCK);
        float most = max;
        for (int j = 0; j < n; j++) {
            const __m512 key_scale = _mm512_set1_ps(c->int8 ? c->k_scale[(j0 + j) * c->groups + g] : 1.0f);
            __m512 dot = _mm512_setzero_ps();
            for (int p = 0; p < parts; p++)
                dot = plus(dot, query[p], cached(c, c->k, (j0 + j) * step + first + 16 * p, key_scale));
            s[j] = add_lanes(dot) * scale;
            most = s[j] > most ? s[j] : most;
        }
        for (int j = n; j < BLOCK; j++)
            s[j] = -INFINITY; /* weight 0 */
        for (int j = 0; j < BLOCK; j++)
            s[j] = ib_exp(s[j] - most);
        const float shrink = ib_exp(max - most);
        __m512 total = _mm512_setzero_ps();
        for (int j = 0; j < BLOCK; j += 16)
            total = _mm512_add_ps(total, _mm512_loadu_ps(s + j));
        sum = sum * shrink + add_lanes(total);
        max = most;
        for (int p = 0; p < parts; p++)
            o[p] = _mm512_mul_ps(o[p], _mm512_set1_ps(shrink));
        for (int j = 0; j < n; j++) {
            const __m512 weight = _mm512_set1_ps(s[j]),
                         value_scale = _mm512_set1_ps(c->int8 ? c->v_scale[(j0 + j) * c->groups + g] : 1.0f);
            for (int p = 0; p < parts; p++)
                o[p] = plus(o[p], weight, cached(c, c->v, (j0 + j) * step + first + 16 * p, value_scale));
        }
    }
    for (int p = 0; p < parts; p++)
        _mm512_storeu_ps(y + 16 * p, _mm512_div_ps(o[p], _mm512_set1_ps(sum)));
}

static void attention_cached(ib_device *dev, const ib_kv_cache *c, int heads, float scale, int64_t from, int64_t to,
                             const float *q, float *y)
{
    const int dim = c->dim, share = heads / c->groups;
    if (dim != 64 && dim != 128 && dim != 32) {
        IB_K(attention_cached)(dev, c, heads, scale, from, to, q, y);
        return;
    }
#pragma omp parallel for schedule(static) if ((to - from) * heads * dim > 32768)
    for (int h = 0; h < heads; h++) {
        const float *qh = q + (int64_t)h * dim;
        float *yh = y + (int64_t)h * dim;
        if (dim == 64)
            attend(c, h / share, 4, scale, from, to, qh, yh);
        else if (dim == 128)
            attend(c, h / share, 8, scale, from, to, qh, yh);
        else
            attend(c, h / share, 2, scale, from, to, qh, yh);
    }
}

void ib_avx512_replace(ib_kernels *k)
{
    ib_avx512_frozen_replace(k);
    k->frozen_mul = few_rows;
    k->attention_cached = attention_cached;
    ib_avx512_pool_replace(k);
    ib_avx512_peaks_replace(k);
}
