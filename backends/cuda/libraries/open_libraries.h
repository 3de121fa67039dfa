/* open_libraries.h - inside the CUDA plugin: what a device keeps of NVIDIA's libraries. */
#ifndef IB_CUDA_OPEN_LIBRARIES_H
#define IB_CUDA_OPEN_LIBRARIES_H

#include "backends/cuda/inner.h"
#include "backends/cuda/libraries/cublaslt.h"
#include "backends/cuda/libraries/cudnn_api.h"

/* ISOBIT_CUDA_MATH: own kernels alone; factors of fp32 products as they are, rounded to TF32, to bfloat16. */
typedef enum ib_cuda_math { IB_CUDA_OWN, IB_CUDA_FP32, IB_CUDA_TF32, IB_CUDA_BF16 } ib_cuda_math;

/* Plans that are kept, the last so many. */
enum { IB_CUDA_PLANS = 256 };
/* Of device memory, for one product or convolution at a time. */
enum { IB_CUDA_WORKSPACE = 32 << 20 };

typedef struct ib_cuda_libraries {
    ib_cuda_math math;
    void *workspace;
    ib_cublaslt blas;
    ib_lt_handle blas_handle; /* NULL: cuBLASLt does not serve */
    struct ib_cuda_product_plan *products;
    int64_t n_products; /* so many were made */
    ib_cudnn dnn;
    ib_dnn_handle dnn_handle; /* NULL: cuDNN does not serve */
    struct ib_cuda_conv_plan *convs;
    int64_t n_convs;
} ib_cuda_libraries;

/* Finds and opens them as the environment says, and notes which serve in base.products. */
ib_status ib_cuda_libraries_open(ib_cuda *d, const char *asked);
void ib_cuda_libraries_close(ib_cuda *d);

/* products.c, convolutions.c: rooms for plans; what is in them goes. */
ib_status ib_cuda_products_open(ib_cuda *d);
void ib_cuda_products_close(ib_cuda *d);
ib_status ib_cuda_convolutions_open(ib_cuda *d);
void ib_cuda_convolutions_close(ib_cuda *d);

/* find_library.c: opens the first file of these names (NULL behind the last) that is found and writes where it lies, or
 * returns NULL. */
void *ib_cuda_find_library(ib_cuda *d, const char *const *names, char *path, size_t bytes);

/* Text by the library's own numbers. */
int ib_cuda_write(ib_cuda *d, char *to, size_t bytes, const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
