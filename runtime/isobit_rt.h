/* isobit_rt.h - the integer arithmetic that isobit trains with and ships.
 *
 * This file is both the specification of every integer operator (the reference kernels of the library call these
 * functions) and the code that runs on the target (the C exporter copies it into what it writes). So it is plain
 * C99, uses nothing but <stdint.h> (and the compiler's own intrinsics on cores that have DSP, MVE or NEON
 * instructions), allocates nothing and includes nothing of isobit.
 *
 * Codes are int8. The real value of a code q is scale * (q - zero). Images are C, H, W. A right shift of a negative
 * number is arithmetic (implementation-defined in C99, and so on every compiler in use). */
#ifndef ISOBIT_RT_H
#define ISOBIT_RT_H

#include <stdint.h>

#include "isobit_types.h"

/* [requant] */
static int32_t isobit_saturate(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* v / 2^s, ties to even */
static uint64_t isobit_shift_rne(uint64_t v, int32_t s)
{
    if (s <= 0)
        return v;
    if (s > 63)
        return 0;
    {
        const uint64_t q = v >> s, rest = v & (((uint64_t)1 << s) - 1), half = (uint64_t)1 << (s - 1);
        return q + (rest > half || (rest == half && (q & 1)));
    }
}

/* The number of bits that v takes. */
static int32_t isobit_bits(uint64_t v)
{
    int32_t n = 0, step;
    for (step = 32; step; step /= 2)
        if (v >> step) {
            v >>= step;
            n += step;
        }
    return n + (v != 0);
}

static int32_t isobit_requant_tflite_double(int32_t acc, isobit_scale s)
{
    const int32_t left = s.exp > 0 ? s.exp : 0, right = s.exp > 0 ? 0 : -s.exp;
    const int64_t x = isobit_saturate((int64_t)acc * ((int64_t)1 << left));
    const int64_t high = (x * s.mult + ((int64_t)1 << 30)) >> 31; /* ties upward */
    const int64_t mask = ((int64_t)1 << right) - 1;
    return (int32_t)((high >> right) + ((high & mask) > (mask >> 1) + (high < 0))); /* ties away from zero */
}

static int32_t isobit_requant_tflite_single(int32_t acc, isobit_scale s)
{
    const int32_t shift = 31 - s.exp;
    return isobit_saturate(((int64_t)acc * s.mult + ((int64_t)1 << (shift - 1))) >> shift); /* ties upward */
}

/* Three roundings, each to nearest even, as a floating-point unit does them: acc to 24 bits, the product to 24 bits,
 * and the result to an integer. */
static int32_t isobit_requant_fp32_rne(int32_t acc, isobit_scale s)
{
    const uint32_t magnitude = acc < 0 ? 0u - (uint32_t)acc : (uint32_t)acc;
    uint64_t v = magnitude;
    int32_t e = s.exp, drop = isobit_bits(v) - 24;
    if (drop > 0) {
        v = isobit_shift_rne(v, drop);
        e += drop;
    }
    v *= (uint32_t)s.mult;
    drop = isobit_bits(v) - 24;
    if (drop > 0) {
        v = isobit_shift_rne(v, drop);
        e += drop;
    }
    if (e < 0)
        v = isobit_shift_rne(v, -e);
    else
        v = e > 31 && v ? (uint64_t)1 << 62 : v << (e > 31 ? 0 : e);
    return isobit_saturate(acc < 0 ? -(int64_t)v : (int64_t)v);
}

static int32_t isobit_requant(int32_t acc, isobit_scale s, int profile)
{
    return profile == ISOBIT_FP32_RNE        ? isobit_requant_fp32_rne(acc, s)
           : profile == ISOBIT_TFLITE_SINGLE ? isobit_requant_tflite_single(acc, s)
                                             : isobit_requant_tflite_double(acc, s);
}

/* clamp(v + zero, lo, hi) without overflow: -128 <= zero, lo, hi <= 127 */
static int8_t isobit_clamp(int32_t v, int32_t zero, int32_t lo, int32_t hi)
{
    return (int8_t)(v < lo - zero ? lo : v > hi - zero ? hi : v + zero);
}
/* [end] */

/* [conv2d] */
/* Convolution, and the linear layer as its 1x1 case on a 1x1 image.
 *   acc[o,y,x] = bias[o] + sum_k w[o,k] * (in[patch k of (y,x)] - in_zero);  padding counts as the real value 0
 *   out = clamp(requant(acc, scale[o]) + out_zero, lo, hi)
 * Weight rows start on bytes; with groups of weights (group_size > 0, a multiple of 4) the sum of each group is
 * multiplied by its own small integer (VS-Quant, arXiv:2102.04503). */
typedef struct isobit_conv2d {
    int32_t in_c, in_h, in_w, out_c, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, groups;
    int32_t bits, row_bytes; /* of a weight; of the in_c / groups * kernel_h * kernel_w weights of an output channel */
    int32_t group_size, n_groups;
    int32_t in_zero, out_zero, lo, hi;
    const uint8_t *weights;      /* [out_c][row_bytes] */
    const uint8_t *group_factor; /* [out_c][n_groups] or 0 */
    const int32_t *bias;         /* [out_c] */
    const isobit_scale *scale;   /* [out_c] */
} isobit_conv2d;

/* Sums of products are exact in int32, so the vector forms below give the integers of the plain loop. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#include <arm_mve.h>
static int32_t isobit_dot8(const int8_t *w, const int16_t *x, int32_t n)
{
    int32_t acc = 0, i;
    for (i = 0; i < n; i += 8) {
        const mve_pred16_t live = vctp16q((uint32_t)(n - i));
        acc = vmladavaq_p_s16(acc, vldrbq_z_s16(w + i, live), vldrhq_z_s16(x + i, live), live);
    }
    return acc;
}
#elif defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
static uint32_t isobit_word(const void *p) /* unaligned */
{
    struct isobit_packed {
        uint32_t v;
    } __attribute__((packed, may_alias));
    return ((const struct isobit_packed *)p)->v;
}
static int32_t isobit_dot8(const int8_t *w, const int16_t *x, int32_t n)
{
    int32_t acc = 0, i;
    for (i = 0; i + 4 <= n; i += 4) { /* bytes 0, 2 and 1, 3 of four weights, widened */
        const uint32_t four = isobit_word(w + i), x01 = isobit_word(x + i), x23 = isobit_word(x + i + 2);
        acc = __smlad(__sxtb16(four), (int16x2_t)((x01 & 0xFFFFu) | x23 << 16), acc);
        acc = __smlad(__sxtb16(four >> 8 | four << 24), (int16x2_t)(x01 >> 16 | (x23 & 0xFFFF0000u)), acc);
    }
    for (; i < n; i++)
        acc += w[i] * x[i];
    return acc;
}
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
static int32_t isobit_dot8(const int8_t *w, const int16_t *x, int32_t n)
{
    int32x4_t sum = vdupq_n_s32(0);
    int32_t acc, i;
    for (i = 0; i + 8 <= n; i += 8) {
        const int16x8_t wide = vmovl_s8(vld1_s8(w + i)), in = vld1q_s16(x + i);
        sum = vmlal_s16(sum, vget_low_s16(wide), vget_low_s16(in));
        sum = vmlal_s16(sum, vget_high_s16(wide), vget_high_s16(in));
    }
    acc = vaddvq_s32(sum);
    for (; i < n; i++)
        acc += w[i] * x[i];
    return acc;
}
#else
static int32_t isobit_dot8(const int8_t *w, const int16_t *x, int32_t n)
{
    int32_t acc = 0, i;
    for (i = 0; i < n; i++)
        acc += w[i] * x[i];
    return acc;
}
#endif

static int32_t isobit_dot(const uint8_t *w, const int16_t *x, int32_t n, int32_t bits)
{
    int32_t acc = 0, i;
    if (bits == 8) {
        acc = isobit_dot8((const int8_t *)w, x, n);
    } else if (bits == 4) {
        for (i = 0; i + 1 < n; i += 2) {
            const int32_t b = w[i / 2];
            acc += (((b & 15) ^ 8) - 8) * x[i] + ((b >> 4 ^ 8) - 8) * x[i + 1];
        }
        if (i < n)
            acc += (((w[i / 2] & 15) ^ 8) - 8) * x[i];
    } else {
        for (i = 0; i < n; i++)
            acc += (((w[i / 4] >> 2 * (i % 4) & 3) ^ 2) - 2) * x[i];
    }
    return acc;
}

/* The inputs under output pixel (y, x) of group g, less their zero point. patch[in_c / groups * kernel_h * kernel_w] */
static void isobit_patch(const isobit_conv2d *c, const int8_t *in, int32_t g, int32_t y, int32_t x, int16_t *patch)
{
    const int32_t channels = c->in_c / c->groups, y0 = y * c->stride_h - c->pad_h, x0 = x * c->stride_w - c->pad_w;
    int32_t i, ky, kx;
    for (i = 0; i < channels; i++)
        for (ky = 0; ky < c->kernel_h; ky++) {
            const int32_t iy = y0 + ky;
            const int inside = iy >= 0 && iy < c->in_h;
            const int8_t *row = in + ((g * channels + i) * c->in_h + (inside ? iy : 0)) * c->in_w;
            for (kx = 0; kx < c->kernel_w; kx++) {
                const int32_t ix = x0 + kx;
                *patch++ = (int16_t)(inside && ix >= 0 && ix < c->in_w ? row[ix] - c->in_zero : 0);
            }
        }
}

static int32_t isobit_accumulate(const isobit_conv2d *c, int32_t o, const int16_t *patch)
{
    const int32_t n = c->in_c / c->groups * c->kernel_h * c->kernel_w;
    const uint8_t *row = c->weights + (int64_t)o * c->row_bytes;
    int32_t acc = c->bias[o], g;
    if (!c->group_size)
        return acc + isobit_dot(row, patch, n, c->bits);
    for (g = 0; g < c->n_groups; g++) {
        const int32_t first = g * c->group_size;
        const int32_t count = n - first < c->group_size ? n - first : c->group_size;
        acc +=
            c->group_factor[o * c->n_groups + g] * isobit_dot(row + first * c->bits / 8, patch + first, count, c->bits);
    }
    return acc;
}

static void isobit_run_conv2d(const isobit_conv2d *c, const int8_t *in, int8_t *out, int16_t *patch, int profile)
{
    const int32_t pixels = c->out_h * c->out_w, channels = c->out_c / c->groups;
    int32_t g, p, i;
    for (g = 0; g < c->groups; g++)
        for (p = 0; p < pixels; p++) {
            isobit_patch(c, in, g, p / c->out_w, p % c->out_w, patch);
            for (i = 0; i < channels; i++) {
                const int32_t o = g * channels + i;
                const int32_t v = isobit_requant(isobit_accumulate(c, o, patch), c->scale[o], profile);
                out[o * pixels + p] = isobit_clamp(v, c->out_zero, c->lo, c->hi);
            }
        }
}
/* [end] */

/* [add] */
/* out = clamp(a + b). tflite_*: TFLite's ADD, both inputs raised by 2^20, scaled by s_i / (2 max(s_a, s_b)), added, and
 * requantized. fp32_rne: one fixed-point sum, scale[i].mult = s_i / s_out * 2^-exp (same exp), rounded once: to even,
 * or halves upward where out.mult is 1 (XNNPACK's addition; then exp < 0). */
typedef struct isobit_add {
    int32_t size, a_zero, b_zero, out_zero, lo, hi;
    isobit_scale a, b, out;
} isobit_add;

static int32_t isobit_add_codes(const isobit_add *p, int32_t a, int32_t b, int profile)
{
    a -= p->a_zero;
    b -= p->b_zero;
    if (profile == ISOBIT_FP32_RNE) {
        const int32_t sum = a * p->a.mult + b * p->b.mult;
        int32_t v;
        if (p->out.mult)
            return (sum + ((int32_t)1 << (-p->a.exp - 1))) >> -p->a.exp;
        v = (int32_t)isobit_shift_rne(sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum, -p->a.exp);
        return sum < 0 ? -v : v;
    }
    a = isobit_requant(a * (1 << 20), p->a, profile);
    b = isobit_requant(b * (1 << 20), p->b, profile);
    return isobit_requant(a + b, p->out, profile);
}

static void isobit_run_add(const isobit_add *p, const int8_t *a, const int8_t *b, int8_t *out, int profile)
{
    int32_t i;
    for (i = 0; i < p->size; i++)
        out[i] = isobit_clamp(isobit_add_codes(p, a[i], b[i], profile), p->out_zero, p->lo, p->hi);
}
/* [end] */

/* [mul] */
/* out = clamp(requant((a - a_zero) * (b - b_zero), M = s_a s_b / s_out) + out_zero) */
typedef struct isobit_mul {
    int32_t size, a_zero, b_zero, out_zero, lo, hi;
    isobit_scale scale;
} isobit_mul;

static void isobit_run_mul(const isobit_mul *p, const int8_t *a, const int8_t *b, int8_t *out, int profile)
{
    int32_t i;
    for (i = 0; i < p->size; i++) {
        const int32_t v = isobit_requant((a[i] - p->a_zero) * (b[i] - p->b_zero), p->scale, profile);
        out[i] = isobit_clamp(v, p->out_zero, p->lo, p->hi);
    }
}
/* [end] */

/* [pool] */
typedef struct isobit_pool {
    int32_t channels, in_h, in_w, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
    int32_t in_zero, out_zero, lo, hi;
    isobit_scale scale; /* average pooling: s_in * (1 / (kernel_h * kernel_w)) / s_out */
} isobit_pool;
/* [end] */

/* [maxpool] */
/* The largest code under the window; padding never wins. */
static int32_t isobit_max_at(const isobit_pool *p, const int8_t *in, int32_t y, int32_t x)
{
    int32_t ky, kx, best = -128;
    for (ky = 0; ky < p->kernel_h; ky++)
        for (kx = 0; kx < p->kernel_w; kx++) {
            const int32_t iy = y * p->stride_h - p->pad_h + ky, ix = x * p->stride_w - p->pad_w + kx;
            if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w && in[iy * p->in_w + ix] > best)
                best = in[iy * p->in_w + ix];
        }
    return best;
}

