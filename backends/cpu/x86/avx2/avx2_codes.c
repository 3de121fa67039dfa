/* avx2_codes.c - between fp32 values and codes with AVX2, equal in every bit to quantize.c. A vector is eight elements,
 * as many as a byte of a mask has bits. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_store.h"

/* All bits of a lane whose element is among the first `count`. */
static inline __m256i lanes(int64_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* ... and of one whose bit is set. */
static inline __m256 spread(unsigned bits)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), bit), bit));
}

/* What codes may be, less their zero point. */
typedef struct code_range {
    __m256 lo, hi;
    int zero, half_away;
} code_range;

static inline code_range range_of(int lo, int hi, int zero, int half_away)
{
    return (code_range){_mm256_set1_ps((float)lo), _mm256_set1_ps((float)hi), zero, half_away};
}

/* round(x / scale), clamped, + zero into q[0..count); NaN becomes `zero`. The bits of the elements inside the range. */
static inline unsigned to_codes(__m256 x, __m256 scale, const code_range *c, int64_t count, int8_t *q)
{
    const __m256 t = _mm256_div_ps(x, scale);
    __m256 r = _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    if (c->half_away) { /* trunc(t + copysign(the largest below 1/2, t)), as roundf */
        const __m256 half = _mm256_or_ps(_mm256_and_ps(t, _mm256_set1_ps(-0.0f)), _mm256_set1_ps(0.49999997f));
        r = _mm256_round_ps(_mm256_add_ps(t, half), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    }
    const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(r, c->lo, _CMP_GE_OQ), _mm256_cmp_ps(r, c->hi, _CMP_LE_OQ));
    const __m256 within = _mm256_min_ps(_mm256_max_ps(r, c->lo), c->hi);
    const __m256i code = _mm256_cvtps_epi32(_mm256_and_ps(_mm256_cmp_ps(r, r, _CMP_ORD_Q), within));
    const __m256i y = _mm256_add_epi32(code, _mm256_set1_epi32(c->zero));
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
    ib_store8(q, _mm_packs_epi16(half, half), count);
    return (unsigned)_mm256_movemask_ps(inside);
}

static inline unsigned some_bits(unsigned bits, int64_t count)
{
    return count < 8 ? bits & ((1u << count) - 1) : bits;
}

static void quantize(ib_device *dev, const float *x, int64_t n, const ib_affine *p, int8_t *q, uint8_t *mask)
{
    const __m256 scale = _mm256_set1_ps(*p->scale);
    const int zero = ib_zero_of(p->zero);
    const code_range c = range_of(p->qmin - zero, p->qmax - zero, zero, p->half_away);
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < (n + 7) / 8; b++) {
        const int64_t i = 8 * b, count = n - i;
        const __m256 v = count < 8 ? _mm256_maskload_ps(x + i, lanes(count)) : _mm256_loadu_ps(x + i);
        const unsigned bits = to_codes(v, scale, &c, count, q + i);
        if (mask)
            mask[b] = (uint8_t)some_bits(bits, count);
    }
}

static void quantize_rows(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    const int64_t n = rows * cols, part = n / p->n_scales;
    const float *w = p->w, *scale = p->scale;
    const code_range c = range_of(-p->qmax, p->qmax, 0, 0);
    int8_t *q = p->q;
    uint8_t *mask = p->mask;
    const int one = p->n_scales == 1;
    if (cols % 8 == 0 && (one || p->n_scales == rows)) { /* rows of whole vectors */
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
        for (int64_t row = 0; row < rows; row++) {
            const __m256 s = _mm256_set1_ps(scale[one ? 0 : row]);
            for (int64_t i = row * cols; i < (row + 1) * cols; i += 8) {
                const unsigned bits = to_codes(_mm256_loadu_ps(w + i), s, &c, 8, q + i);
                if (mask)
                    mask[i / 8] = (uint8_t)bits;
            }
        }
        return;
    }
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < (n + 7) / 8; b++) {
        const int64_t i = 8 * b, count = n - i, row = i / part;
        __m256 s = _mm256_set1_ps(scale[row]), v;
        if ((row + 1) * part < i + ib_min64(8, count)) { /* rows begin within the vector */
            float own[8];
            for (int64_t j = 0; j < 8; j++)
                own[j] = scale[ib_min64(i + j, n - 1) / part];
            s = _mm256_loadu_ps(own);
        }
        v = count < 8 ? _mm256_maskload_ps(w + i, lanes(count)) : _mm256_loadu_ps(w + i);
        const unsigned bits = to_codes(v, s, &c, count, q + i);
        if (mask)
            mask[b] = (uint8_t)some_bits(bits, count);
    }
}

static void abs_max_rows(ib_device *dev, const float *w, int64_t rows, int64_t cols, float *y)
{
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(INT32_MAX));
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t r = 0; r < rows; r++) {
        const float *row = w + r * cols;
        __m256 best = _mm256_setzero_ps(); /* the second of max_ps where the first is NaN, so that it is passed over */
        int64_t i = 0;
        for (; i + 8 <= cols; i += 8)
            best = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(row + i), magnitude), best);
        best = _mm256_max_ps(_mm256_and_ps(_mm256_maskload_ps(row + i, lanes(cols - i)), magnitude), best);
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(best), _mm256_extractf128_ps(best, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        y[r] = _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }
}

/* dz = dy where the mask's bit is set, else 0, or (add) + dz. Masked stores are for the end alone: some processors take
 * a dozen cycles for one. */
static inline __attribute__((always_inline)) void pass(const float *dy, const uint8_t *mask, float *dz, int64_t n,
                                                       int add)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n / 8; b++) {
        const __m256 v = _mm256_and_ps(_mm256_loadu_ps(dy + 8 * b), spread(mask[b]));
        _mm256_storeu_ps(dz + 8 * b, add ? _mm256_add_ps(_mm256_loadu_ps(dz + 8 * b), v) : v);
    }
    for (int64_t i = n / 8 * 8; i < n; i++) {
        const float v = mask[i / 8] >> i % 8 & 1 ? dy[i] : 0.0f;
        dz[i] = add ? dz[i] + v : v;
    }
}

static void where(ib_device *dev, const float *dy, const uint8_t *mask, float *dz, int64_t n)
{
    pass(dy, mask, dz, n, 0);
}

static void grad_where(ib_device *dev, const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
    pass(dy, mask, dx, n, 1);
}

void ib_avx2_codes_replace(ib_kernels *k)
{
    k->quantize = quantize;
    k->quantize_rows = quantize_rows;
    k->abs_max_rows = abs_max_rows;
    k->where = where;
    k->grad_where = grad_where;
}
