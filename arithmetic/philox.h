/* philox.h - Philox4x32-10 (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), which host and
 * kernels share. */
#ifndef IB_ARITHMETIC_PHILOX_H
#define IB_ARITHMETIC_PHILOX_H

#include <isobit/tensor.h>

#include "arithmetic/real.h"

/* Four consecutive numbers share one block; the block index is the low half of the counter, the stream the high. */
IB_DEVICE_FN static inline void ib_philox(ib_rng r, uint64_t block, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)r.stream,
             c3 = (uint32_t)(r.stream >> 32), k0 = (uint32_t)r.seed, k1 = (uint32_t)(r.seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* In [0, 1), of 24 of the bits. */
IB_DEVICE_FN static inline float ib_uniform_of(uint32_t bits)
{
    return (float)(bits >> 8) * 0x1p-24f;
}

#endif
