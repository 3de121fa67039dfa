/* extremes.cuh - the least and the largest of many numbers, which many blocks find: they do not depend on an order.
 *
 * Between begin_extremes and end_extremes the two places hold integers that are ordered as the numbers are, so that
 * atomic operations widen them; -0 is less than 0. A NaN is passed over, or told by widen_to_nan. */
#ifndef IB_CUDA_EXTREMES_CUH
#define IB_CUDA_EXTREMES_CUH

#include "backends/cuda/kernels/family.cuh"

/* Its own inverse. */
static __device__ int32_t order_of(int32_t bits)
{
    return bits ^ (bits >> 31 & INT32_MAX);
}

static __device__ void widen(float *lo, float *hi, float least, float most)
{
    if (least == least)
        atomicMin((int32_t *)(void *)lo, order_of((int32_t)ib_bits_of(least)));
    if (most == most)
        atomicMax((int32_t *)(void *)hi, order_of((int32_t)ib_bits_of(most)));
}

/* Both become NaN, whatever else is found. */
static __device__ void widen_to_nan(float *lo, float *hi)
{
    atomicMin((int32_t *)(void *)lo, INT32_MIN);
    atomicMax((int32_t *)(void *)hi, INT32_MAX);
}

/* Of a warp, by all of its threads. */
static __device__ void least_and_most(float *least, float *most)
{
    for (int by = 16; by; by /= 2) {
        const float c = __shfl_xor_sync(0xFFFFFFFF, *least, by), d = __shfl_xor_sync(0xFFFFFFFF, *most, by);
        *least = c < *least ? c : *least;
        *most = d > *most ? d : *most;
    }
}

/* By all threads of a warp. */
static __device__ void widen_by_warp(float *lo, float *hi, float least, float most)
{
    least_and_most(&least, &most);
    if (threadIdx.x % 32 == 0)
        widen(lo, hi, least, most);
}

static __global__ void begin_extremes_kernel(float *lo, float *hi)
{
    *(int32_t *)(void *)lo = order_of((int32_t)ib_bits_of(INFINITY));
    *(int32_t *)(void *)hi = order_of((int32_t)ib_bits_of(-INFINITY));
}

static void begin_extremes(ib_device *dev, float *lo, float *hi)
{
    IB_LAUNCH(begin_extremes_kernel, 1, 1, 0, ib_cuda_stream(dev), lo, hi);
    ib_cuda_launched(dev, "begin_extremes_kernel");
}

static __global__ void end_extremes_kernel(float *lo, float *hi)
{
    const float least = ib_float_of((uint32_t)order_of(*(int32_t *)(void *)lo));
    const float most = ib_float_of((uint32_t)order_of(*(int32_t *)(void *)hi));
    *lo = least == least ? least : NAN;
    *hi = most == most ? most : NAN;
}

static void end_extremes(ib_device *dev, float *lo, float *hi)
{
    IB_LAUNCH(end_extremes_kernel, 1, 1, 0, ib_cuda_stream(dev), lo, hi);
    ib_cuda_launched(dev, "end_extremes_kernel");
}

#endif
