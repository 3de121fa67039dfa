/* kernel_faults.h - a fault's block for kernels that raise what they cannot use. */
#ifndef IB_TESTS_KERNELS_KERNEL_FAULTS_H
#define IB_TESTS_KERNELS_KERNEL_FAULTS_H

#include "tests/kernels/kernel_case.h"

/* Empty when a run begins; what a run raises is compared as any result. */
static inline ib_fault *no_fault(void)
{
    return memset(changed("the fault", DOUBLES, sizeof(ib_fault) / 8, EXACT), 0, sizeof(ib_fault));
}

/* Which one ref has raised, IB_NO_FAULT if none. */
static inline int raised(const ib_fault *f)
{
    return ((const ib_fault *)made_by_ref(f))->kind;
}

#endif
