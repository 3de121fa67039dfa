/* avx512_pool.c - max pooling of windows within the image, equal in every bit to pool.c; what has padding is left to
 * it. */
#include <immintrin.h>

#include "backends/cpu/level.h"

void ib_avx512_pool_replace(ib_kernels *k);

enum { SERIAL = 16384, WIDEST = 4096 };

static int is_inside(const ib_window *s)
{
    return !s->ph && !s->pw && s->iw <= WIDEST && (s->oh - 1) * s->sh + s->kh <= s->ih &&
           (s->ow - 1) * s->sw + s->kw <= s->iw;
}

/* Pairs of rows and columns, the usual pooling. */
static int is_two_by_two(const ib_window *s)
{
    return s->kh == 2 && s->kw == 2 && s->sh == 2 && s->sw == 2 && is_inside(s);
}

static __mmask16 first(int64_t n)
{
    return n >= 16 ? 0xFFFF : n <= 0 ? 0 : (__mmask16)((1u << n) - 1);
}

/* The first of the largest of four wins, as in pool.c; their indices in the plane begin at `at` and are two apart. */
static inline __m512i where(__mmask16 second, __mmask16 third, __mmask16 fourth, int64_t at, int64_t width)
{
    const __m512i lane = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512i i = _mm512_add_epi32(lane, _mm512_set1_epi32((int32_t)at));
    const __m512i below = _mm512_add_epi32(i, _mm512_set1_epi32((int32_t)width)), one = _mm512_set1_epi32(1);
    i = _mm512_mask_add_epi32(i, second, i, one);
    i = _mm512_mask_mov_epi32(i, third, below);
    return _mm512_mask_add_epi32(i, fourth, below, one);
}

static void maxpool(ib_device *dev, const ib_window *s, const float *x, float *y, int32_t *argmax)
{
    if (!is_two_by_two(s)) {
        IB_K(maxpool)(dev, s, x, y, argmax);
        return;
    }
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
#pragma omp parallel for schedule(static) if (s->n * s->ic * s->ih * s->iw > SERIAL)
    for (int64_t p = 0; p < s->n * s->ic; p++)
        for (int64_t oy = 0; oy < s->oh; oy++)
            for (int64_t ox = 0; ox < s->ow; ox += 16) {
                const float *in = x + (p * s->ih + 2 * oy) * s->iw + 2 * ox;
                const int64_t left = s->ow - ox, o = (p * s->oh + oy) * s->ow + ox;
                __m512 v[2][2];
                for (int r = 0; r < 2; r++) {
                    const __m512 a = _mm512_maskz_loadu_ps(first(2 * left), in + r * s->iw),
                                 b = _mm512_maskz_loadu_ps(first(2 * left - 16), in + r * s->iw + 16);
                    v[r][0] = _mm512_permutex2var_ps(a, even, b);
                    v[r][1] = _mm512_permutex2var_ps(a, odd, b);
                }
                const __mmask16 second = _mm512_cmp_ps_mask(v[0][1], v[0][0], _CMP_GT_OQ);
                __m512 best = _mm512_mask_mov_ps(v[0][0], second, v[0][1]);
                const __mmask16 third = _mm512_cmp_ps_mask(v[1][0], best, _CMP_GT_OQ);
                best = _mm512_mask_mov_ps(best, third, v[1][0]);
                const __mmask16 fourth = _mm512_cmp_ps_mask(v[1][1], best, _CMP_GT_OQ);
                _mm512_mask_storeu_ps(y + o, first(left), _mm512_mask_mov_ps(best, fourth, v[1][1]));
                if (argmax)
                    _mm512_mask_storeu_epi32(argmax + o, first(left),
                                             where(second, third, fourth, 2 * oy * s->iw + 2 * ox, s->iw));
            }
}

