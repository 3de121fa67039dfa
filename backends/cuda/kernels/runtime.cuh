/* runtime.cuh - the functions of runtime/isobit_rt.h, on the device too. That file is plain C99, which programs for
 * targets are made of word for word: it cannot say so itself. */
#ifndef IB_CUDA_RUNTIME_CUH
#define IB_CUDA_RUNTIME_CUH

#include <stdint.h>

#include "backends/cuda/launch.cuh"

#define static __host__ __device__ static
#include "runtime/isobit_rt.h"
#undef static

#endif
