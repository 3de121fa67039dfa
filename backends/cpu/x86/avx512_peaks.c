/* avx512_peaks.c - the most products of codes that the level makes in registers, as avx2_peaks.c with 64 bytes; the
 * ways of the level below are its own too. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/peak_chains.h"

void ib_avx512_peaks_replace(ib_kernels *k);

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? IB_BELOW(int8_peak)(dev, way - 1, rounds) : ib_peak_of(ib_peak_by_pairs, rounds, 4 * IB_PEAK_BYTES);
}

static double int4_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? IB_BELOW(int4_peak)(dev, way - 1, rounds)
               : ib_peak_of(ib_peak_by_sixteens, rounds, 16 * IB_PEAK_BYTES);
}

void ib_avx512_peaks_replace(ib_kernels *k)
{
    k->int8_peak = int8_peak;
    k->int4_peak = int4_peak;
}
