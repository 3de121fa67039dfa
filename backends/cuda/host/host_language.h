/* host_language.h - what CUDA adds to C++, so that a .cu file compiles for the host: C++17, one thread of the system.
 *
 * The threads of a block are fibers. One runs until it ends or waits (__syncthreads, an operation of its warp); which
 * goes on is drawn at random (ISOBIT_CUDA_HOST_SEED; 0: always the first), and so is the order of the blocks. What is
 * __shared__ has one place for all blocks, since one runs at a time, and holds NaN when a block begins: such a kernel
 * is no template. `<<<` is not C++: kernels are launched by IB_LAUNCH, dynamic shared memory is IB_SHARED's
 * (backends/cuda/launch.cuh). */
#ifndef IB_CUDA_HOST_LANGUAGE_H
#define IB_CUDA_HOST_LANGUAGE_H

#include <functional>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <tuple>
#include <type_traits>

#include "backends/cuda/host/host_api.h"
#include "backends/cuda/host/host_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static __attribute__((section("ib_cuda_shared"))) /* host_blocks.cpp fills the section */
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

/* Those of the thread that runs. */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
enum { warpSize = 32 };

/* ---- launches ---- */

/* An argument: its bytes are looked at for what is no memory of the device. */
void ib_host_look_at(const char *kernel, int argument, const void *value, size_t bytes, int is_pointer);
void ib_host_begin(const char *kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                   std::function<void()> body, std::function<void()> look);

template <typename... P, typename... A>
void ib_host_launch(const char *kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                    void (*function)(P...), A... arguments)
{
    std::tuple<P...> held(arguments...); /* as the kernel takes them, now */
    const auto look = [kernel, held] {
        std::apply(
            [&](const P &...value) {
                int i = 0;
                (ib_host_look_at(kernel, i++, &value, sizeof value, std::is_pointer<P>::value), ...);
            },
            held);
    };
    ib_host_begin(
        kernel, grid, block, shared, stream, [function, held] { std::apply(function, held); }, look);
}

void *ib_host_dynamic_shared(void);

/* ---- waiting ---- */

void ib_host_barrier(const char *file, int line);
#define __syncthreads() ib_host_barrier(__FILE__, __LINE__)

enum { IB_HOST_SYNC, IB_HOST_SHUFFLE, IB_HOST_BALLOT };
/* All lanes of the mask give a value; a lane gets that of `source`, or the bits of which value is not 0. */
uint64_t ib_host_warp(int kind, unsigned mask, uint64_t value, int source);
int ib_host_lane(void);

static inline void __syncwarp(unsigned mask = 0xFFFFFFFF)
{
    ib_host_warp(IB_HOST_SYNC, mask, 0, 0);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    return (unsigned)ib_host_warp(IB_HOST_BALLOT, mask, predicate != 0, 0);
}

static inline int __any_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) != 0;
}

static inline int __all_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, !predicate) == 0;
}

template <typename T> static inline T ib_host_shuffle(unsigned mask, T value, int source)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "lanes exchange 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = ib_host_warp(IB_HOST_SHUFFLE, mask, bits, source);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Lanes in segments of `width`; what would come from beyond the own segment is the own value. */
template <typename T> static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    return ib_host_shuffle(mask, value, (ib_host_lane() & -width) | (source & (width - 1)));
}

template <typename T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    const int lane = ib_host_lane(), from = lane - (int)by;
    return ib_host_shuffle(mask, value, from < (lane & -width) ? lane : from);
}

template <typename T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    const int lane = ib_host_lane(), from = lane + (int)by;
    return ib_host_shuffle(mask, value, from >= (lane & -width) + width ? lane : from);
}

template <typename T> static inline T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32)
{
    const int lane = ib_host_lane(), from = lane ^ by;
    return ib_host_shuffle(mask, value, from >= (lane & -width) + width ? lane : from);
}

/* ---- memory: one fiber runs at a time, so that a plain operation is atomic; all return what was there ---- */

#define IB_HOST_ATOMIC(name, becomes)                                                                                  \
    template <typename T> static inline T name(T *p, typename std::common_type<T>::type v)                             \
    {                                                                                                                  \
        const T was = *p;                                                                                              \
        *p = (becomes);                                                                                                \
        return was;                                                                                                    \
    }
IB_HOST_ATOMIC(atomicAdd, (T)(was + v))
IB_HOST_ATOMIC(atomicExch, v)
IB_HOST_ATOMIC(atomicMax, v > was ? v : was)
IB_HOST_ATOMIC(atomicMin, v < was ? v : was)
IB_HOST_ATOMIC(atomicOr, was | v)
IB_HOST_ATOMIC(atomicAnd, was &v)
#undef IB_HOST_ATOMIC

template <typename T>
static inline T atomicCAS(T *p, typename std::common_type<T>::type wanted, typename std::common_type<T>::type v)
{
    const T was = *p;
    *p = was == wanted ? v : was;
    return was;
}

static inline void __threadfence(void)
{
}

/* ---- numbers ---- */

/* c + the products of four bytes; the sums wrap */
static inline int __dp4a(int a, int b, int c)
{
    unsigned sum = (unsigned)c;
    for (int i = 0; i < 32; i += 8)
        sum += (unsigned)((int8_t)((unsigned)a >> i) * (int8_t)((unsigned)b >> i));
    return (int)sum;
}

static inline int __popc(unsigned v)
{
    return __builtin_popcount(v);
}

static inline int __ffs(int v)
{
    return __builtin_ffs(v);
}

static inline int __clz(int v)
{
    return v ? __builtin_clz((unsigned)v) : 32;
}

static inline float __int_as_float(int v)
{
    return ib_host_float((uint32_t)v);
}

static inline int __float_as_int(float v)
{
    return (int)ib_host_bits(v);
}

#endif
