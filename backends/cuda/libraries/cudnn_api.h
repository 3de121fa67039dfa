/* cudnn_api.h - what the plugin knows of NVIDIA's cuDNN 9: the types and numbers of the functions in cudnn_api.def,
 * from its documentation, "API Reference", libraries cudnn_ops and cudnn_cnn. Enumerations are int. */
#ifndef IB_CUDA_CUDNN_API_H
#define IB_CUDA_CUDNN_API_H

#include <stddef.h>

#include "backends/cuda/device.h"

typedef struct ib_dnn_context *ib_dnn_handle;   /* cudnnHandle_t */
typedef struct ib_dnn_tensor_of *ib_dnn_tensor; /* cudnnTensorDescriptor_t */
typedef struct ib_dnn_filter_of *ib_dnn_filter; /* cudnnFilterDescriptor_t */
typedef struct ib_dnn_conv_of *ib_dnn_conv;     /* cudnnConvolutionDescriptor_t */

/* cudnnConvolutionFwdAlgoPerf_t, ...BwdDataAlgoPerf_t, ...BwdFilterAlgoPerf_t: their enumerations of algorithms apart,
 * one structure */
typedef struct ib_dnn_choice {
    int algo, status;
    float time;
    size_t memory;
    int determinism, math;
    int reserved[3];
} ib_dnn_choice;

/* cudnnStatus_t; 3000 .. 3999: what is asked is not supported */
enum {
    IB_DNN_SUCCESS = 0,
    IB_DNN_NOT_INITIALIZED = 1001,
    IB_DNN_BAD_PARAM = 2000,
    IB_DNN_BAD_PARAM_SHAPE_MISMATCH = 2008,
    IB_DNN_NOT_SUPPORTED = 3000,
    IB_DNN_INTERNAL_ERROR = 4000,
};

/* cudnnTensorFormat_t, cudnnDataType_t, cudnnConvolutionMode_t, cudnnDeterminism_t */
enum { IB_DNN_NCHW = 0, IB_DNN_FLOAT = 0, IB_DNN_CROSS_CORRELATION = 1, IB_DNN_DETERMINISTIC = 1 };

/* cudnnMathType_t: the default may round factors of fp32 to TF32 */
enum { IB_DNN_DEFAULT_MATH = 0, IB_DNN_FMA_MATH = 3 };

/* cudnnConvolutionFwdAlgo_t, ...BwdDataAlgo_t, ...BwdFilterAlgo_t: those that are taken, and how many there are */
enum {
    IB_DNN_FWD_IMPLICIT_GEMM = 0,
    IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM = 1,
    IB_DNN_FWD_GEMM = 2,
    IB_DNN_FWD_WINOGRAD = 6,
    IB_DNN_DATA_1 = 1,
    IB_DNN_DATA_WINOGRAD = 4,
    IB_DNN_FILTER_1 = 1,
    IB_DNN_MOST_ALGOS = 8,
};

/* A version is 10000 major + 100 minor + patch. */
enum { IB_DNN_LEAST_VERSION = 90000 };

typedef struct ib_cudnn {
#define FUNCTION(result, name, args) result(*name) args;
#include "backends/cuda/libraries/cudnn_api.def"
#undef FUNCTION
} ib_cudnn;

#endif
