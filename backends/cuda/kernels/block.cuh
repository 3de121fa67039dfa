/* block.cuh - what the threads of a block do together: sums in the order of plain C, questions, the first fault. */
#ifndef IB_CUDA_BLOCK_CUH
#define IB_CUDA_BLOCK_CUH

#include "backends/cuda/kernels/family.cuh"

/* A sum is the sum, in order, of the sums of so many elements: IB_BLOCK of backends/cpu/level.h. A block of threads
 * sums so many at a time, in their order, and one thread then adds what blocks have found, in theirs. */
enum { SUM_OF = 4096 };

/* What becomes of a sum. */
typedef struct sum_end {
    float *y; /* the sum / by, or NULL */
    double by;
    double *add; /* grows by the sum, or NULL */
} sum_end;

static __device__ void end_sum(const sum_end *end, double total)
{
    if (end->y)
        *end->y = (float)(total / end->by);
    if (end->add)
        *end->add += total;
}

/* In a kernel with `parts` and `end`: parts[p] = sum of `term` over i = p * SUM_OF ...; all threads of a block make
 * terms, which its thread 0 adds. Where there is one part, it is the sum. */
#define PART_SUMS(n, term)                                                                                             \
    __shared__ double terms[IB_CUDA_BLOCK];                                                                            \
    for (int64_t p = blockIdx.x; p * SUM_OF < (n); p += gridDim.x) {                                                   \
        const int64_t to = ib_cuda_min(n, (p + 1) * SUM_OF);                                                           \
        double sum = 0;                                                                                                \
        for (int64_t first = p * SUM_OF; first < to; first += IB_CUDA_BLOCK) {                                         \
            const int64_t i = first + threadIdx.x;                                                                     \
            if (i < to)                                                                                                \
                terms[threadIdx.x] = term;                                                                             \
            __syncthreads();                                                                                           \
            for (int t = 0; !threadIdx.x && t < IB_CUDA_BLOCK && first + t < to; t++)                                  \
                sum += terms[t];                                                                                       \
            __syncthreads();                                                                                           \
        }                                                                                                              \
        if (!threadIdx.x)                                                                                              \
            parts[p] = sum;                                                                                            \
        if (!threadIdx.x && (n) <= SUM_OF)                                                                             \
            end_sum(&end, 0.0 + sum);                                                                                  \
    }

/* One block: behind what *total holds, or from 0 on, n parts; `end`, if these are the last. */
static __global__ void add_parts_kernel(const double *parts, int64_t n, double *total, int begins, sum_end end)
{
    __shared__ double some[IB_CUDA_BLOCK];
    double sum = begins ? 0 : *total;
    for (int64_t first = 0; first < n; first += IB_CUDA_BLOCK) {
        if (first + threadIdx.x < n)
            some[threadIdx.x] = parts[first + threadIdx.x];
        __syncthreads();
        for (int t = 0; !threadIdx.x && t < IB_CUDA_BLOCK && first + t < n; t++)
            sum += some[t];
        __syncthreads();
    }
    if (!threadIdx.x) {
        *total = sum;
        end_sum(&end, sum);
    }
}

/* From part number `from` on. */
static void add_parts(ib_device *dev, int64_t from, int64_t n, bool is_last, sum_end end)
{
    double *parts = ib_cuda_work(dev)->parts, *total = &ib_cuda_work(dev)->total;
    IB_LAUNCH(add_parts_kernel, 1, IB_CUDA_BLOCK, 0, ib_cuda_stream(dev), parts, n, total, from == 0,
              is_last ? end : sum_end{});
    ib_cuda_launched(dev, "add_parts_kernel");
}

/* kernel<<<...>>>(from, n, parts, end, arguments), as often as the room for parts asks for: over n elements from the
 * element `from` on, of which PART_SUMS makes the sums. */
#define BEGIN_SUM(dev, kernel, all, end, ...)                                                                          \
    for (int64_t from_ = 0; from_ == 0 || from_ < (all); from_ += (int64_t)SUM_OF * IB_CUDA_SUMS) {                    \
        const int64_t n_ = ib_cuda_min((all)-from_, (int64_t)SUM_OF * IB_CUDA_SUMS);                                   \
        const int64_t parts_ = (n_ + SUM_OF - 1) / SUM_OF;                                                             \
        BEGIN_BLOCKS(dev, kernel, parts_, from_, n_, ib_cuda_work(dev)->parts, (all) <= SUM_OF ? (end) : sum_end{},    \
                     __VA_ARGS__);                                                                                     \
        if ((all) <= 0 || (all) > SUM_OF)                                                                              \
            add_parts(dev, from_, parts_, from_ + n_ >= (all), end);                                                   \
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

/* In a kernel: lanes[n] = the sums of `term` over i = 0 .. count - 1 by i % n, each in order, known to all threads. A
 * thread adds what all have made for its lane; n divides a block. */
#define LANE_SUMS(count, n, term)                                                                                      \
    __shared__ float terms[IB_CUDA_BLOCK];                                                                             \
    __shared__ double lanes[n];                                                                                        \
    double mine = 0;                                                                                                   \
    for (int64_t first = 0; first < (count); first += IB_CUDA_BLOCK) {                                                 \
        const int64_t i = first + threadIdx.x;                                                                         \
        if (i < (count))                                                                                               \
            terms[threadIdx.x] = term;                                                                                 \
        __syncthreads();                                                                                               \
        for (int t = threadIdx.x; threadIdx.x < (n) && t < IB_CUDA_BLOCK && first + t < (count); t += (n))             \
            mine += terms[t];                                                                                          \
        __syncthreads();                                                                                               \
    }                                                                                                                  \
    if (threadIdx.x < (n))                                                                                             \
        lanes[threadIdx.x] = mine;                                                                                     \
    __syncthreads();

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

/* The least index of all blocks' threads, where one has found something: work.found, which holds IB_CUDA_NOTHING before
 * the kernel, and which the kernel behind it empties again. */
static __device__ void find_least(long long *found, int64_t mine, int64_t n)
{
    const int64_t least = ib_cuda_least(mine);
    if (!threadIdx.x && least < n)
        atomicMin(found, (long long)least);
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
