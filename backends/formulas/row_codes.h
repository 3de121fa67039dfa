/* row_codes.h - rows of fp32 as codes of 8 bits, and their products with frozen matrices in integers: the
 * specification, which every level equals in every bit. Of the formulas that kernels of the CPU and of CUDA share.
 *
 * A row x[K] is coded in blocks of B elements (32, of k-quants 256, of nf4 and fp4 64), which have a scale d each, and
 * groups of 16 elements, whose steps are whole multiples m = 1 .. 15 of it, with codes in -127 .. 127:
 *     top = max |x| of the block, t that of the group
 *     i = 1905 / top        d = top / 1905        m = ceil(t (15 / top)), within 1 .. 15
 *     code = round(x (i / m)), ties to even        x = d m code
 * A block whose top is so small that fp32 holds no i is zero: d = 0, codes 0. The error of a value is at most d m / 2,
 * or t / 254 + top / 3810, but for the rounding of the formulas. Multiples are why one large value of 256, as language
 * models have them, does not take the others' bits; k-quants of weights have the same two levels.
 *
 * A block of weights is w = d_w s[k / 16] q[k] + m_w min[k / 16] with whole s, q, min (tensor/storage/integers.h).
 * With it, the block's codes c and S[g] = their sums over each 16 times m[g], in int32:
 *     p = sum over k of s m q c        r = sum over g of min[g] S[g]
 * |p| < 2^31: |s q c| is at most 128 x 32 x 127 of 256, m 15; with s = 1 128 x 127 of 32. Blocks of 64 have s = 1 and
 * wide codes, |q| <= 15684 of 64. In fp32, each conversion (ties to even), each product and each sum rounded by itself
 * (no FMA), from the first block to the last:
 *     y += (d_w d) (float)p, and of formats with minima then y += (m_w d) (float)r
 *
 * Wide codes: fp4's values are multiples of 1/192. nf4's are 16 fp32 numbers, which whole numbers / 15684 meet to
 * 1.57e-5 of the block's largest weight: by that much its weights are others than on the exact path; codes of rows are
 * off by up to 3.9e-3 of their block's largest value. d_w is fp32's 1/192 or 1/15684 times the block's scale. A matrix
 * whose table is not its format's has no integer form.
 *
 * Why so: whole numbers add up in any order, so that a vector may hold a block's codes, as one row wants it, or one sum
 * of each of its outputs, as many rows do; and a block costs one product and one sum in fp32. */
#ifndef IB_FORMULAS_ROW_CODES_H
#define IB_FORMULAS_ROW_CODES_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "arithmetic/real.h"

enum { IB_ROW_GROUP = 16, IB_ROW_WIDE = 64, IB_ROW_MULTIPLES = 15 };

/* The largest magnitude of x[n]; *finite is cleared where there is none. */
IB_DEVICE_FN static inline float ib_code_top(const float *x, int n, int *finite)
{
    float top = 0;
    for (int k = 0; k < n; k++) {
        const float a = fabsf(x[k]);
        *finite &= a <= FLT_MAX;
        top = a > top ? a : top;
    }
    return top;
}

/* i, d and 15 / top of a block of finite values; all 0 where fp32 holds no i. */
typedef struct ib_block_steps {
    float i, d, share;
} ib_block_steps;
IB_DEVICE_FN static inline ib_block_steps ib_steps_of_block(float top)
{
    const float steps = 127.0f * IB_ROW_MULTIPLES, i = top > 0 ? steps / top : 0.0f;
    ib_block_steps of = {0, 0, 0};
    if (i > 0 && i <= FLT_MAX) {
        of.i = i;
        of.d = top / steps;
        of.share = IB_ROW_MULTIPLES / top;
    }
    return of;
}
/* m of a group */
IB_DEVICE_FN static inline float ib_group_multiple(float t, float share)
{
    const float m = ceilf(t * share);
    return m < 1 ? 1.0f : m > IB_ROW_MULTIPLES ? (float)IB_ROW_MULTIPLES : m;
}

/* codes[block], the scale, multiples and sums[block / 16] of x[block]; the scale is NaN where a value is not finite. */
IB_DEVICE_FN static inline void ib_code_block(const float *x, int block, int8_t *codes, float *scale, int16_t *multiple,
                                              int16_t *sums)
{
    int finite = 1;
    const float top = ib_code_top(x, block, &finite);
    const ib_block_steps of = ib_steps_of_block(finite ? top : 0.0f);
    *scale = finite ? of.d : NAN;
    for (int g = 0; g < block / IB_ROW_GROUP; g++, x += IB_ROW_GROUP, codes += IB_ROW_GROUP) {
        const float m = ib_group_multiple(finite ? ib_code_top(x, IB_ROW_GROUP, &finite) : 0.0f, of.share),
                    by = of.i / m;
        int sum = 0;
        for (int k = 0; k < IB_ROW_GROUP; k++) {
            codes[k] = (int8_t)(finite ? rintf(x[k] * by) : 0.0f);
            sum += codes[k];
        }
        multiple[g] = (int16_t)m;
        sums[g] = (int16_t)(sum * (int)m);
    }
}

/* p of a block of so many codes; s[block / 16], m[block / 16]. */
IB_DEVICE_FN static inline int32_t ib_coded_sum(int block, const int8_t *q, const int8_t *s, const int16_t *m,
                                                const int8_t *c)
{
    int32_t p = 0;
    for (int g = 0; g < block / IB_ROW_GROUP; g++) {
        int32_t of_group = 0;
        for (int k = IB_ROW_GROUP * g; k < IB_ROW_GROUP * (g + 1); k++)
            of_group += q[k] * c[k];
        p += s[g] * m[g] * of_group;
    }
    return p;
}

/* The same of a block of 64 wide codes. */
IB_DEVICE_FN static inline int32_t ib_coded_sum_wide(const int16_t *q, const int16_t *m, const int8_t *c)
{
    int32_t p = 0;
    for (int k = 0; k < IB_ROW_WIDE; k++)
        p += q[k] * (m[k / IB_ROW_GROUP] * c[k]);
    return p;
}

/* r of a block; min[block / 16], sums[block / 16]. */
IB_DEVICE_FN static inline int32_t ib_coded_minima(int block, const uint8_t *min, const int16_t *sums)
{
    int32_t r = 0;
    for (int g = 0; g < block / IB_ROW_GROUP; g++)
        r += min[g] * sums[g];
    return r;
}

#endif
