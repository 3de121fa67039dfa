/* avx2_coded_tiles.h - rows of codes by frozen matrices in integers with vectors of 32 bytes, equal in every bit to
 * coded.c (formulas/row_codes.h): a block's eight sums p are one register. By the instructions of the compilation, of
 * which a level that has more of them than AVX2 makes its own. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_CODED_TILES_H
#define IB_BACKENDS_CPU_X86_AVX2_CODED_TILES_H

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2_coded.h"
#include "tensor/storage/scaled.h"

/* A product: rows x of n, outputs of w. */
typedef struct product {
    const uint8_t *w;
    const int8_t *c;
    const float *d;
    const int16_t *s;
    int64_t blocks, outputs;
    const ib_matrix *matrix; /* its scales of outputs, or of blocks, where these have none */
    float *y;
} product;

/* How codes of weights are multiplied by those of rows: as bytes without a sign, less `shift`; or with one; or as wide
 * ones, whose nibbles choose from tables. */
enum { SIGNED = -1, WIDE = -2 };

/* Sums of pairs, in 16 bits: 2 x 128 x 127 at most */
static inline __m256i pairs(__m256i w, __m256i c, int shift)
{
    if (shift == SIGNED)
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(c, w));
    const __m256i p = _mm256_maddubs_epi16(w, c);
    return shift ? _mm256_sub_epi16(p, _mm256_maddubs_epi16(_mm256_set1_epi8((char)shift), c)) : p;
}

/* p + what 32 codes of weights times the row's add up to, in fours; where p begins, so that the shift is made up for */
#if defined __AVXVNNI__ || defined __AVX512VNNI__
static inline __m256i begin_fours(__m256i c, int shift)
{
    const __m256i none = _mm256_setzero_si256();
    return shift > 0 ? _mm256_sub_epi32(none, _mm256_dpbusd_epi32(none, _mm256_set1_epi8((char)shift), c)) : none;
}
static inline __m256i add_fours(__m256i p, __m256i w, __m256i c, int shift)
{
    return shift == SIGNED ? _mm256_dpbusd_epi32(p, _mm256_abs_epi8(w), _mm256_sign_epi8(c, w))
                           : _mm256_dpbusd_epi32(p, w, c);
}
static inline __m256i add_scaled(__m256i p, __m256i pairs, __m256i scale)
{
    return _mm256_dpwssd_epi32(p, pairs, scale);
}
#else
static inline __m256i begin_fours(__m256i c, int shift)
{
    return (void)c, (void)shift, _mm256_setzero_si256();
}
static inline __m256i add_scaled(__m256i p, __m256i pairs, __m256i scale)
{
    return _mm256_add_epi32(p, _mm256_madd_epi16(pairs, scale));
}
static inline __m256i add_fours(__m256i p, __m256i w, __m256i c, int shift)
{
    return add_scaled(p, pairs(w, c, shift), _mm256_set1_epi16(1));
}
#endif

/* p + the same of wide codes, sign (128 high + low) by the nibbles; pairs are 2 x 127 x 127 at most */
static inline __m256i add_wide(__m256i p, __m256i nibble, __m256i c, const coded_head *h)
{
    const __m256i own = _mm256_sign_epi8(c, _mm256_shuffle_epi8(h->sign, nibble)),
                  high = _mm256_maddubs_epi16(_mm256_shuffle_epi8(h->high, nibble), own);
    return add_fours(add_scaled(p, high, _mm256_set1_epi16(128)), _mm256_shuffle_epi8(h->low, nibble), own, 0);
}

/* Scales of columns 32 j .. 32 j + 31, of 16 int16 in h. */
static inline __m256i scales_of(__m256i scale, int j)
{
    const __m256i both = j < 4 ? _mm256_permute4x64_epi64(scale, 0x44) : _mm256_permute4x64_epi64(scale, 0xEE);
    const short first = (short)(0x0100 + 0x0404 * (j % 4)), second = (short)(first + 0x0202);
    return _mm256_shuffle_epi8(
        both, _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi16(first)), _mm_set1_epi16(second), 1));
}

static inline int32_t add_integers(__m256i x)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
}

