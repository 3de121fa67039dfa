/* bf16_peaks.c - the most products of factors in bfloat16 that the level makes in registers. */
#include "backends/cpu/level.h"

void ib_bf16_peaks_replace(ib_kernels *k);

/* Twelve independent chains of 32 products. */
static void chains(int64_t rounds)
{
#define CHAIN(r) "vdpbf16ps %%zmm0, %%zmm1, %%zmm" #r "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(CHAIN(2) CHAIN(3) CHAIN(4) CHAIN(5) CHAIN(6) CHAIN(7) CHAIN(8) CHAIN(9) CHAIN(10) CHAIN(11)
                             CHAIN(12) CHAIN(13)::
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                                   "xmm10", "xmm11", "xmm12", "xmm13");
#undef CHAIN
}

static double bf16_peak(ib_device *dev, int way, int64_t rounds)
{
    double done = 0;
    if (way)
        return 0;
#pragma omp parallel reduction(+ : done)
    {
        chains(rounds);
        done += (double)rounds * 12 * 32 * 2;
    }
    return done;
}

void ib_bf16_peaks_replace(ib_kernels *k)
{
    k->bf16_peak = bf16_peak;
}
