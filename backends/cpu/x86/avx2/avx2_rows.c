/* avx2_rows.c - one to four rows times a frozen matrix, as generation has them: blocks are unpacked in registers, meet
 * every row there and are never stored. Other formats are decoded row by row (avx2_frozen.c).
 *
 * A block's share of <x, w> is d sum q x (+ m sum x, with the sums of x by blocks made once). */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/decode_runs.h"

enum { FEW = 4, BLOCK = 32 };

/* 32 elements q d + m */
typedef struct taken {
    __m256 q[4];
    float d, m;
} taken;

static inline void take_codes(__m256i q, taken *t)
{
    const __m128i first = _mm256_castsi256_si128(q), second = _mm256_extracti128_si256(q, 1);
    t->q[0] = reals8(first);
    t->q[1] = reals8(_mm_srli_si128(first, 8));
    t->q[2] = reals8(second);
    t->q[3] = reals8(_mm_srli_si128(second, 8));
}

/* take_<name>: block i of the matrix, which lies in row o; d_at < 0: its scale is the row's */
#define TAKE(name, bytes, shift, d_at, m_at)                                                                           \
    static inline void take_##name(const ib_matrix *w, int64_t o, int64_t i, taken *t)                                 \
    {                                                                                                                  \
        const uint8_t *b = w->data + i * (bytes);                                                                      \
        take_codes(_mm256_sub_epi8(part_##name(b, 0), _mm256_set1_epi8(shift)), t);                                    \
        t->d = (d_at) < 0 ? ib_row_scale(w, o) : scale_at(b + (d_at));                                                 \
        t->m = (m_at) < 0 ? 0.0f : scale_at(b + (m_at));                                                               \
    }
TAKE(q4_0, IB_BYTES_q4_0, 8, 0, -1)
TAKE(q4_1, IB_BYTES_q4_1, 0, 0, 2)
TAKE(q5_0, IB_BYTES_q5_0, 16, 0, -1)
TAKE(q5_1, IB_BYTES_q5_1, 0, 0, 2)
TAKE(q8_0, IB_BYTES_q8_0, 0, 0, -1)
TAKE(iq4_nl, IB_BYTES_iq4_nl, 0, 0, -1)
TAKE(int4, IB_BYTES_int4, 8, 0, -1)
TAKE(int8, BLOCK, 0, -1, -1)

/* nf4 and fp4 */
static inline void take_coded(const ib_matrix *w, int64_t o, int64_t i, taken *t)
{
    const __m256i q = nibbles_in_turn(w->data + i * (BLOCK / 2));
    const __m128i first = _mm256_castsi256_si128(q), second = _mm256_extracti128_si256(q, 1);
    t->q[0] = coded8(first, w->code);
    t->q[1] = coded8(_mm_srli_si128(first, 8), w->code);
    t->q[2] = coded8(second, w->code);
    t->q[3] = coded8(_mm_srli_si128(second, 8), w->code);
    t->d = ib_absmax_at(w, i / (IB_NF4_BLOCK / BLOCK));
}

static inline float add_up(__m256 v)
{
    const __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)),
                 b = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

/* Rows x[n][cols], their sums by blocks, and y[n][outputs]. */
typedef struct product {
    const ib_matrix *w;
    const float *x, *sums;
    int add;
    float *y;
} product;

typedef void take(const ib_matrix *w, int64_t o, int64_t i, taken *t);

/* Output o of n rows. */
static inline __attribute__((always_inline)) void output(const product *p, int64_t o, int n, int minima, take *block)
{
    const int64_t cols = p->w->cols, blocks = cols / BLOCK, outputs = p->w->rows;
    __m256 sum[FEW];
    float least[FEW];
    for (int r = 0; r < n; r++) {
        sum[r] = _mm256_setzero_ps();
        least[r] = 0;
    }
    for (int64_t j = 0; j < blocks; j++) {
        taken t;
        block(p->w, o, o * blocks + j, &t);
        const __m256 d = _mm256_set1_ps(t.d);
#pragma GCC unroll 4
        for (int r = 0; r < n; r++) {
            const float *x = p->x + r * cols + j * BLOCK;
            __m256 s = _mm256_mul_ps(t.q[0], _mm256_loadu_ps(x));
            s = _mm256_fmadd_ps(t.q[1], _mm256_loadu_ps(x + 8), s);
            s = _mm256_fmadd_ps(t.q[2], _mm256_loadu_ps(x + 16), s);
            s = _mm256_fmadd_ps(t.q[3], _mm256_loadu_ps(x + 24), s);
            sum[r] = _mm256_fmadd_ps(d, s, sum[r]);
            if (minima)
                least[r] += t.m * p->sums[r * blocks + j];
        }
    }
    for (int r = 0; r < n; r++) {
        float *y = p->y + r * outputs + o;
        *y = add_up(sum[r]) + least[r] + (p->add ? *y : 0.0f);
    }
}

/* FORMAT(name, take, minima) */
#define FORMATS(FORMAT)                                                                                                \
    FORMAT(q4_0, q4_0, 0)                                                                                              \
    FORMAT(q4_1, q4_1, 1)                                                                                              \
    FORMAT(q5_0, q5_0, 0)                                                                                              \
    FORMAT(q5_1, q5_1, 1)                                                                                              \
    FORMAT(iq4_nl, iq4_nl, 0)                                                                                          \
    FORMAT(int4, int4, 0)                                                                                              \
    FORMAT(q8_0, q8_0, 0)                                                                                              \
    FORMAT(int8, int8, 0)                                                                                              \
    FORMAT(nf4, coded, 0)                                                                                              \
    FORMAT(nf4_dq, coded, 0)                                                                                           \
    FORMAT(fp4, coded, 0)                                                                                              \
    FORMAT(fp4_dq, coded, 0)
#define OUTPUT(name, how, minima)                                                                                      \
    static void output_##name(const product *p, int64_t o, int n)                                                      \
    {                                                                                                                  \
        if (n == 1)                                                                                                    \
            output(p, o, 1, minima, take_##how);                                                                       \
        else if (n == 2)                                                                                               \
            output(p, o, 2, minima, take_##how);                                                                       \
        else if (n == 3)                                                                                               \
            output(p, o, 3, minima, take_##how);                                                                       \
        else                                                                                                           \
            output(p, o, 4, minima, take_##how);                                                                       \
    }
FORMATS(OUTPUT)
#undef OUTPUT

static void (*const output_of[IB_N_STORAGE])(const product *p, int64_t o, int n) = {
#define OUTPUT(name, how, minima) [IB_AT_##name] = output_##name,
    FORMATS(OUTPUT)
#undef OUTPUT
};

int ib_avx2_few_rows(const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    const int64_t rows = w->rows, blocks = w->cols / BLOCK, tile = 16;
    const int f = w->format->index;
    if (n > FEW || !output_of[f] || w->cols % BLOCK)
        return 0;
    for (int64_t i = 0; i < n * blocks; i++)
        scratch[i] = add_up(
            _mm256_add_ps(_mm256_add_ps(_mm256_loadu_ps(x + BLOCK * i), _mm256_loadu_ps(x + BLOCK * i + 8)),
                          _mm256_add_ps(_mm256_loadu_ps(x + BLOCK * i + 16), _mm256_loadu_ps(x + BLOCK * i + 24))));
    const product p = {w, x, scratch, add, y};
#pragma omp parallel for schedule(static) if (rows * w->cols > IB_SERIAL)
    for (int64_t t = 0; t < rows; t += tile)
        for (int64_t o = t; o < rows && o < t + tile; o++)
            output_of[f](&p, o, (int)n);
    return 1;
}
