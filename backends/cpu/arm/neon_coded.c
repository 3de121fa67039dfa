/* neon_coded.c - rows as codes, and codes by frozen matrices in integers, equal in every bit to coded.c
 * (formulas/row_codes.h). Four outputs' blocks are taken apart in registers, once for up to four rows; their sums are
 * added up together, so that a vector holds one of each output. */
#include "backends/cpu/arm/neon_blocks.h"
#include "backends/cpu/code_rows.h"
#include "tensor/storage/e2m1.h"
#include "tensor/storage/scaled.h"

static int code_block(const float *x, int block, int8_t *codes, float *scale, int16_t *multiple, int16_t *sums)
{
    const int groups = block / IB_ROW_GROUP;
    float of_group[MOST_GROUPS], top = 0;
    for (int g = 0; g < groups; g++) {
        const float32x4x4_t v = vld1q_f32_x4(x + IB_ROW_GROUP * g);
        of_group[g] = vmaxvq_f32(vmaxq_f32(vmaxq_f32(vabsq_f32(v.val[0]), vabsq_f32(v.val[1])),
                                           vmaxq_f32(vabsq_f32(v.val[2]), vabsq_f32(v.val[3])))); /* or NaN */
        if (!(of_group[g] <= FLT_MAX))
            return 0;
        top = of_group[g] > top ? of_group[g] : top;
    }
    const ib_block_steps of = ib_steps_of_block(top);
    *scale = of.d;
    for (int g = 0; g < groups; g++, x += IB_ROW_GROUP, codes += IB_ROW_GROUP) {
        const float m = ib_group_multiple(of_group[g], of.share), by = of.i / m;
        int16x4_t four[4];
        for (int j = 0; j < 4; j++)
            four[j] = vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * j), by)));
        const int8x16_t c =
            vcombine_s8(vmovn_s16(vcombine_s16(four[0], four[1])), vmovn_s16(vcombine_s16(four[2], four[3])));
        vst1q_s8(codes, c);
        multiple[g] = (int16_t)m;
        sums[g] = (int16_t)(vaddlvq_s8(c) * (int)m);
    }
    return 1;
}

enum { FOUR = 4, ROWS = 4 };

typedef struct product {
    const ib_matrix *w;
    const ib_row_codes *x;
    int64_t blocks;
    float *y; /* [rows][outputs] */
} product;

/* Blocks of outputs o[]; behind the last output it is the last one's. */
typedef struct four_outputs {
    const uint8_t *at[FOUR];
    int64_t o[FOUR];
} four_outputs;

/* A block of a row. */
typedef struct row_block {
    const int8_t *c;
    const int16_t *m, *s; /* multiples, sums */
    float d;
} row_block;

/* p and r of four outputs (formulas/row_codes.h), for each row */
typedef struct block_sums {
    int32x4_t p[ROWS], r[ROWS];
} block_sums;

/* What is known of a format where functions are compiled for it. */
typedef int8x16x2_t (*parts)(const uint8_t *b, int j);
typedef coded_scales (*scales)(const uint8_t *b);
typedef wide_codes (*wides)(void);
/* GCC would load the rows' codes for all outputs at once, more of them than there are registers. */
#define IN_ORDER(x) __asm__ volatile("" : "+w"(x)::"memory")
#define INLINED static inline __attribute__((always_inline))

INLINED float32x4_t halves(const four_outputs *e, int64_t at)
{
    uint16_t h[FOUR];
    for (int r = 0; r < FOUR; r++)
        memcpy(h + r, e->at[r] + at, 2);
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h)));
}
/* d of block b */
INLINED float32x4_t d_of(const product *t, const coded_format *f, const four_outputs *e, int64_t b, float wide)
{
    float d[FOUR];
    for (int r = 0; f->power && r < FOUR; r++)
        d[r] = half_power(e->at[r][b * f->bytes + f->d_at]);
    if (f->power)
        return vld1q_f32(d);
    if (f->d_at >= 0)
        return halves(e, b * f->bytes + f->d_at);
    for (int r = 0; r < FOUR; r++)
        d[r] = f->shift == WIDE ? ib_absmax_at(t->w, e->o[r] * t->blocks + b) : ib_row_scale(t->w, e->o[r]);
    return f->shift == WIDE ? vmulq_n_f32(vld1q_f32(d), wide) : vld1q_f32(d);
}

INLINED int32x4_t dot(int8x16_t q, const int8_t *c)
{
    return vdotq_s32(vdupq_n_s32(0), q, vld1q_s8(c));
}
/* lane r: the sum of x[r]'s four */
INLINED int32x4_t add_fours(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
    return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
}

