/* peak_chains.h - what the levels of x86 run in registers for their peaks (peaks.h), in the width of the compilation.
 * As text, because the compiler would move what does not change out of the loop and copy the rest about. */
#ifndef IB_BACKENDS_CPU_X86_PEAK_CHAINS_H
#define IB_BACKENDS_CPU_X86_PEAK_CHAINS_H

#include "backends/cpu/peaks.h"

#if defined __AVX512F__ && !defined IB_AVXVNNI_BY_EVEX
enum { IB_PEAK_BYTES = 64 };
#define IB_WIDE(i) "%%zmm" #i
#else
enum { IB_PEAK_BYTES = 32 };
#define IB_WIDE(i) "%%ymm" #i
#endif
#define IB_CLOBBERS                                                                                                    \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",         \
        "xmm13", "xmm14", "xmm15"

#define IB_CHAIN(name, i) name " " IB_WIDE(0) ", " IB_WIDE(1) ", " IB_WIDE(i) "\n"
/* Twelve independent sums of one instruction, more than its latency needs. */
#define IB_TWELVE_CHAINS(name)                                                                                         \
    IB_CHAIN(name, 2)                                                                                                  \
    IB_CHAIN(name, 3)                                                                                                  \
    IB_CHAIN(name, 4)                                                                                                  \
    IB_CHAIN(name, 5)                                                                                                  \
    IB_CHAIN(name, 6)                                                                                                  \
    IB_CHAIN(name, 7)                                                                                                  \
    IB_CHAIN(name, 8)                                                                                                  \
    IB_CHAIN(name, 9)                                                                                                  \
    IB_CHAIN(name, 10)                                                                                                 \
    IB_CHAIN(name, 11)                                                                                                 \
    IB_CHAIN(name, 12)                                                                                                 \
    IB_CHAIN(name, 13)

#define IB_ADD(t, acc) "vpaddd " IB_WIDE(t) ", " IB_WIDE(acc) ", " IB_WIDE(acc) "\n"

/* Codes widened to int16: two bytes a product, in each of eight sums. */
static inline void ib_peak_by_pairs(int64_t rounds)
{
#define SUM(t, acc) IB_CHAIN("vpmaddwd", t) IB_ADD(t, acc)
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(SUM(4, 8) SUM(5, 9) SUM(6, 10) SUM(7, 11) SUM(4, 12) SUM(5, 13) SUM(6, 14) SUM(7, 15)::
                             : IB_CLOBBERS);
#undef SUM
}

/* Codes as uint8 times -8 .. 7: eight pairs of at most 2 x 255 x 8 are summed in 16 bits before they are widened, eight
 * products a byte in each of two sums, as avx2_panels4.c has it. 0: x; 2: w; 3: ones. */
static inline void ib_peak_by_sixteens(int64_t rounds)
{
#define PAIR(t) "vpmaddubsw " IB_WIDE(2) ", " IB_WIDE(0) ", " IB_WIDE(t) "\n"
#define MORE(t, s) PAIR(t) "vpaddw " IB_WIDE(t) ", " IB_WIDE(s) ", " IB_WIDE(s) "\n"
#define SUM(s, t, acc)                                                                                                 \
    PAIR(s)                                                                                                            \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    MORE(t, s)                                                                                                         \
    "vpmaddwd " IB_WIDE(3) ", " IB_WIDE(s) ", " IB_WIDE(s) "\n" IB_ADD(s, acc)
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(SUM(4, 5, 8) SUM(6, 7, 9)::: IB_CLOBBERS);
#undef SUM
#undef MORE
#undef PAIR
}

#endif