static void isobit_run_maxpool(const isobit_pool *p, const int8_t *in, int8_t *out)
{
    int32_t c, y, x;
    for (c = 0; c < p->channels; c++, in += p->in_h * p->in_w)
        for (y = 0; y < p->out_h; y++)
            for (x = 0; x < p->out_w; x++)
                *out++ = (int8_t)isobit_max_at(p, in, y, x);
}
/* [end] */

/* [avgpool] */
/* acc = sum of (in - in_zero) under the window; padding counts as the real value 0, the divisor is the full window */
static int32_t isobit_sum_at(const isobit_pool *p, const int8_t *in, int32_t y, int32_t x)
{
    int32_t ky, kx, acc = 0;
    for (ky = 0; ky < p->kernel_h; ky++)
        for (kx = 0; kx < p->kernel_w; kx++) {
            const int32_t iy = y * p->stride_h - p->pad_h + ky, ix = x * p->stride_w - p->pad_w + kx;
            if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w)
                acc += in[iy * p->in_w + ix] - p->in_zero;
        }
    return acc;
}

static void isobit_run_avgpool(const isobit_pool *p, const int8_t *in, int8_t *out, int profile)
{
    int32_t c, y, x;
    for (c = 0; c < p->channels; c++, in += p->in_h * p->in_w)
        for (y = 0; y < p->out_h; y++)
            for (x = 0; x < p->out_w; x++) {
                const int32_t v = isobit_requant(isobit_sum_at(p, in, y, x), p->scale, profile);
                *out++ = isobit_clamp(v, p->out_zero, p->lo, p->hi);
            }
}
/* [end] */

/* [lookup] */
/* out = table[in + 128]: sigmoid, tanh, a ReLU by itself, or the change from one scale to another */
static void isobit_run_lookup(const int8_t *table, const int8_t *in, int8_t *out, int32_t size)
{
    int32_t i;
    for (i = 0; i < size; i++)
        out[i] = table[in[i] + 128];
}
/* [end] */

/* [flatten] */
/* out[place * channels + c] = in[c * places + place]: an image as a row in the order H,W,C */
static void isobit_run_flatten(const int8_t *in, int8_t *out, int32_t channels, int32_t places)
{
    int32_t c, place;
    for (c = 0; c < channels; c++)
        for (place = 0; place < places; place++)
            out[place * channels + c] = *in++;
}
/* [end] */

#endif
