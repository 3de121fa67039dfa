/* bf16_peaks.c - the most products of factors in bfloat16 that the level makes in registers. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/peak_chains.h"

void ib_bf16_peaks_replace(ib_kernels *k);

static void chains(int64_t rounds)
{
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(IB_TWELVE_CHAINS("vdpbf16ps")::: IB_CLOBBERS);
}

static double bf16_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 12 * IB_PEAK_BYTES / 2);
}

void ib_bf16_peaks_replace(ib_kernels *k)
{
    k->bf16_peak = bf16_peak;
}
