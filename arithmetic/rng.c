/* rng.c - Philox4x32-10, constants from the paper named in isobit/tensor.h. */
#include <math.h>

#include <isobit/tensor.h>

#include "arithmetic/real.h"
#include "base/argument.h"

static void philox(uint32_t ctr[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * ctr[0], b = (uint64_t)0xCD9E8D57u * ctr[2];
        const uint32_t c1 = ctr[1], c3 = ctr[3];
        ctr[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
        ctr[1] = (uint32_t)b;
        ctr[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
        ctr[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* Four consecutive numbers share one block; the block index is the low half of the counter, the stream the high. */
void ib_rng_four(ib_rng r, uint64_t block, uint32_t out[4])
{
    IB_NEED_OR(out, );
    const uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r.stream, (uint32_t)(r.stream >> 32)};
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
    philox(out, (uint32_t)r.seed, (uint32_t)(r.seed >> 32));
}

uint32_t ib_rng_u32(ib_rng r, uint64_t i)
{
    uint32_t c[4];
    ib_rng_four(r, i >> 2, c);
    return c[i & 3];
}

float ib_rng_uniform(ib_rng r, uint64_t i)
{
    return (float)(ib_rng_u32(r, i) >> 8) * 0x1p-24f;
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