/* Blocks of 32, of two groups: they are added up to two lanes an output, which are multiplied. */
INLINED void sum_32(const uint8_t *const *w, const row_block *x, int rows, parts part, block_sums *to)
{
    int8x16x2_t q[FOUR];
    for (int r = 0; r < FOUR; r++)
        q[r] = part(w[r], 0);
    for (int k = 0; k < rows; k++) {
        int32_t two;
        memcpy(&two, x[k].m, sizeof two);
        const int32x4_t m = vmovl_s16(vreinterpret_s16_s32(vdup_n_s32(two)));
        int32x4_t u[FOUR];
        for (int r = 0; r < FOUR; r++)
            u[r] = vpaddq_s32(dot(q[r].val[0], x[k].c), dot(q[r].val[1], x[k].c + 16));
        to->p[k] = vpaddq_s32(vmulq_s32(vpaddq_s32(u[0], u[1]), m), vmulq_s32(vpaddq_s32(u[2], u[3]), m));
        to->r[k] = vdupq_n_s32(x[k].s[0] + x[k].s[1]);
    }
}

/* Blocks of 256: lanes are groups until the end; scales times multiples are at most 128 x 15. */
INLINED void sum_256(const uint8_t *const *w, const row_block *x, int rows, const coded_format *f, parts part,
                     scales scale, block_sums *to)
{
    int32x4_t p[ROWS][FOUR], min[ROWS][FOUR];
    for (int r = 0; r < FOUR; r++) {
        const coded_scales s = scale(w[r]);
        int16x8_t by[ROWS][2];
        int32x4_t sum[ROWS];
        for (int k = 0; k < rows; k++) {
            sum[k] = vdupq_n_s32(0);
            for (int h = 0; h < 2; h++)
                by[k][h] = vmulq_s16(s.scale[h], vld1q_s16(x[k].m + 8 * h));
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            const int8x16x2_t q = part(w[r], 2 * j), next = part(w[r], 2 * j + 1);
            for (int k = 0; k < rows; k++) {
                const int8_t *c = x[k].c + 64 * j;
                const int32x4_t u = add_fours(dot(q.val[0], c), dot(q.val[1], c + 16), dot(next.val[0], c + 32),
                                              dot(next.val[1], c + 48)),
                                m = j & 1 ? vmovl_high_s16(by[k][j / 2]) : vmovl_s16(vget_low_s16(by[k][j / 2]));
                sum[k] = vmlaq_s32(sum[k], u, m);
                IN_ORDER(sum[k]);
            }
        }
        for (int k = 0; k < rows; k++) {
            p[k][r] = sum[k];
            if (f->m_at < 0)
                continue;
            const int16x8_t first = vld1q_s16(x[k].s), second = vld1q_s16(x[k].s + 8);
            int32x4_t a = vmull_s16(vget_low_s16(s.min[0]), vget_low_s16(first));
            a = vmlal_high_s16(a, s.min[0], first);
            a = vmlal_s16(a, vget_low_s16(s.min[1]), vget_low_s16(second));
            min[k][r] = vmlal_high_s16(a, s.min[1], second);
        }
    }
    for (int k = 0; k < rows; k++) {
        to->p[k] = add_fours(p[k][0], p[k][1], p[k][2], p[k][3]);
        if (f->m_at >= 0)
            to->r[k] = add_fours(min[k][0], min[k][1], min[k][2], min[k][3]);
    }
}

/* Blocks of 64 wide codes; the row's times their multiples are at most 127 x 15. */
INLINED void sum_wide(const uint8_t *const *w, const row_block *x, int rows, parts part, const wide_codes *codes,
                      block_sums *to)
{
    int16x8_t c[ROWS][8];
    int32x4_t p[ROWS][FOUR];
    for (int k = 0; k < rows; k++)
        for (int g = 0; g < 4; g++) {
            const int8x16_t of_group = vld1q_s8(x[k].c + 16 * g), m = vdupq_n_s8((int8_t)x[k].m[g]);
            c[k][2 * g] = vmull_s8(vget_low_s8(of_group), vget_low_s8(m));
            c[k][2 * g + 1] = vmull_high_s8(of_group, m);
        }
    for (int r = 0; r < FOUR; r++) {
        int32x4_t sum[ROWS];
        for (int k = 0; k < rows; k++)
            sum[k] = vdupq_n_s32(0);
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) {
            const uint8x16_t nibble = vreinterpretq_u8_s8(part(w[r], g / 2).val[g & 1]);
            const uint8x16x2_t q = vzipq_u8(vqtbl1q_u8(codes->low, nibble), vqtbl1q_u8(codes->high, nibble));
            for (int k = 0; k < rows; k++)
                for (int h = 0; h < 2; h++) {
                    const int16x8_t a = vreinterpretq_s16_u8(q.val[h]), b = c[k][2 * g + h];
                    sum[k] = vmlal_high_s16(vmlal_s16(sum[k], vget_low_s16(a), vget_low_s16(b)), a, b);
                }
        }
        for (int k = 0; k < rows; k++)
            p[k][r] = sum[k];
    }
    for (int k = 0; k < rows; k++)
        to->p[k] = add_fours(p[k][0], p[k][1], p[k][2], p[k][3]);
}

