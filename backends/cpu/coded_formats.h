/* coded_formats.h - the formats of tensor/integers.def for levels that take their blocks apart in registers and
 * compile functions for each. */
#ifndef IB_BACKENDS_CPU_CODED_FORMATS_H
#define IB_BACKENDS_CPU_CODED_FORMATS_H

#include <stdint.h>
#include <string.h>

/* How codes of weights are multiplied by those of rows: as bytes without a sign, less `shift`; or with one; or as wide
 * ones, whose nibbles choose from tables. */
enum { SIGNED = -1, WIDE = -2 };

/* A format. The first three are its line in tensor/integers.def and its bytes; scales lie apart where d_at < 0. */
typedef struct coded_format {
    int block, bytes, shift;
    int most;       /* the largest code without a sign */
    int d_at, m_at; /* bytes to the halves d and m of a block; m_at < 0: it has no minima */
    int power;      /* d is no half but the byte of a power of two (tensor/storage/e2m1.h) */
} coded_format;

/* FORMAT(name, its scales_, its wide_, a coded_format) */
#define CODED_FORMATS(FORMAT)                                                                                          \
    FORMAT(q4_0, none, none, 32, 18, 8, 15, 0, -1)                                                                     \
    FORMAT(q4_1, none, none, 32, 20, 0, 15, 0, 2)                                                                      \
    FORMAT(q5_0, none, none, 32, 22, 16, 31, 0, -1)                                                                    \
    FORMAT(q5_1, none, none, 32, 24, 0, 31, 0, 2)                                                                      \
    FORMAT(q8_0, none, none, 32, 34, SIGNED, 0, 0, -1)                                                                 \
    FORMAT(q4_k, k, none, 256, 144, 0, 15, 0, 2)                                                                       \
    FORMAT(q5_k, k, none, 256, 176, 0, 31, 0, 2)                                                                       \
    FORMAT(q6_k, q6_k, none, 256, 210, 32, 63, 208, -1)                                                                \
    FORMAT(q2_k, q2_k, none, 256, 84, 0, 3, 80, 82)                                                                    \
    FORMAT(q3_k, q3_k, none, 256, 110, 4, 7, 108, -1)                                                                  \
    FORMAT(iq4_nl, none, none, 32, 18, SIGNED, 0, 0, -1)                                                               \
    FORMAT(iq4_xs, iq4_xs, none, 256, 136, SIGNED, 0, 0, -1)                                                           \
    FORMAT(tq1_0, ones, none, 256, 54, 1, 3, 52, -1)                                                                   \
    FORMAT(tq2_0, ones, none, 256, 66, 1, 3, 64, -1)                                                                   \
    FORMAT(mxfp4, none, none, 32, 17, SIGNED, 0, 0, -1, 1)                                                             \
    FORMAT(int4, none, none, 32, 18, 8, 15, 0, -1)                                                                     \
    FORMAT(int8, none, none, 32, 32, SIGNED, 0, -1, -1)                                                                \
    FORMAT(nf4, none, nf4, 64, 32, WIDE, 0, -1, -1)                                                                    \
    FORMAT(fp4, none, fp4, 64, 32, WIDE, 0, -1, -1)

#define CODED_FORMAT(name, own_scales, own_wide, ...) static const coded_format format_##name = {__VA_ARGS__};
CODED_FORMATS(CODED_FORMAT)
#undef CODED_FORMAT

/* The rows of a table by a format's place, of what OF_FORMAT(name) says; those whose scales have scales too are the
 * same blocks. */
#define CODED_ROW(name, ...) [IB_AT_##name] = OF_FORMAT(name),
#define CODED_ROWS CODED_FORMATS(CODED_ROW)[IB_AT_nf4_dq] = OF_FORMAT(nf4), [IB_AT_fp4_dq] = OF_FORMAT(fp4)

/* What nibbles mean: iq4_values.h; e2m1.h; nf4.c, by 15684; fp4.c, by 192 */
#define E2M1 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12
#define IQ4_NL -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
#define NF4(OF)                                                                                                        \
    OF(-15684), OF(-10919), OF(-8235), OF(-6194), OF(-4461), OF(-2898), OF(-1428), OF(0), OF(1248), OF(2524),          \
        OF(3860), OF(5300), OF(6912), OF(8824), OF(11339), OF(15684)
#define FP4(OF)                                                                                                        \
    OF(0), OF(1), OF(128), OF(192), OF(64), OF(96), OF(32), OF(48), OF(0), OF(-1), OF(-128), OF(-192), OF(-64),        \
        OF(-96), OF(-32), OF(-48)

/* A byte each: the eight scales of iq4_xs, 32 more than they are (iq4_xs.c). */
static inline uint64_t iq4_scales_at(const uint8_t *b)
{
    uint64_t scale = 0;
    for (int j = 0; j < 8; j++)
        scale |= (uint64_t)((b[4 + j / 2] >> 4 * (j & 1) & 15) | (b[2 + j / 4] >> 2 * (j & 3) & 3) << 4) << 8 * j;
    return scale;
}

/* A byte each: the eight scales and minima of q4_k and q5_k. Their 12 bytes (k_scales.h) are four at a time the first
 * four scales, the first four minima, and the low bits of the others, whose high ones are the two above the first's. */
typedef struct k_scales {
    uint64_t scale, min;
} k_scales;
static inline k_scales k_scales_at(const uint8_t *b)
{
    uint32_t s[3];
    memcpy(s, b, sizeof s);
    const uint64_t scale_high = (s[2] & 0x0F0F0F0F) | (s[0] >> 6 & 0x03030303) << 4,
                   min_high = (s[2] >> 4 & 0x0F0F0F0F) | (s[1] >> 6 & 0x03030303) << 4;
    return (k_scales){(s[0] & 0x3F3F3F3F) | scale_high << 32, (s[1] & 0x3F3F3F3F) | min_high << 32};
}

#endif
