/* family.cuh - what each family of kernels (*.cu) begins with: the rows of kernels.def as ib_cuda_<name>, and how they
 * are begun.
 *
 * A function of a family runs on the host and begins kernels; structures that it is given are the host's and go to a
 * kernel by value. Each output is made by one thread, its sums in the order of backends/cpu/kernels, so that the bits
 * are those of cpu:ref (nvcc contracts nothing: -fmad=false). */
#ifndef IB_CUDA_FAMILY_CUH
#define IB_CUDA_FAMILY_CUH

#include "backends/cuda/launch.cuh"

#include "arithmetic/real.h"
#include "arithmetic/scales.h"
#include "backends/cuda/device.h"

extern "C" {
#include <isobit/matrix.h>

#include "backends/operands.h"
#include "backends/quantization.h"

#define KERNEL(result, name, args) result ib_cuda_##name args;
#include "backends/kernels.def"
#undef KERNEL
}

enum { IB_CUDA_BLOCK = 256 };

/* Blocks for n threads, at most as many as keep a device busy: kernels step on by all threads (EACH). */
static inline unsigned ib_cuda_blocks(int64_t n)
{
    const int64_t blocks = (n + IB_CUDA_BLOCK - 1) / IB_CUDA_BLOCK;
    return (unsigned)(blocks < 65536 ? blocks : 65536);
}

/* kernel<<<...>>>(arguments) for n things, of which there may be none. */
#define BEGIN(dev, kernel, n, ...)                                                                                     \
    do {                                                                                                               \
        if ((n) > 0) {                                                                                                 \
            IB_LAUNCH(kernel, ib_cuda_blocks(n), IB_CUDA_BLOCK, 0, ib_cuda_stream(dev), __VA_ARGS__);                  \
            ib_cuda_launched(dev, #kernel);                                                                            \
        }                                                                                                              \
    } while (0)

/* The same of one block, whose threads work together; of one thread. */
#define BEGIN_BLOCK(dev, kernel, ...) BEGIN_THREADS(dev, kernel, IB_CUDA_BLOCK, __VA_ARGS__)
#define BEGIN_ONE(dev, kernel, ...) BEGIN_THREADS(dev, kernel, 1, __VA_ARGS__)
#define BEGIN_THREADS(dev, kernel, threads, ...)                                                                       \
    do {                                                                                                               \
        IB_LAUNCH(kernel, 1, threads, 0, ib_cuda_stream(dev), __VA_ARGS__);                                            \
        ib_cuda_launched(dev, #kernel);                                                                                \
    } while (0)

/* A block for each of n things, of which there may be none. */
#define BEGIN_BLOCKS(dev, kernel, n, ...)                                                                              \
    do {                                                                                                               \
        if ((n) > 0) {                                                                                                 \
            IB_LAUNCH(kernel, (unsigned)ib_cuda_min(n, 65536), IB_CUDA_BLOCK, 0, ib_cuda_stream(dev), __VA_ARGS__);    \
            ib_cuda_launched(dev, #kernel);                                                                            \
        }                                                                                                              \
    } while (0)

/* In a kernel: those of 0 .. n - 1 that are this thread's. */
#define EACH(i, n)                                                                                                     \
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (int64_t)gridDim.x * blockDim.x)

static inline __host__ __device__ int64_t ib_cuda_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
