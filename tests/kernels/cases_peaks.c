/* cases_peaks.c - cases of the kernels that measure what a level can do. */
#include "tests/kernels/kernel_case.h"

/* In each way twice the rounds are twice the operations, and the ways end; where there is no such instruction with the
 * first. */
#define CASE(kernel)                                                                                                   \
    void case_##kernel(void)                                                                                           \
    {                                                                                                                  \
        enum { MOST_WAYS = 8 };                                                                                        \
        a_shape("3 and 6 rounds");                                                                                     \
        double *more = result("operations", DOUBLES, 1, EXACT);                                                        \
        EACH_RUN(kernel) {                                                                                             \
            int way = 0;                                                                                               \
            *more = 0;                                                                                                 \
            for (double once; (once = dev->k.kernel(dev, way, 3)) > 0 && way < MOST_WAYS; way++)                       \
                *more += dev->k.kernel(dev, way, 6) - 2 * once;                                                        \
            CHECK(way < MOST_WAYS);                                                                                    \
            CHECK(dev->k.kernel(dev, way, 3) == 0);                                                                    \
        }                                                                                                              \
    }
CASE(fp32_peak)
CASE(bf16_peak)
CASE(int8_peak)
CASE(int4_peak)
