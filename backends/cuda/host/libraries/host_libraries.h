/* host_libraries.h - what stands in for NVIDIA's libraries on the host has in common. */
#ifndef IB_CUDA_HOST_LIBRARIES_H
#define IB_CUDA_HOST_LIBRARIES_H

#include "backends/cuda/host/host_inner.h"

/* What becomes of a factor: nothing; 10 bits behind the point, or 7, ties to even. */
typedef enum ib_host_rounding { IB_HOST_EXACT, IB_HOST_TF32, IB_HOST_BF16 } ib_host_rounding;

static inline float ib_host_rounded(float x, ib_host_rounding how)
{
    const int drop = how == IB_HOST_TF32 ? 13 : 16;
    if (how == IB_HOST_EXACT || !isfinite(x))
        return x;
    return ib_host_float(ib_host_drop(ib_host_bits(x), drop) << drop);
}

/* What an algorithm gives whose sums are in no fixed order: now and then a neighbour. */
static inline float ib_host_varied(float sum)
{
    return ib_host_draw(2) ? nextafterf(sum, INFINITY) : sum;
}

typedef struct ib_host_operand {
    const void *p;
    size_t bytes;
} ib_host_operand;

/* Memory that is not the device's breaks it, as a kernel's access would. */
static inline void ib_host_look_at_operands(const char *call, const std::vector<ib_host_operand> &operands)
{
    for (size_t i = 0; i < operands.size(); i++)
        if (operands[i].bytes && !ib_host_is_device(operands[i].p, operands[i].bytes))
            ib_host_break(cudaErrorIllegalAddress, "%s: operand %zu, %p with %zu bytes, is no memory of the device",
                          call, i + 1, operands[i].p, operands[i].bytes);
}

/* Queues the work, as a kernel; false: it is no stream. */
static inline bool ib_host_begin_library(const char *call, const std::vector<ib_host_operand> &operands,
                                         cudaStream_t stream, std::function<void()> work)
{
    IB_HOST_CALL();
    ib_host_look_at_operands(call, operands);
    if (ib_host_broken())
        return true; /* what stays is said where the device is looked at */
    return ib_host_queue(stream, {IB_HOST_KERNEL, 0,
                                  [work] {
                                      work();
                                      return true;
                                  },
                                  [call, operands] { ib_host_look_at_operands(call, operands); }}) == cudaSuccess;
}

#endif
