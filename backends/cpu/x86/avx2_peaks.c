/* avx2_peaks.c - the most products of codes that the level makes in registers. As text, because the compiler would move
 * what does not change out of the loop. Four sums are enough: what follows each other there is an addition. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2.h"

#define CLOBBERS                                                                                                       \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",         \
        "xmm13", "xmm14", "xmm15"

/* |x| as uint8 times w with x's sign, as avx2_panels.c has it: 32 products in each of the four sums, whose input's
 * magnitude is taken once. ymm0: x; ymm1: its magnitude; ymm2: w; ymm3: ones; ymm8 .. ymm11: sums. */
static void by_magnitude(int64_t rounds)
{
#define SUM(t, acc)                                                                                                    \
    "vpsignb %%ymm0, %%ymm2, %%ymm" #t "\nvpmaddubsw %%ymm" #t ", %%ymm1, %%ymm" #t "\nvpmaddwd %%ymm3, %%ymm" #t      \
    ", %%ymm" #t "\nvpaddd %%ymm" #t ", %%ymm" #acc ", %%ymm" #acc "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile("vpabsb %%ymm0, %%ymm1\n" SUM(4, 8) SUM(5, 9) SUM(6, 10) SUM(7, 11)::: CLOBBERS);
#undef SUM
}

/* Codes widened to int16, as avx2_integer.c has them: 16 products in each of eight sums. */
static void by_pairs(int64_t rounds)
{
#define SUM(t, acc) "vpmaddwd %%ymm0, %%ymm1, %%ymm" #t "\nvpaddd %%ymm" #t ", %%ymm" #acc ", %%ymm" #acc "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(SUM(4, 8) SUM(5, 9) SUM(6, 10) SUM(7, 11) SUM(4, 12) SUM(5, 13) SUM(6, 14) SUM(7, 15)::
                             : CLOBBERS);
#undef SUM
}

/* Codes 0 .. 15 times -8 .. 7: four pairs of at most 2 x 15 x 8 are summed in 16 bits before they are widened, 128
 * products in each of two sums. ymm0: x; ymm2: w; ymm3: ones. */
static void by_eights(int64_t rounds)
{
#define PAIR(t) "vpmaddubsw %%ymm2, %%ymm0, %%ymm" #t "\n"
#define MORE(t, s) PAIR(t) "vpaddw %%ymm" #t ", %%ymm" #s ", %%ymm" #s "\n"
#define SUM(s, t, acc)                                                                                                 \
    PAIR(s)                                                                                                            \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s) "vpmaddwd %%ymm3, %%ymm" #s ", %%ymm" #s "\nvpaddd %%ymm" #s ", %%ymm" #acc ", %%ymm" #acc "\n"
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(SUM(4, 5, 8) SUM(6, 7, 9)::: CLOBBERS);
#undef SUM
#undef MORE
#undef PAIR
}

/* Each makes 128 or 256 products a round. */
static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    double done = 0;
    if (way < 0 || way > 1)
        return 0;
#pragma omp parallel reduction(+ : done)
    {
        (way ? by_pairs : by_magnitude)(rounds);
        done += (double)rounds * 128 * 2;
    }
    return done;
}

static double int4_peak(ib_device *dev, int way, int64_t rounds)
{
    double done = 0;
    if (way)
        return 0;
#pragma omp parallel reduction(+ : done)
    {
        by_eights(rounds);
        done += (double)rounds * 256 * 2;
    }
    return done;
}

void ib_avx2_peaks_replace(ib_kernels *k)
{
    k->int8_peak = int8_peak;
    k->int4_peak = int4_peak;
}