/* (((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))) + e */
static inline float add_lanes(__m256 a, float e)
{
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)),
                 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c))) + e;
}

/* 32 codes of a row */
static inline __m256i codes_of(const product *t, int64_t at, int block, int j)
{
    return load32((const uint8_t *)t->c + at * block + 32 * (int64_t)j);
}

enum { MOST = 4 }; /* outputs, and rows, of a tile */
typedef void (*heads)(const uint8_t *b, coded_head *h);
typedef __m256i (*parts)(const uint8_t *b, int j);

/* y[i .. i + n][o .. o + m]; all but t, o and i are constants where it is inlined. */
static inline __attribute__((always_inline)) void tile(const product *t, int64_t o, int64_t i, int m, int n, int block,
                                                       int bytes, int shift, int minima, heads head, parts part)
{
    const int64_t blocks = t->blocks;
    __m256 a[MOST][MOST];
    __m128 e[MOST]; /* of an output, a lane a row */
    for (int r = 0; r < m; r++) {
        e[r] = _mm_setzero_ps();
        for (int k = 0; k < n; k++)
            a[r][k] = _mm256_setzero_ps();
    }
    for (int64_t b = 0; b < blocks; b++) {
        float d[MOST] = {0}, sum[MOST] = {0}; /* of the rows' blocks; sum: of 32 codes */
        __m256i begin[MOST];
        for (int64_t k = 0; n == 1 && k < m * bytes; k += 64) /* what the next tile reads: processors foresee one row */
            _mm_prefetch((const char *)t->w + (o + m) * blocks * bytes + b * m * bytes + k, _MM_HINT_T0);
        for (int k = 0; k < n; k++) {
            const int64_t at = (i + k) * blocks + b;
            begin[k] = block > 32 ? _mm256_setzero_si256() : begin_fours(codes_of(t, at, block, 0), shift);
            d[k] = t->d[at];
            sum[k] = minima && block == 32 ? (float)(t->s[2 * at] + t->s[2 * at + 1]) : 0;
        }
        for (int r = 0; r < m; r++) {
            const uint8_t *w = t->w + ((o + r) * blocks + b) * bytes;
            __m256i p[MOST];
            coded_head h;
            head(w, &h);
            if (bytes == block)
                h.d = t->matrix->absmax[o + r];
            if (shift == WIDE)
                h.d *= ib_absmax_at(t->matrix, (o + r) * blocks + b);
            for (int k = 0; k < n; k++)
                p[k] = begin[k];
#pragma GCC unroll 8
            for (int j = 0; j < block / 32; j++) {
                const __m256i q = part(w, j), s = block == 256 ? scales_of(h.scale, j) : q;
                for (int k = 0; k < n; k++) {
                    const __m256i c = codes_of(t, (i + k) * blocks + b, block, j);
                    p[k] = shift == WIDE  ? add_wide(p[k], q, c, &h)
                           : block == 256 ? add_scaled(p[k], pairs(q, c, shift), s)
                                          : add_fours(p[k], q, c, shift);
                }
            }
            for (int k = 0; k < n; k++) {
                const __m256 both = _mm256_mul_ps(_mm256_set1_ps(h.d), _mm256_set1_ps(d[k]));
                a[r][k] = _mm256_add_ps(a[r][k], _mm256_mul_ps(both, _mm256_cvtepi32_ps(p[k])));
            }
            for (int k = 0; minima && block > 32 && k < n; k++) {
                const uint8_t *s = (const uint8_t *)(t->s + ((i + k) * blocks + b) * (block / 16));
                sum[k] = (float)add_integers(_mm256_madd_epi16(h.min, load32(s)));
            }
            if (minima && n == 1)
                e[r] = _mm_set_ss(_mm_cvtss_f32(e[r]) + h.m * d[0] * sum[0]);
            else if (minima)
                e[r] = _mm_add_ps(e[r], _mm_mul_ps(_mm_mul_ps(_mm_set1_ps(h.m), _mm_setr_ps(d[0], d[1], d[2], d[3])),
                                                   _mm_setr_ps(sum[0], sum[1], sum[2], sum[3])));
        }
    }
    for (int r = 0; r < m; r++) {
        float own[MOST];
        _mm_storeu_ps(own, e[r]);
        for (int k = 0; k < n; k++)
            t->y[(i + k) * t->outputs + o + r] = add_lanes(a[r][k], own[k]);
    }
}

