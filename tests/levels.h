/* levels.h - what suites ask of the levels of the device. */
#ifndef IB_TESTS_LEVELS_H
#define IB_TESTS_LEVELS_H

#include "backends/kernels.h"

/* The level rounds factors of products with frozen matrices and of attention to bfloat16, and what it keeps too. */
static inline int rounds_products(ib_device *dev)
{
    return dev->k.kept_bytes(dev, 1) < (int64_t)sizeof(float);
}

#endif
