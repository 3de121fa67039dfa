/* avxvnni_peaks.c - the most products of codes that the level makes in registers: chains of vpdpbusd. The assembler
 * would take AVX-512's encoding of the instruction, were it not told. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/avxvnni/avxvnni.h"
#include "backends/cpu/x86/peak_chains.h"

#ifdef IB_AVXVNNI_BY_EVEX
#define DPBUSD "vpdpbusd"
#else
#define DPBUSD "%{vex%} vpdpbusd"
#endif

static void chains(int64_t rounds)
{
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(IB_TWELVE_CHAINS(DPBUSD)::: IB_CLOBBERS);
}

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 12 * IB_PEAK_BYTES);
}

void ib_avxvnni_peaks_replace(ib_kernels *k)
{
    k->int8_peak = int8_peak;
    k->int4_peak = int8_peak; /* bytes all the same */
}
