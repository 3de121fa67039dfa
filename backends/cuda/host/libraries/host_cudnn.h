/* host_cudnn.h - inside what stands in for cuDNN on the host: its descriptions. */
#ifndef IB_CUDA_HOST_CUDNN_H
#define IB_CUDA_HOST_CUDNN_H

#include "backends/cuda/host/libraries/host_libraries.h"
#include "backends/cuda/libraries/cudnn_api.h"

extern "C" {
#pragma GCC visibility push(default)
#define FUNCTION(result, name, args) result name args;
#include "backends/cuda/libraries/cudnn_api.def"
#undef FUNCTION
extern unsigned long ib_host_cudnn_calls; /* convolutions that were begun */
#pragma GCC visibility pop
}

enum { IB_HOST_DNN = 0xD22, IB_HOST_DNN_ROOM = 8192 };

struct ib_dnn_context {
    int known;
    cudaStream_t stream;
};
struct ib_dnn_tensor_of {
    bool is_set;
    int n, c, h, w;
};
struct ib_dnn_filter_of {
    bool is_set;
    int k, c, h, w;
};
struct ib_dnn_conv_of {
    bool is_set;
    int pad_h, pad_w, stride_h, stride_w, groups, math;
};

static inline bool ib_host_knows(ib_dnn_handle handle)
{
    return handle && handle->known == IB_HOST_DNN;
}

/* Whether these four belong together: a status. */
int ib_host_conv_fits(ib_dnn_handle handle, ib_dnn_tensor x, ib_dnn_filter w, ib_dnn_conv c, ib_dnn_tensor y);

#endif
