/* requant.h - the real factor of a requantization as the integers that runtime/isobit_rt.h works with. */
#ifndef IB_ARITHMETIC_REQUANT_H
#define IB_ARITHMETIC_REQUANT_H

#include <stdint.h>

#include "runtime/isobit_types.h"

/* How the products of a profile (ib_profile) are rounded: one of ISOBIT_TFLITE_DOUBLE, ... The functions below take
 * profiles. */
int ib_rounding(int profile);

/* M = s_in * s_w / s_out in the form of `profile`: in double for tflite_*, in fp32 for fp32_rne, as the runtimes of
 * these profiles compute it. A factor below 2^-32 becomes 0, and one above 2^30 becomes 2^30: no sum of 32 bits tells
 * either from the factor itself. The steps and M are finite numbers. */
isobit_scale ib_requant_scale(float s_in, float s_w, float s_out, int profile);

/* The factors of an addition (see isobit_add): returns a, b and out. For xnnpack as XNNPACK's
 * xnn_init_qs8_add_minmax_scalar_params makes them (it takes factors from 2^-10 to 2^8): in fp32, the larger with 21
 * bits. Both steps are to be below ib_requant_add_limit() s_out: what the 21 bits hold, or TFLite's own limit of 1
 * on its output multiplier. */
void ib_requant_add(float s_a, float s_b, float s_out, int profile, isobit_scale *a, isobit_scale *b,
                    isobit_scale *out);

double ib_requant_add_limit(int profile);

/* The real number that a factor stands for. */
double ib_requant_value(isobit_scale s, int profile);

#endif
