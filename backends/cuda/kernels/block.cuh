/* block.cuh - what the threads of a block do together: sums in the order of plain C, questions, the first fault. */
#ifndef IB_CUDA_BLOCK_CUH
#define IB_CUDA_BLOCK_CUH

#include "backends/cuda/kernels/family.cuh"

/* A sum is the sum, in order, of the sums of so many elements, each by one thread: IB_BLOCK of backends/cpu/level.h. */
enum { SUM_OF = 4096 };

/* In a kernel of one block: total = sum of `term` over i = 0 .. n - 1, known to thread 0. */
#define BLOCK_SUM(n, term)                                                                                             \
    __shared__ double part[IB_CUDA_BLOCK];                                                                             \
    double total = 0;                                                                                                  \
    for (int64_t first = 0; first < n; first += (int64_t)SUM_OF * IB_CUDA_BLOCK) {                                     \
        const int64_t from = ib_cuda_min(n, first + (int64_t)SUM_OF * threadIdx.x);                                    \
        const int64_t to = ib_cuda_min(n, from + SUM_OF);                                                              \
        double sum = 0;                                                                                                \
        for (int64_t i = from; i < to; i++)                                                                            \
            sum += term;                                                                                               \
        part[threadIdx.x] = sum;                                                                                       \
        __syncthreads();                                                                                               \
        for (int t = 0; !threadIdx.x && t < IB_CUDA_BLOCK && first + (int64_t)SUM_OF * t < n; t++)                     \
            total += part[t];                                                                                          \
        __syncthreads();                                                                                               \
    }

/* In a kernel: total = sum of `term` over i = from .. to - 1, one after the other, known to thread 0. All threads make
 * terms, which thread 0 adds. */
#define ORDERED_SUM(from, to, term)                                                                                    \
    __shared__ float terms[IB_CUDA_BLOCK];                                                                             \
    double total = 0;                                                                                                  \
    for (int64_t first = (from); first < (to); first += IB_CUDA_BLOCK) {                                               \
        const int64_t i = first + threadIdx.x;                                                                         \
        if (i < (to))                                                                                                  \
            terms[threadIdx.x] = term;                                                                                 \
        __syncthreads();                                                                                               \
        for (int t = 0; !threadIdx.x && t < IB_CUDA_BLOCK && first + t < (to); t++)                                    \
            total += terms[t];                                                                                         \
        __syncthreads();                                                                                               \
    }

/* In a kernel of one block: those of 0 .. n - 1 that are this thread's. */
#define EACH_OF_BLOCK(i, n) for (int64_t i = threadIdx.x; i < (n); i += blockDim.x)

/* The least of all threads' values. */
static __device__ int64_t ib_cuda_least(int64_t mine)
{
    __shared__ long long least;
    __syncthreads(); /* the least before is known to all */
    if (!threadIdx.x)
        least = INT64_MAX;
    __syncthreads();
    if (mine < INT64_MAX)
        atomicMin(&least, (long long)mine);
    __syncthreads();
    return (int64_t)least;
}

/* A thread that looks at its indices in their order raises into a fault of its own: the site of that. */
static __device__ ib_site ib_cuda_own(ib_site at, ib_fault *mine)
{
    at.fault = mine;
    return at;
}

/* Of all threads' faults that of the least index, which a serial loop finds first, is then raised where it belongs.
 * Returns that index, or INT64_MAX. */
static __device__ int64_t ib_cuda_raise_first(ib_site at, const ib_fault *mine)
{
    const int64_t first = ib_cuda_least(mine->kind ? mine->index : INT64_MAX);
    if (mine->kind && mine->index == first && !at.fault->kind)
        *at.fault = *mine;
    return first;
}

#endif
