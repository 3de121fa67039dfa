/* launch.cuh - CUDA by nvcc, or on the host (host/host_language.h), and what is written otherwise there: launches and
 * dynamic shared memory. */
#ifndef IB_CUDA_LAUNCH_CUH
#define IB_CUDA_LAUNCH_CUH

#ifdef __CUDACC__
#include <cuda_runtime.h>

#define IB_LAUNCH(kernel, grid, block, shared, stream, ...) kernel<<<grid, block, shared, stream>>>(__VA_ARGS__)
#define IB_SHARED(type, name)                                                                                          \
    extern __shared__ __align__(16) unsigned char ib_dynamic_shared[];                                                 \
    type *name = (type *)ib_dynamic_shared
#else
#include "backends/cuda/host/host_language.h"

#define IB_LAUNCH(kernel, grid, block, shared, stream, ...)                                                            \
    ib_host_launch(#kernel, grid, block, shared, stream, kernel, __VA_ARGS__)
#define IB_SHARED(type, name) type *name = (type *)ib_host_dynamic_shared()
#endif

#endif
