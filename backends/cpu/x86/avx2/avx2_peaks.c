/* avx2_peaks.c - the most products of codes that the level makes in registers. Four sums are enough: what follows each
 * other there is an addition. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/peak_chains.h"

/* |x| as uint8 times w with x's sign, as avx2_panels.c has it: 32 products in each of the four sums, whose input's
 * magnitude is taken once. ymm0: x; ymm1: its magnitude; ymm2: w; ymm3: ones; ymm8 .. ymm11: sums. */
static void by_magnitude(int64_t rounds)
{
#define SUM(t, acc)                                                                                                    \
    "vpsignb %%ymm0, %%ymm2, %%ymm" #t "\nvpmaddubsw %%ymm" #t ", %%ymm1, %%ymm" #t "\nvpmaddwd %%ymm3, %%ymm" #t      \
    ", %%ymm" #t "\nvpaddd %%ymm" #t ", %%ymm" #acc ", %%ymm" #acc "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile("vpabsb %%ymm0, %%ymm1\n" SUM(4, 8) SUM(5, 9) SUM(6, 10) SUM(7, 11)::: IB_CLOBBERS);
#undef SUM
}

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    if (way < 0 || way > 1)
        return 0;
    return ib_peak_of(way ? ib_peak_by_pairs : by_magnitude, rounds, 4 * IB_PEAK_BYTES);
}

static double int4_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(ib_peak_by_sixteens, rounds, 16 * IB_PEAK_BYTES);
}

void ib_avx2_peaks_replace(ib_kernels *k)
{
    k->int8_peak = int8_peak;
    k->int4_peak = int4_peak;
}
