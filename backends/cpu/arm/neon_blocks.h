/* neon_blocks.h - blocks of frozen matrices in registers of NEON: of each format of tensor/integers.def its codes with
 * their signs, 32 at a time in the order of the columns, and of k-quants the scales and minima of 16 columns. */
#ifndef IB_BACKENDS_CPU_ARM_NEON_BLOCKS_H
#define IB_BACKENDS_CPU_ARM_NEON_BLOCKS_H

#include <arm_neon.h>

#include "backends/cpu/coded_formats.h"

/* What multiplies codes of k-quants: one for each 16 columns. */
typedef struct coded_scales {
    int16x8_t scale[2], min[2];
} coded_scales;

/* The low and the high byte of wide ones by their nibble, and what they are times. */
typedef struct wide_codes {
    uint8x16_t low, high;
    float d;
} wide_codes;

/* Shifts are constants where these are inlined: one instruction each. */
static inline uint8x16_t low_bits(uint8x16_t x, int shift, int mask)
{
    return (x >> vdupq_n_u8((uint8_t)shift)) & vdupq_n_u8((uint8_t)mask);
}
/* bit `from` of each byte as its bit `to` */
static inline uint8x16_t bit_to(uint8x16_t x, int from, int to)
{
    const uint8x16_t at =
        from > to ? x >> vdupq_n_u8((uint8_t)(from - to)) : x << vdupq_n_u8((uint8_t)(from > to ? 0 : to - from));
    return at & vdupq_n_u8((uint8_t)(1 << to));
}
static inline uint8x16x2_t load32(const uint8_t *b)
{
    return (uint8x16x2_t){{vld1q_u8(b), vld1q_u8(b + 16)}};
}
static inline int8x16x2_t less(uint8x16_t first, uint8x16_t second, int shift)
{
    const int8x16_t by = vdupq_n_s8((int8_t)shift);
    return (int8x16x2_t){{vsubq_s8(vreinterpretq_s8_u8(first), by), vsubq_s8(vreinterpretq_s8_u8(second), by)}};
}
static inline int8x16x2_t signed_bytes(uint8x16x2_t x)
{
    return (int8x16x2_t){{vreinterpretq_s8_u8(x.val[0]), vreinterpretq_s8_u8(x.val[1])}};
}

/* 16 bytes: their low nibbles, then their high ones */
static inline uint8x16x2_t nibbles(const uint8_t *b)
{
    const uint8x16_t raw = vld1q_u8(b);
    return (uint8x16x2_t){{low_bits(raw, 0, 15), vshrq_n_u8(raw, 4)}};
}
/* and a fifth bit from each of 32 */
static inline uint8x16x2_t fives(const uint8_t *b, const uint8_t *fifth)
{
    static const uint8_t byte[32] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                     2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3};
    uint32_t bits;
    memcpy(&bits, fifth, 4);
    const uint8x16_t all = vreinterpretq_u8_u32(vdupq_n_u32(bits)),
                     bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201)), sixteen = vdupq_n_u8(16);
    uint8x16x2_t q = nibbles(b);
    for (int h = 0; h < 2; h++)
        q.val[h] |= vtstq_u8(vqtbl1q_u8(all, vld1q_u8(byte + 16 * h)), bit) & sixteen;
    return q;
}

#define PART(name) static inline __attribute__((always_inline)) int8x16x2_t part_##name(const uint8_t *b, int j)
#define SCALES(name) static inline __attribute__((always_inline)) coded_scales scales_##name(const uint8_t *b)
#define WIDE_CODES(name) static inline __attribute__((always_inline)) wide_codes wide_##name(void)

SCALES(none)
{
    const int16x8_t zero = vdupq_n_s16(0);
    return (void)b, (coded_scales){{zero, zero}, {zero, zero}};
}
WIDE_CODES(none)
{
    return (wide_codes){vdupq_n_u8(0), vdupq_n_u8(0), 1.0f};
}

