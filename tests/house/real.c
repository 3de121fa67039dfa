/* real.c - one number for all that arithmetic/real.h gives on a stride through the floats, by which real.sh compares
 * compilers. */
#include <stdio.h>

#include "arithmetic/real.h"

enum { BLOCK = 1024 };

static uint64_t seen = 14695981039346656037u; /* FNV-1a, of words */

static void see(uint64_t bits)
{
    seen = (seen ^ bits) * 1099511628211u;
}

static void see_all(const float *y)
{
    for (int i = 0; i < BLOCK; i++)
        see(y[i] != y[i] ? 0x7fc00000u : ib_bits_of(y[i])); /* the bits of a NaN are nobody's promise */
}

#ifdef __CUDACC__
#define FUNCTION(f)                                                                                                    \
    static __global__ void f##_there(const float *x, float *y)                                                         \
    {                                                                                                                  \
        y[threadIdx.x] = f(x[threadIdx.x]);                                                                            \
    }
FUNCTION(ib_exp)
FUNCTION(ib_log)
FUNCTION(ib_tanh_of)
FUNCTION(ib_sigmoid_of)
FUNCTION(ib_erf)
FUNCTION(ib_exp_nearest)
FUNCTION(ib_log_nearest)
FUNCTION(ib_tanh_nearest)
FUNCTION(ib_cos_turns)

static float *at_device; /* x, then y */
/* Without a device the host's half is asked. */
#define APPLY(f)                                                                                                       \
    if (at_device) {                                                                                                   \
        cudaMemcpy(at_device, x, sizeof x, cudaMemcpyHostToDevice);                                                    \
        f##_there<<<1, BLOCK>>>(at_device, at_device + BLOCK);                                                         \
        if (cudaMemcpy(y, at_device + BLOCK, sizeof y, cudaMemcpyDeviceToHost) != cudaSuccess)                         \
            return fprintf(stderr, "%s\n", cudaGetErrorString(cudaGetLastError())), 1;                                 \
    } else                                                                                                             \
        for (int i = 0; i < BLOCK; i++)                                                                                \
        y[i] = f(x[i])
#else
#define APPLY(f)                                                                                                       \
    for (int i = 0; i < BLOCK; i++)                                                                                    \
    y[i] = f(x[i])
#endif
#define SEE(f)                                                                                                         \
    APPLY(f);                                                                                                          \
    see_all(y)

int main(void)
{
    static float x[BLOCK], y[BLOCK];
    uint32_t at = 0;
#ifdef __CUDACC__
    int devices = 0;
    if (cudaGetDeviceCount(&devices) == cudaSuccess && devices)
        cudaMalloc(&at_device, 2 * sizeof x);
    fprintf(stderr, at_device ? "on a device\n" : "no device: on the host\n");
#endif
    for (int round = 0; round < 256; round++) {
        for (int i = 0; i < BLOCK; i++, at += 16381)
            x[i] = ib_float_of(at);
        SEE(ib_exp);
        SEE(ib_log);
        SEE(ib_tanh_of);
        SEE(ib_sigmoid_of);
        SEE(ib_erf);
        SEE(ib_exp_nearest);
        SEE(ib_log_nearest);
        SEE(ib_tanh_nearest);
        for (int i = 0; i < BLOCK; i++)
            x[i] = (float)((at + (uint32_t)i * 12289) >> 8) * 5.9604644775390625e-8f; /* 2^-24: in [0, 1) */
        SEE(ib_cos_turns);
    }
    for (int i = 0; i < 4096; i++) {
        see(ib_bits_of_double(ib_exp_double(i * 0.3461 - 708.0)));
        see(ib_bits_of_double(ib_log_double(i * 0.0173 + 1e-300)));
    }
    printf("%016llx\n", (unsigned long long)seen);
    return 0;
}
