/* avx512_rows.c - what generation needs: one to four rows times a frozen matrix, whose blocks are unpacked in registers
 * and never stored. Formats without a row here are decoded and multiplied (avx512_frozen.c).
 *
 * A block's share of <x, w> is d sum q x (+ m sum x, with the sums of x by blocks made once). */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"

void ib_avx512_attention_replace(ib_kernels *k); /* avx512_attention.c */
void ib_avx512_pool_replace(ib_kernels *k);      /* avx512_pool.c */
void ib_avx512_peaks_replace(ib_kernels *k);     /* avx512_peaks.c */
void ib_avx512_frozen_replace(ib_kernels *k);    /* avx512_frozen.c */
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

void ib_avx512_replace(ib_kernels *k)
{
    ib_avx512_frozen_replace(k);
    k->frozen_mul = few_rows;
    ib_avx512_attention_replace(k);
    ib_avx512_pool_replace(k);
    ib_avx512_peaks_replace(k);
}
