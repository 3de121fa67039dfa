/* peaks.c - the most products that a level makes in registers, for measurements: fp32 by whole vectors of the
 * compilation, fused where its instructions are (CMakeLists.txt). Codes and bfloat16 have no such instruction in plain
 * C. */
#include "backends/cpu/level.h"
#include "backends/cpu/peaks.h"

#ifdef __AVX512F__
enum { BYTES = 64 };
#elif defined __AVX2__
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef float vector __attribute__((vector_size(BYTES)));

/* Twelve chains y = a y + b, more than the latency of the two needs; they come to b / (1 - a). A register is all that
 * the compiler may keep each in. */
#ifdef __aarch64__
#define IN_REGISTER(y) __asm__ volatile("" : "+w"(y))
#else
#define IN_REGISTER(y) __asm__ volatile("" : "+x"(y))
#endif
#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define BEGIN(i) vector y##i = b;
#define STEP(i)                                                                                                        \
    y##i = a * y##i + b;                                                                                               \
    IN_REGISTER(y##i);

static void chains(int64_t rounds)
{
    const vector zero = {0}, a = zero + 0.5f, b = zero + 1.0f;
    EACH_CHAIN(BEGIN)
    for (int64_t i = 0; i < rounds; i++) {
        EACH_CHAIN(STEP)
    }
}

double IB_K(fp32_peak)(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 12 * BYTES / 4);
}

double IB_K(bf16_peak)(ib_device *dev, int way, int64_t rounds)
{
    (void)way, (void)rounds;
    return 0;
}

double IB_K(int8_peak)(ib_device *dev, int way, int64_t rounds)
{
    (void)way, (void)rounds;
    return 0;
}

double IB_K(int4_peak)(ib_device *dev, int way, int64_t rounds)
{
    (void)way, (void)rounds;
    return 0;
}
