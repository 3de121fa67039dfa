/* avx2_integer.c - codes x codes with AVX2, equal in every bit to integer.c.
 *
 * The operands are widened to int16 (inputs less their zero point) and laid out in pairs along k, so that
 * vpmaddwd adds two exact products into each int32 lane; nothing saturates. With K2 = ceil(k / 2) pairs:
 *   rows A[m][K2]      the operand that is broadcast, a pair in one int32
 *   panel B[K2][n]     the operand that is loaded, eight pairs a vector, n padded to a multiple of 16 */
#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_window.h"
#include "backends/formulas/windows.h"

static int64_t padded(int64_t n)
{
    return (n + 15) / 16 * 16;
}

/* c[m,n] = sum over pairs + bias; bias by column (per row of the product: stride 0 elsewhere) */
static void block(int64_t rows, int64_t pairs, const int32_t *a, const int32_t *b, int64_t ldb, __m256i acc[4][2])
{
    for (int r = 0; r < 4; r++)
        acc[r][0] = acc[r][1] = _mm256_setzero_si256();
    if (rows == 4) {
        const int32_t *a1 = a + pairs, *a2 = a + 2 * pairs, *a3 = a + 3 * pairs;
        for (int64_t k = 0; k < pairs; k++, b += ldb) {
            const __m256i b0 = _mm256_loadu_si256((const __m256i *)b),
                          b1 = _mm256_loadu_si256((const __m256i *)(b + 8));
            const __m256i v0 = _mm256_set1_epi32(a[k]), v1 = _mm256_set1_epi32(a1[k]);
            const __m256i v2 = _mm256_set1_epi32(a2[k]), v3 = _mm256_set1_epi32(a3[k]);
            acc[0][0] = _mm256_add_epi32(acc[0][0], _mm256_madd_epi16(v0, b0));
            acc[0][1] = _mm256_add_epi32(acc[0][1], _mm256_madd_epi16(v0, b1));
            acc[1][0] = _mm256_add_epi32(acc[1][0], _mm256_madd_epi16(v1, b0));
            acc[1][1] = _mm256_add_epi32(acc[1][1], _mm256_madd_epi16(v1, b1));
            acc[2][0] = _mm256_add_epi32(acc[2][0], _mm256_madd_epi16(v2, b0));
            acc[2][1] = _mm256_add_epi32(acc[2][1], _mm256_madd_epi16(v2, b1));
            acc[3][0] = _mm256_add_epi32(acc[3][0], _mm256_madd_epi16(v3, b0));
            acc[3][1] = _mm256_add_epi32(acc[3][1], _mm256_madd_epi16(v3, b1));
        }
        return;
    }
    for (int64_t k = 0; k < pairs; k++, b += ldb)
        for (int64_t r = 0; r < rows; r++) {
            const __m256i v = _mm256_set1_epi32(a[r * pairs + k]);
            acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(v, _mm256_loadu_si256((const __m256i *)b)));
            acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(v, _mm256_loadu_si256((const __m256i *)(b + 8))));
        }
}

/* Of c = A B + bias. */
typedef struct operands {
    const int32_t *a, *b; /* [m][pairs], [pairs][ldb] */
    int64_t pairs, ldb;
    const int32_t *bias; /* [m] if by_row, else [n] */
    int by_row;
    int32_t *c; /* [m][ldc] */
    int64_t ldc;
} operands;

/* c[m][n] = A B + bias[row] or bias[column] */
static void product(int64_t m, int64_t n, const operands *p)
{
    const int32_t *a = p->a, *b = p->b, *bias = p->bias;
    const int64_t pairs = p->pairs, ldb = p->ldb, ldc = p->ldc;
    const int by_row = p->by_row;
    int32_t *c = p->c;
    for (int64_t j = 0; j < n; j += 16)
        for (int64_t i = 0; i < m; i += 4) {
            __m256i acc[4][2];
            const int64_t rows = ib_min64(4, m - i), cols = ib_min64(16, n - j);
            block(rows, pairs, a + i * pairs, b + j, ldb, acc);
            for (int64_t r = 0; r < rows; r++) {
                int32_t *out = c + (i + r) * ldc + j;
                if (by_row && cols == 16) {
                    const __m256i own = _mm256_set1_epi32(bias[i + r]);
                    _mm256_storeu_si256((__m256i *)out, _mm256_add_epi32(acc[r][0], own));
                    _mm256_storeu_si256((__m256i *)(out + 8), _mm256_add_epi32(acc[r][1], own));
                    continue;
                }
                int32_t line[16];
                _mm256_storeu_si256((__m256i *)line, acc[r][0]);
                _mm256_storeu_si256((__m256i *)(line + 8), acc[r][1]);
                for (int64_t l = 0; l < cols; l++)
                    out[l] = line[l] + bias[by_row ? i + r : j + l];
            }
        }
}