/* FORMAT(name, block, bytes, shift, minima): tiles of 4 outputs by 1 row, as one row wants it; of 2 by 4, which take
 * weights apart once for four rows; and what is left over. */
#define FORMATS(FORMAT)                                                                                                \
    FORMAT(q4_0, 32, 18, 8, 0)                                                                                         \
    FORMAT(q4_1, 32, 20, 0, 1)                                                                                         \
    FORMAT(q5_0, 32, 22, 16, 0)                                                                                        \
    FORMAT(q5_1, 32, 24, 0, 1)                                                                                         \
    FORMAT(q8_0, 32, 34, SIGNED, 0)                                                                                    \
    FORMAT(q4_k, 256, 144, 0, 1)                                                                                       \
    FORMAT(q5_k, 256, 176, 0, 1)                                                                                       \
    FORMAT(q6_k, 256, 210, 32, 0)                                                                                      \
    FORMAT(q2_k, 256, 84, 0, 1)                                                                                        \
    FORMAT(q3_k, 256, 110, 4, 0)                                                                                       \
    FORMAT(iq4_nl, 32, 18, SIGNED, 0)                                                                                  \
    FORMAT(int4, 32, 18, 8, 0)                                                                                         \
    FORMAT(int8, 32, 32, SIGNED, 0)                                                                                    \
    FORMAT(nf4, 64, 32, WIDE, 0)                                                                                       \
    FORMAT(fp4, 64, 32, WIDE, 0)

#define TILE(name, m, n, ...)                                                                                          \
    static void name##_##m##_##n(const product *t, int64_t o, int64_t i)                                               \
    {                                                                                                                  \
        tile(t, o, i, m, n, __VA_ARGS__, head_##name, part_##name);                                                    \
    }
#define TILES(name, block, bytes, shift, minima)                                                                       \
    TILE(name, 4, 1, block, bytes, shift, minima)                                                                      \
    TILE(name, 1, 1, block, bytes, shift, minima)                                                                      \
    TILE(name, 2, 4, block, bytes, shift, minima)                                                                      \
    TILE(name, 1, 4, block, bytes, shift, minima)
FORMATS(TILES)

typedef void (*tiles)(const product *t, int64_t o, int64_t i);
static const struct {
    tiles four_one, one_one, two_four, one_four;
} table[IB_N_STORAGE] = {
#define ROW(name, ...) [IB_AT_##name] = {name##_4_1, name##_1_1, name##_2_4, name##_1_4},
    FORMATS(ROW)
#undef ROW
        [IB_AT_nf4_dq] = {nf4_4_1, nf4_1_1, nf4_2_4, nf4_1_4},
    [IB_AT_fp4_dq] = {fp4_4_1, fp4_1_1, fp4_2_4, fp4_1_4},
};

static void coded_mul(ib_device *dev, const ib_matrix *w, int64_t n, const ib_row_codes *x, float *y)
{
    const int f = w->format->index;
    if (!table[f].one_one) {
        IB_BELOW(coded_mul)(dev, w, n, x, y);
        return;
    }
    const product t = {w->data, x->codes, x->scale, x->sums, w->cols / x->block, w->rows, w, y};
    const int64_t outputs = w->rows;
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < outputs; o += MOST) {
        const int m = (int)ib_min64(MOST, outputs - o);
        int64_t i = 0;
        for (; i + MOST <= n; i += MOST) {
            for (int r = 0; r + 1 < m; r += 2)
                table[f].two_four(&t, o + r, i);
            if (m % 2)
                table[f].one_four(&t, o + m - 1, i);
        }
        for (; i < n; i++)
            for (int r = 0; r < m; r += m == MOST ? MOST : 1)
                (m == MOST ? table[f].four_one : table[f].one_one)(&t, o + r, i);
    }
}

#endif