/* y + (w d) p, each rounded */
INLINED float32x4_t add_block(float32x4_t y, float32x4_t w, float d, int32x4_t p)
{
    return vaddq_f32(y, vmulq_f32(vmulq_n_f32(w, d), vcvtq_f32_s32(p)));
}

/* y[i .. i + ROWS - 1][o .. o + 3], or y[i][o .. o + 3], of which `left` rows are there; rows, f and the functions are
 * constants where it is inlined. */
INLINED void tile(const product *t, int64_t o, int64_t i, int64_t left, int rows, const coded_format *f, parts part,
                  scales scale, wides wide)
{
    const int groups = f->block / 16;
    const ib_row_codes all = *t->x;
    const wide_codes codes = wide();
    four_outputs e;
    for (int r = 0; r < FOUR; r++) {
        e.o[r] = ib_min64(o + r, t->w->rows - 1);
        e.at[r] = t->w->data + e.o[r] * t->blocks * f->bytes;
    }
    float32x4_t y[ROWS];
    for (int k = 0; k < rows; k++)
        y[k] = vdupq_n_f32(0);
    for (int64_t b = 0; b < t->blocks; b++) {
        const uint8_t *w[FOUR];
        row_block x[ROWS];
        block_sums sum;
        for (int r = 0; r < FOUR; r++)
            w[r] = e.at[r] + b * f->bytes;
        for (int k = 0; k < rows; k++) {
            const int64_t at = (i + ib_min64(k, left - 1)) * t->blocks + b;
            x[k] = (row_block){all.codes + at * f->block, all.multiple + at * groups, all.sums + at * groups,
                               all.scale[at]};
        }
        if (f->shift == WIDE)
            sum_wide(w, x, rows, part, &codes, &sum);
        else if (f->block == 32)
            sum_32(w, x, rows, part, &sum);
        else
            sum_256(w, x, rows, f, part, scale, &sum);
        const float32x4_t d = d_of(t, f, &e, b, codes.d);
        for (int k = 0; k < rows; k++)
            y[k] = add_block(y[k], d, x[k].d, sum.p[k]);
        if (f->m_at >= 0) {
            const float32x4_t m = halves(&e, b * f->bytes + f->m_at);
            for (int k = 0; k < rows; k++) /* k-quants take theirs off */
                y[k] = add_block(y[k], f->block == 256 ? vnegq_f32(m) : m, x[k].d, sum.r[k]);
        }
    }
    const size_t bytes = (size_t)ib_min64(FOUR, t->w->rows - o) * sizeof(float);
    for (int k = 0; k < rows && k < left; k++) {
        float of_row[FOUR];
        vst1q_f32(of_row, y[k]);
        memcpy(t->y + (i + k) * t->w->rows + o, of_row, bytes);
    }
}

typedef struct coded_functions {
    const coded_format *format;
    void (*rows)(const product *t, int64_t o, int64_t i, int64_t left); /* ROWS of them */
    void (*row)(const product *t, int64_t o, int64_t i, int64_t left);
} coded_functions;

#define FUNCTIONS(name, own_scales, own_wide, ...)                                                                     \
    static void rows_##name(const product *t, int64_t o, int64_t i, int64_t left)                                      \
    {                                                                                                                  \
        tile(t, o, i, left, ROWS, &format_##name, part_##name, scales_##own_scales, wide_##own_wide);                  \
    }                                                                                                                  \
    static void row_##name(const product *t, int64_t o, int64_t i, int64_t left)                                       \
    {                                                                                                                  \
        tile(t, o, i, left, 1, &format_##name, part_##name, scales_##own_scales, wide_##own_wide);                     \
    }
CODED_FORMATS(FUNCTIONS)
#undef FUNCTIONS

#define OF_FORMAT(name)                                                                                                \
    {                                                                                                                  \
        &format_##name, rows_##name, row_##name                                                                        \
    }
static const coded_functions coded_table[IB_N_STORAGE] = {CODED_ROWS};
#undef OF_FORMAT

static void coded_mul(ib_device *dev, const ib_matrix *w, int64_t n, const ib_row_codes *x, float *y)
{
    const coded_functions *by = &coded_table[w->format->index];
    if (!by->format) {
        IB_BELOW(coded_mul)(dev, w, n, x, y);
        return;
    }
    const product t = {w, x, w->cols / x->block, y};
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < w->rows; o += FOUR)
        for (int64_t i = 0; i < n;) {
            const int64_t left = ib_min64(ROWS, n - i), rows = left > ROWS / 2 ? left : 1;
            (rows == 1 ? by->row : by->rows)(&t, o, i, rows);
            i += rows;
        }
}

void ib_neon_coded_replace(ib_kernels *k);

void ib_neon_coded_replace(ib_kernels *k)
{
    k->code_rows = code_rows;
    k->coded_mul = coded_mul;
}
