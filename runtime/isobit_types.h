/* isobit_types.h - what a requantization factor is. Part of the runtime, see isobit_rt.h. */
#ifndef ISOBIT_TYPES_H
#define ISOBIT_TYPES_H

#include <stdint.h>

/* [base] */
/* A positive real factor M as an integer mantissa and an exponent.
 *   tflite_*:  M = mult * 2^(exp - 31), 2^30 <= mult < 2^31, -31 <= exp <= 30
 *   fp32_rne:  M = mult * 2^exp,        2^23 <= mult < 2^24 (the fp32 number itself)
 * mult = 0 stands for M = 0. */
typedef struct isobit_scale {
    int32_t mult;
    int32_t exp;
} isobit_scale;

/* How acc * M becomes an integer. */
enum {
    ISOBIT_TFLITE_DOUBLE = 0, /* saturating rounding doubling high multiply, then a rounding shift (gemmlowp, TFLM) */
    ISOBIT_TFLITE_SINGLE = 1, /* one 64-bit multiply and one rounding shift */
    ISOBIT_FP32_RNE = 2       /* lrintf((float)acc * M), as ONNX Runtime and XNNPACK do it, here in integers */
};
/* [end] */

#endif
