/* row_codes.h - rows of fp32 as codes of 8 bits, and their products with frozen matrices in integers: the
 * specification, which every level equals in every bit. Of the formulas that kernels of the CPU and of CUDA share.
 *
 * A row x[K] is coded in blocks of B elements (32, of k-quants 256, of nf4 and fp4 64) with a scale each, in
 * -127 .. 127:
 *     top = max |x|        i = 127 / top        d = top / 127        code = round(i x), ties to even
 * A block whose top is so small that fp32 holds no i is zero: d = 0, codes 0. The error of a value is at most d / 2, or
 * top / 254, but for the rounding of i and i x.
 *
 * A block of weights is w = d_w s[k / 16] q[k] + m_w min[k / 16] with whole s, q, min (tensor/storage/integers.h).
 * With it, the block's codes c and S[g] = their sums over each 16, in int32:
 *     p = sum over k of s q c        r = sum over g of min[g] S[g]
 * |p| < 2^27: with s = 1 |s q c| is at most 128 x 127 and there are 32 of them; else 128 x 32 x 127 and 256. Blocks of
 * 64 have s = 1 and wide codes, |q| <= 15684: 15684 x 127 and 64. In fp32, each conversion (ties to even), each product
 * and each sum rounded by itself (no FMA), from the first block to the last:
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

enum { IB_ROW_GROUP = 16, IB_ROW_WIDE = 64 };

/* codes[block], the scale and the sums[block / 16] of x[block]; the scale is NaN where a value is not finite. */
IB_DEVICE_FN static inline void ib_code_block(const float *x, int block, int8_t *codes, float *scale, int16_t *sums)
{
    float top = 0;
    int finite = 1;
    for (int k = 0; k < block; k++) {
        const float a = fabsf(x[k]);
        finite &= a <= FLT_MAX;
        top = a > top ? a : top;
    }
    const float inverse = top > 0 && finite ? 127.0f / top : 0.0f, i = inverse <= FLT_MAX ? inverse : 0.0f;
    *scale = !finite ? NAN : i > 0 ? top / 127.0f : 0.0f;
    for (int k = 0; k < block; k++)
        codes[k] = (int8_t)(finite ? rintf(x[k] * i) : 0.0f);
    for (int g = 0; g < block / IB_ROW_GROUP; g++) {
        int sum = 0;
        for (int k = 0; k < IB_ROW_GROUP; k++)
            sum += codes[IB_ROW_GROUP * g + k];
        sums[g] = (int16_t)sum;
    }
}

/* p of a block of so many codes; s[block / 16]. */
IB_DEVICE_FN static inline int32_t ib_coded_sum(int block, const int8_t *q, const int8_t *s, const int8_t *c)
{
    int32_t p = 0;
    for (int g = 0; g < block / IB_ROW_GROUP; g++) {
        int32_t of_group = 0;
        for (int k = IB_ROW_GROUP * g; k < IB_ROW_GROUP * (g + 1); k++)
            of_group += q[k] * c[k];
        p += s[g] * of_group;
    }
    return p;
}

/* The same of a block of 64 wide codes. */
IB_DEVICE_FN static inline int32_t ib_coded_sum_wide(const int16_t *q, const int8_t *c)
{
    int32_t p = 0;
    for (int k = 0; k < IB_ROW_WIDE; k++)
        p += q[k] * c[k];
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