/* The weights of row r as int16, groups multiplied by their factor. */
static void widen_row(const ib_qweights *w, int64_t r, int64_t k, int16_t *out)
{
    const int8_t *row = w->codes + r * k;
    for (int64_t i = 0; i < k; i++)
        out[i] = row[i];
    for (int64_t i = 0; w->group_size && i < k; i++)
        out[i] = (int16_t)(out[i] * w->group_factor[r * w->n_groups + i / w->group_size]);
    if (k & 1)
        out[k] = 0;
}

/* y = x W': inputs are broadcast, weights are the panel */
static void qlinear_of_pairs(int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    const int64_t pairs = (k + 1) / 2, ldb = padded(out);
    const int8_t *x = p->x;
    const int in_zero = ib_zero_of(p->in_zero);
    const ib_qweights *w = p->w;
    int32_t *acc = p->acc;
    int16_t *panel = (int16_t *)p->scratch, *lines = panel + 2 * pairs * ldb; /* of each thread: 16 rows */
#pragma omp parallel for schedule(static) if (k * out > 16384)
    for (int64_t o = 0; o < ldb; o += 16) {
        int16_t *line = lines + omp_get_thread_num() * 32 * pairs;
        for (int64_t j = 0; j < 16; j++)
            if (o + j < out)
                widen_row(w, o + j, k, line + j * 2 * pairs);
            else
                memset(line + j * 2 * pairs, 0, (size_t)pairs * 4);
        for (int64_t l = 0; l < pairs; l++)
            for (int64_t j = 0; j < 16; j++)
                memcpy(panel + 2 * (l * ldb + o + j), line + 2 * (j * pairs + l), 4);
    }
#pragma omp parallel for schedule(static) if (rows * k * out > 262144)
    for (int64_t i = 0; i < rows; i += 4) {
        const int64_t count = ib_min64(4, rows - i);
        int16_t *a = lines + omp_get_thread_num() * 32 * pairs;
        for (int64_t r = 0; r < count; r++) {
            for (int64_t j = 0; j < k; j++)
                a[r * 2 * pairs + j] = (int16_t)(x[(i + r) * k + j] - in_zero);
            if (k & 1)
                a[r * 2 * pairs + k] = 0;
        }
        const operands o = {.a = (const int32_t *)a,
                            .b = (const int32_t *)panel,
                            .pairs = pairs,
                            .ldb = ldb,
                            .bias = p->bias,
                            .c = acc + i * out,
                            .ldc = out};
        product(count, out, &o);
    }
}

void ib_avx2_qlinear(const ib_products *by, ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    int codes = 0;
    if (!ib_avx2_panels_linear(by, rows, k, out, p, &codes))
        qlinear_of_pairs(rows, k, out, p);
    if (p->r && !codes)
        ib_avx2_requant(dev, &(ib_planes){rows, out, 1}, p->acc, p->r);
}

/* y = W col: weights are broadcast, patches are the panel */
static void accumulate(const ib_window *s, const ib_qproduct *p)
{
    const ib_qweights *w = p->w;
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw;
    const int64_t pairs = (k + 1) / 2, pixels = s->oh * s->ow, ldb = padded(pixels);
    if (ib_is_depthwise(s)) {
        ib_avx2_depthwise(s, p);
        return;
    }
    int16_t *rows = (int16_t *)p->scratch;
    for (int64_t o = 0; o < s->oc; o++)
        widen_row(w, o, k, rows + o * 2 * pairs);
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        int16_t *col =
            rows + s->oc * 2 * pairs + omp_get_thread_num() * (2 * pairs * ldb + ib_avx2_window_words(s) * 2);
        for (int64_t g = 0; g < s->groups; g++) {
            ib_avx2_unfold(s, p->x + (i * s->ic + g * icg) * s->ih * s->iw, ib_zero_of(p->in_zero), col, ldb);
            const operands o = {.a = (const int32_t *)(rows + g * ocg * 2 * pairs),
                                .b = (const int32_t *)col,
                                .pairs = pairs,
                                .ldb = ldb,
                                .bias = p->bias + g * ocg,
                                .by_row = 1,
                                .c = p->acc + (i * s->oc + g * ocg) * pixels,
                                .ldc = pixels};
            product(ocg, pixels, &o);
        }
    }
}

void ib_avx2_qconv2d(const ib_products *by, ib_device *dev, const ib_window *s, const ib_qproduct *p)
{
    if (!ib_avx2_conv(by, s, p))
        accumulate(s, p);
    if (p->r)
        ib_avx2_requant(dev, &(ib_planes){s->n, s->oc, s->oh * s->ow}, p->acc, p->r);
}

void ib_avx2_replace(ib_kernels *k)
{
    ib_avx2_requant_replace(k);
    ib_avx2_panels_replace(k);
    ib_avx2_peaks_replace(k);
    ib_avx2_nhwc_replace(k);
    ib_avx2_conv_replace(k);
    ib_avx2_pool_replace(k);
    ib_avx2_sums_replace(k);
    ib_avx2_learned_replace(k);
    ib_avx2_codes_replace(k);
    ib_avx2_attention_replace(k);
    ib_avx2_coded_replace(k);
    ib_avx2_frozen_replace(k);
}
