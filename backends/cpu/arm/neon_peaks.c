/* neon_peaks.c - the most products of codes that the level makes in registers: sixteen chains of sixteen products. */
#include "backends/cpu/level.h"
#include "backends/cpu/peaks.h"

void ib_neon_peaks_replace(ib_kernels *k);

static void chains(int64_t rounds)
{
#define CHAIN(r) "sdot v" #r ".4s, v0.16b, v1.16b\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(CHAIN(16) CHAIN(17) CHAIN(18) CHAIN(19) CHAIN(20) CHAIN(21) CHAIN(22) CHAIN(23) CHAIN(24)
                             CHAIN(25) CHAIN(26) CHAIN(27) CHAIN(28) CHAIN(29) CHAIN(30) CHAIN(31)::
                                 : "v0", "v1", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
                                   "v26", "v27", "v28", "v29", "v30", "v31");
#undef CHAIN
}

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 16 * 16);
}

void ib_neon_peaks_replace(ib_kernels *k)
{
    k->int8_peak = int8_peak;
    k->int4_peak = int8_peak; /* bytes all the same */
}
