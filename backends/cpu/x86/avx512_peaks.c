/* avx512_peaks.c - the most products of codes that the level makes in registers, as avx2_peaks.c with 64 bytes; the
 * ways of the level below are its own too. */
#include "backends/cpu/level.h"

void ib_avx512_peaks_replace(ib_kernels *k);

#define CLOBBERS                                                                                                       \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",         \
        "xmm13", "xmm14", "xmm15"

/* Codes widened to int16: 32 products in each of eight sums. */
static void by_pairs(int64_t rounds)
{
#define SUM(t, acc) "vpmaddwd %%zmm0, %%zmm1, %%zmm" #t "\nvpaddd %%zmm" #t ", %%zmm" #acc ", %%zmm" #acc "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(SUM(4, 8) SUM(5, 9) SUM(6, 10) SUM(7, 11) SUM(4, 12) SUM(5, 13) SUM(6, 14) SUM(7, 15)::
                             : CLOBBERS);
#undef SUM
}

/* Codes 0 .. 15 times -8 .. 7: four pairs summed in 16 bits, 256 products in each of two sums. */
static void by_eights(int64_t rounds)
{
#define PAIR(t) "vpmaddubsw %%zmm2, %%zmm0, %%zmm" #t "\n"
#define MORE(t, s) PAIR(t) "vpaddw %%zmm" #t ", %%zmm" #s ", %%zmm" #s "\n"
#define SUM(s, t, acc)                                                                                                 \
    PAIR(s)                                                                                                            \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s) "vpmaddwd %%zmm3, %%zmm" #s ", %%zmm" #s "\nvpaddd %%zmm" #s ", %%zmm" #acc ", %%zmm" #acc "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(SUM(4, 5, 8) SUM(6, 7, 9)::: CLOBBERS);
#undef SUM
#undef MORE
#undef PAIR
}

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    double done = 0;
    if (way)
        return IB_BELOW(int8_peak)(dev, way - 1, rounds);
#pragma omp parallel reduction(+ : done)
    {
        by_pairs(rounds);
        done += (double)rounds * 256 * 2;
    }
    return done;
}

static double int4_peak(ib_device *dev, int way, int64_t rounds)
{
    double done = 0;
    if (way)
        return IB_BELOW(int4_peak)(dev, way - 1, rounds);
#pragma omp parallel reduction(+ : done)
    {
        by_eights(rounds);
        done += (double)rounds * 512 * 2;
    }
    return done;
}

void ib_avx512_peaks_replace(ib_kernels *k)
{
    k->int8_peak = int8_peak;
    k->int4_peak = int4_peak;
}