/* ---- blocks of 32 ---- */
PART(q4_0)
{
    const uint8x16x2_t q = nibbles(b + 2);
    return (void)j, less(q.val[0], q.val[1], 8);
}
PART(q4_1)
{
    return (void)j, signed_bytes(nibbles(b + 4));
}
PART(q5_0)
{
    const uint8x16x2_t q = fives(b + 6, b + 2);
    return (void)j, less(q.val[0], q.val[1], 16);
}
PART(q5_1)
{
    return (void)j, signed_bytes(fives(b + 8, b + 4));
}
PART(q8_0)
{
    return (void)j, signed_bytes(load32(b + 2));
}
PART(iq4_nl)
{
    static const int8_t value[16] = {IQ4_NL};
    const uint8x16x2_t q = nibbles(b + 2);
    const int8x16_t v = vld1q_s8(value);
    return (void)j, (int8x16x2_t){{vqtbl1q_s8(v, q.val[0]), vqtbl1q_s8(v, q.val[1])}};
}
PART(mxfp4)
{
    static const int8_t value[16] = {E2M1};
    const uint8x16x2_t q = nibbles(b + 1);
    const int8x16_t v = vld1q_s8(value);
    return (void)j, (int8x16x2_t){{vqtbl1q_s8(v, q.val[0]), vqtbl1q_s8(v, q.val[1])}};
}
/* Neighbours share a byte, in two's complement. */
PART(int4)
{
    const int8x16_t raw = vreinterpretq_s8_u8(vld1q_u8(b + 2)), low = vshrq_n_s8(vshlq_n_s8(raw, 4), 4),
                    high = vshrq_n_s8(raw, 4);
    return (void)j, vzipq_s8(low, high);
}
PART(int8)
{
    return (void)j, signed_bytes(load32(b));
}

/* ---- blocks of 64, whose parts are nibbles, the first of two in the high bits ---- */
static inline int8x16x2_t nibbles_in_turn(const uint8_t *b)
{
    const uint8x16x2_t q = nibbles(b);
    return signed_bytes(vzipq_u8(q.val[1], q.val[0]));
}
#define LOW(v) ((v)&255)
#define HIGH(v) ((v) >> 8 & 255)
#define TAKE_WIDE(VALUES, denominator)                                                                                 \
    static const uint8_t low[16] = {VALUES(LOW)}, high[16] = {VALUES(HIGH)};                                           \
    return (wide_codes){vld1q_u8(low), vld1q_u8(high), 1.0f / denominator};
WIDE_CODES(nf4){TAKE_WIDE(NF4, 15684.0f)} PART(nf4)
{
    return nibbles_in_turn(b + 16 * j);
}
WIDE_CODES(fp4){TAKE_WIDE(FP4, 192.0f)} PART(fp4)
{
    return nibbles_in_turn(b + 16 * j);
}

/* ---- blocks of 256 ---- */
static inline void widen(uint8x16_t bytes, int16x8_t *to)
{
    to[0] = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
    to[1] = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
}
static inline void widen_signed(int8x16_t bytes, int16x8_t *to)
{
    to[0] = vmovl_s8(vget_low_s8(bytes));
    to[1] = vmovl_high_s8(bytes);
}
/* Each of 8 bytes twice. */
static inline uint8x16_t twice(uint64_t bytes)
{
    const uint8x16_t x = vcombine_u8(vcreate_u8(bytes), vdup_n_u8(0));
    return vzip1q_u8(x, x);
}
SCALES(k)
{
    const k_scales s = k_scales_at(b + 4);
    coded_scales y;
    widen(twice(s.scale), y.scale);
    widen(twice(s.min), y.min);
    return y;
}
PART(q4_k)
{
    const uint8x16x2_t raw = load32(b + 16 + 32 * (j / 2));
    return less(low_bits(raw.val[0], 4 * (j & 1), 15), low_bits(raw.val[1], 4 * (j & 1), 15), 0);
}
PART(q5_k)
{
    const uint8x16x2_t raw = load32(b + 48 + 32 * (j / 2)), fifth = load32(b + 16);
    return less(low_bits(raw.val[0], 4 * (j & 1), 15) | bit_to(fifth.val[0], j, 4),
                low_bits(raw.val[1], 4 * (j & 1), 15) | bit_to(fifth.val[1], j, 4), 0);
}
SCALES(q6_k)
{
    coded_scales y = scales_none(b);
    widen_signed(vreinterpretq_s8_u8(vld1q_u8(b + 192)), y.scale);
    return y;
}
PART(q6_k)
{
    const uint8x16x2_t low = load32(b + 64 * (j / 4) + 32 * (j & 1)), high = load32(b + 128 + 32 * (j / 4));
    uint8x16_t q[2];
    for (int h = 0; h < 2; h++)
        q[h] = low_bits(low.val[h], 4 * (j / 2 & 1), 15) | vshlq_n_u8(low_bits(high.val[h], 2 * (j & 3), 3), 4);
    return less(q[0], q[1], 32);
}
SCALES(q2_k)
{
    const uint8x16_t both = vld1q_u8(b);
    coded_scales y;
    widen(low_bits(both, 0, 15), y.scale);
    widen(vshrq_n_u8(both, 4), y.min);
    return y;
}
PART(q2_k)
{
    const uint8x16x2_t raw = load32(b + 16 + 32 * (j / 4));
    return less(low_bits(raw.val[0], 2 * (j & 3), 3), low_bits(raw.val[1], 2 * (j & 3), 3), 0);
}
/* 16 scales, 32 more than they are: low nibbles of the first eight, high ones of the others; two high bits of scales
 * g % 4 in each of four bytes. */
