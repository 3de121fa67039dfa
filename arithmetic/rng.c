/* rng.c - random numbers by Philox4x32-10, a pure function of seed, stream and index. */
#include <math.h>

#include <isobit/tensor.h>

#include "arithmetic/philox.h"
#include "base/argument.h"

void ib_rng_four(ib_rng r, uint64_t block, uint32_t out[4])
{
    IB_NEED_OR(out, );
    ib_philox(r, block, out);
}

uint32_t ib_rng_u32(ib_rng r, uint64_t i)
{
    uint32_t c[4];
    ib_rng_four(r, i >> 2, c);
    return c[i & 3];
}

float ib_rng_uniform(ib_rng r, uint64_t i)
{
    return ib_uniform_of(ib_rng_u32(r, i));
}

float ib_rng_normal(ib_rng r, uint64_t i)
{
    const float u = 1.0f - ib_rng_uniform(r, 2 * i), v = ib_rng_uniform(r, 2 * i + 1); /* u in (0, 1] */
    return sqrtf(-2.0f * ib_log(u)) * ib_cos_turns(v);
}

uint32_t ib_rng_below(ib_rng r, uint64_t i, uint32_t n)
{
    IB_TAKE_OR(n, n > 0, 0, "is %u", n);
    return (uint32_t)(((uint64_t)ib_rng_u32(r, i) * n) >> 32);
}