/* The same for codes, with their places: bytes 2 i and 2 i + 1 as the halves of 16 bits. */
static void places(const ib_window *s, const int8_t *x, int8_t *y, int32_t *argmax)
{
#pragma omp parallel for schedule(static) if (s->n * s->ic * s->ih * s->iw > SERIAL)
    for (int64_t p = 0; p < s->n * s->ic; p++)
        for (int64_t oy = 0; oy < s->oh; oy++)
            for (int64_t ox = 0; ox < s->ow; ox += 16) {
                const int8_t *in = x + (p * s->ih + 2 * oy) * s->iw + 2 * ox;
                const int64_t left = s->ow - ox, o = (p * s->oh + oy) * s->ow + ox;
                __m256i v[2][2];
                for (int r = 0; r < 2; r++) {
                    const __m256i both = _mm256_maskz_loadu_epi16(first(left), in + r * s->iw);
                    v[r][0] = _mm256_srai_epi16(_mm256_slli_epi16(both, 8), 8);
                    v[r][1] = _mm256_srai_epi16(both, 8);
                }
                const __mmask16 second = _mm256_cmpgt_epi16_mask(v[0][1], v[0][0]);
                __m256i best = _mm256_max_epi16(v[0][0], v[0][1]);
                const __mmask16 third = _mm256_cmpgt_epi16_mask(v[1][0], best);
                best = _mm256_max_epi16(best, v[1][0]);
                const __mmask16 fourth = _mm256_cmpgt_epi16_mask(v[1][1], best);
                _mm_mask_storeu_epi8(y + o, first(left), _mm256_cvtepi16_epi8(_mm256_max_epi16(best, v[1][1])));
                _mm512_mask_storeu_epi32(argmax + o, first(left),
                                         where(second, third, fourth, 2 * oy * s->iw + 2 * ox, s->iw));
            }
}

/* A row of maxima over the window's rows, then over its columns; windows within the image, as most are. */
static void largest(const ib_window *s, const int8_t *x, int8_t *y)
{
#pragma omp parallel for schedule(static) if (s->n * s->ic * s->ih * s->iw > SERIAL)
    for (int64_t i = 0; i < s->n * s->ic; i++)
        for (int64_t oy = 0; oy < s->oh; oy++) {
            int8_t row[WIDEST + 64];
            const int8_t *in = x + (i * s->ih + oy * s->sh) * s->iw;
            int8_t *out = y + (i * s->oh + oy) * s->ow;
            for (int64_t j = 0; j < s->iw; j += 64) {
                const __mmask64 live = s->iw - j >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (s->iw - j)) - 1;
                __m512i most = _mm512_maskz_loadu_epi8(live, in + j);
                for (int ky = 1; ky < s->kh; ky++)
                    most = _mm512_max_epi8(most, _mm512_maskz_loadu_epi8(live, in + ky * s->iw + j));
                _mm512_storeu_si512(row + j, most);
            }
            if (s->sw == 2 && s->kw == 2) /* the larger of each pair of bytes is the low byte of 16 bits */
                for (int64_t j = 0; j < s->ow; j += 32) {
                    const __mmask32 live = s->ow - j >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (s->ow - j)) - 1;
                    const __m512i v = _mm512_maskz_loadu_epi16(live, row + 2 * j);
                    _mm256_mask_storeu_epi8(out + j, live,
                                            _mm512_cvtepi16_epi8(_mm512_max_epi8(v, _mm512_srli_epi16(v, 8))));
                }
            else
                for (int64_t j = 0; j < s->ow; j++) {
                    int8_t best = row[j * s->sw];
                    for (int kx = 1; kx < s->kw; kx++)
                        best = row[j * s->sw + kx] > best ? row[j * s->sw + kx] : best;
                    out[j] = best;
                }
        }
}

static void qmaxpool(ib_device *dev, const ib_window *s, const int8_t *x, int8_t *y, int32_t *argmax)
{
    if (argmax && is_two_by_two(s))
        places(s, x, y, argmax);
    else if (!argmax && is_inside(s))
        largest(s, x, y);
    else
        IB_K(qmaxpool)(dev, s, x, y, argmax);
}

void ib_avx512_pool_replace(ib_kernels *k)
{
    k->maxpool = maxpool;
    k->qmaxpool = qmaxpool;
}