SCALES(q3_k)
{
    static const int32_t up[4] = {4, 2, 0, -2};
    uint32_t top;
    memcpy(&top, b + 104, 4);
    const uint8x8_t raw = vld1_u8(b + 96);
    const uint8x16_t nibble = vcombine_u8(vand_u8(raw, vdup_n_u8(15)), vshr_n_u8(raw, 4)),
                     high = vreinterpretq_u8_u32(vshlq_u32(vdupq_n_u32(top), vld1q_s32(up))) & vdupq_n_u8(0x30);
    coded_scales y = scales_none(b);
    widen_signed(vsubq_s8(vreinterpretq_s8_u8(nibble | high), vdupq_n_s8(32)), y.scale);
    return y;
}
PART(q3_k)
{
    const uint8x16x2_t low = load32(b + 32 + 32 * (j / 4)), high = load32(b);
    return less(low_bits(low.val[0], 2 * (j & 3), 3) | bit_to(high.val[0], j, 2),
                low_bits(low.val[1], 2 * (j & 3), 3) | bit_to(high.val[1], j, 2), 4);
}
SCALES(iq4_xs)
{
    coded_scales y = scales_none(b);
    widen_signed(vsubq_s8(vreinterpretq_s8_u8(twice(iq4_scales_at(b))), vdupq_n_s8(32)), y.scale);
    return y;
}
PART(iq4_xs)
{
    static const int8_t value[16] = {IQ4_NL};
    const uint8x16x2_t q = nibbles(b + 8 + 16 * j);
    const int8x16_t v = vld1q_s8(value);
    return (int8x16x2_t){{vqtbl1q_s8(v, q.val[0]), vqtbl1q_s8(v, q.val[1])}};
}
SCALES(ones)
{
    coded_scales y = scales_none(b);
    y.scale[0] = y.scale[1] = vdupq_n_s16(1);
    return y;
}
PART(tq2_0)
{
    const uint8x16x2_t raw = load32(b + 32 * (j / 4));
    return less(low_bits(raw.val[0], 2 * (j & 3), 3), low_bits(raw.val[1], 2 * (j & 3), 3), 1);
}
/* Bytes times 3^k, less what 256 divides: 1 from 86 on, 2 from 171 on. */
static inline uint8x16_t digits(uint8x16_t x, uint8x16_t power)
{
    const uint8x16_t part = vmulq_u8(x, power);
    return vdupq_n_u8(0) - vcgeq_u8(part, vdupq_n_u8(86)) - vcgeq_u8(part, vdupq_n_u8(171));
}
PART(tq1_0)
{
    static const uint8_t power[5] = {1, 3, 9, 27, 81}, last[16] = {1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27};
    if (j < 5) {
        const uint8x16x2_t raw = load32(b);
        const uint8x16_t by = vdupq_n_u8(power[j]);
        return less(digits(raw.val[0], by), digits(raw.val[1], by), 1);
    }
    const uint8x16_t fifth = vld1q_u8(b + 32);
    if (j < 7)
        return less(digits(fifth, vdupq_n_u8(power[2 * j - 10])), digits(fifth, vdupq_n_u8(power[2 * j - 9])), 1);
    uint32_t four;
    memcpy(&four, b + 48, sizeof four);
    return less(digits(fifth, vdupq_n_u8(power[4])), digits(vreinterpretq_u8_u32(vdupq_n_u32(four)), vld1q_u8(last)),
                1);
}

#endif
