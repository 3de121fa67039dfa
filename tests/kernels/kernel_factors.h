/* kernel_factors.h - factors of requantization for the cases of integer kernels. */
#ifndef IB_TESTS_KERNELS_KERNEL_FACTORS_H
#define IB_TESTS_KERNELS_KERNEL_FACTORS_H

#include "arithmetic/requant.h"
#include "arithmetic/runtime.h"
#include "tests/kernels/kernel_case.h"

enum { N_ROUNDINGS = 3 }; /* ISOBIT_TFLITE_DOUBLE, ISOBIT_TFLITE_SINGLE, ISOBIT_FP32_RNE */

/* Factors that are small, or (`large`, every seventh) not. */
static inline isobit_scale *factors(int64_t n, int profile, int large)
{
    isobit_scale *s = given("the factors", INTS, 2 * n);
    for (int64_t i = 0; i < n; i++)
        s[i] = ib_requant_scale(1.0f, 1.0f, large && i % 7 == 3 ? 0.3f : 300.0f + 11.0f * (float)(i % 29), profile);
    return s;
}

/* An addition in the rounding of a profile of the library; every other one has ties. */
static inline struct isobit_add an_addition(int profile, int ties)
{
    struct isobit_add add = {0, -3, 9, 4, -120, 101, {0, 0}, {0, 0}, {0, 0}};
    ib_requant_add(0.5f, ties ? 0.25f : 0.318f, 1.0f, profile, &add.a, &add.b, &add.out);
    return add;
}

#endif
