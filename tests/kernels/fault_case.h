/* fault_case.h - blocks of faults and tallies as buffers of a kernel's case. */
#ifndef IB_TESTS_KERNELS_FAULT_CASE_H
#define IB_TESTS_KERNELS_FAULT_CASE_H

#include <string.h>

#include "tests/kernels/kernel_case.h"

/* As many doubles, which are aligned as it is. */
#define IN_DOUBLES(type) ((int64_t)(sizeof(type) / sizeof(double)))
_Static_assert(sizeof(ib_fault) % sizeof(double) == 0 && sizeof(ib_tally) % sizeof(double) == 0, "whole doubles");

/* An empty one, which a run may fill. */
static inline ib_fault *a_fault(const char *name)
{
    return memset(changed(name, DOUBLES, IN_DOUBLES(ib_fault), EXACT), 0, sizeof(ib_fault));
}

/* An empty one, which a run reads. */
static inline ib_fault *given_fault(void)
{
    return memset(given("a fault", DOUBLES, IN_DOUBLES(ib_fault)), 0, sizeof(ib_fault));
}

static inline ib_tally *a_tally(double loss, int64_t steps, int64_t right)
{
    ib_tally *t = changed("the tally", DOUBLES, IN_DOUBLES(ib_tally), EXACT);
    *t = (ib_tally){loss, steps, right};
    return t;
}

#endif
