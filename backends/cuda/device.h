/* device.h - inside the CUDA plugin: a device, and what its families of kernels (*.cu) call. C and C++. */
#ifndef IB_BACKENDS_CUDA_DEVICE_H
#define IB_BACKENDS_CUDA_DEVICE_H

#ifdef IB_CUDA_HOST
#include "backends/cuda/host/host_api.h"
#else
#include <cuda_runtime_api.h>
#endif

#include <stdint.h>

#include <isobit/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All kernels are begun there. */
cudaStream_t ib_cuda_stream(ib_device *dev);

/* Device memory between two kernels of one call: sums of parts, the sum so far; an index, or IB_CUDA_NOTHING, which is
 * beyond all of them (bytes 0x7F). */
#ifdef IB_CUDA_HOST
enum { IB_CUDA_SUMS = 64 }; /* few, so that tests have sums of more */
#else
enum { IB_CUDA_SUMS = 16384 };
#endif
#define IB_CUDA_NOTHING 0x7F7F7F7F7F7F7F7F
typedef struct ib_cuda_work_space {
    double parts[IB_CUDA_SUMS];
    double total;
    long long found;
} ib_cuda_work_space;
ib_cuda_work_space *ib_cuda_work(ib_device *dev);

/* What a device could not do, with CUDA's own words where `error` is one: the first stays (ib_device.failure). */
void ib_cuda_break(ib_device *dev, cudaError_t error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Behind each launch: whether it was accepted. */
void ib_cuda_launched(ib_device *dev, const char *kernel);

/* Words of fp32 that conv2d_grads wants as scratch (conv.cu). */
struct ib_window;
int64_t ib_cuda_conv2d_grads_words(const struct ib_window *s);

#ifdef __cplusplus
}
#endif

#endif
