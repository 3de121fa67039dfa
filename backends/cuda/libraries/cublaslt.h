/* cublaslt.h - what the plugin knows of NVIDIA's cuBLASLt 12 and 13: the types and numbers of the functions in
 * cublaslt.def, from the documentation "cuBLAS", chapter "Using the cuBLASLt API", of CUDA 13. Matrices lie column by
 * column. Enumerations are int. */
#ifndef IB_CUDA_CUBLASLT_H
#define IB_CUDA_CUBLASLT_H

#include <stddef.h>
#include <stdint.h>

#include "backends/cuda/device.h"

typedef struct ib_lt_context *ib_lt_handle; /* cublasLtHandle_t */
typedef struct ib_lt_product *ib_lt_desc;   /* cublasLtMatmulDesc_t */
typedef struct ib_lt_matrix *ib_lt_layout;  /* cublasLtMatrixLayout_t */
typedef struct ib_lt_wishes *ib_lt_wish;    /* cublasLtMatmulPreference_t */
typedef struct ib_lt_algo {
    uint64_t data[8];
} ib_lt_algo; /* cublasLtMatmulAlgo_t */
typedef struct ib_lt_choice {
    ib_lt_algo algo;
    size_t workspace;
    int state; /* a status */
    float waves;
    int reserved[4];
} ib_lt_choice; /* cublasLtMatmulHeuristicResult_t */

/* cublasStatus_t */
enum {
    IB_LT_SUCCESS = 0,
    IB_LT_NOT_INITIALIZED = 1,
    IB_LT_INVALID_VALUE = 7,
    IB_LT_NOT_SUPPORTED = 15,
};

/* cudaDataType_t, cublasComputeType_t, cublasOperation_t */
enum { IB_LT_R_32F = 0, IB_LT_R_8I = 3, IB_LT_R_32I = 10 };
enum {
    IB_LT_COMPUTE_32F = 68,
    IB_LT_COMPUTE_32I = 72,
    IB_LT_COMPUTE_32F_FAST_16BF = 75,
    IB_LT_COMPUTE_32F_FAST_TF32 = 77,
};
enum { IB_LT_OP_N = 0, IB_LT_OP_T = 1 };

/* cublasLtMatmulDescAttributes_t, of int32_t */
enum { IB_LT_DESC_TRANSA = 3, IB_LT_DESC_TRANSB = 4 };

/* cublasLtMatmulPreferenceAttributes_t: uint64_t, the others uint32_t */
enum {
    IB_LT_PREF_MAX_WORKSPACE_BYTES = 1,
    IB_LT_PREF_REDUCTION_SCHEME_MASK = 3,
    IB_LT_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    IB_LT_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    IB_LT_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    IB_LT_PREF_MIN_ALIGNMENT_D_BYTES = 8,
};

/* cublasLtReductionScheme_t: parts of a sum lie in the workspace and are added in a step of their own */
enum { IB_LT_REDUCTION_COMPUTE_TYPE = 2 };

/* A version is 10000 major + 100 minor + patch. */
enum { IB_LT_LEAST_VERSION = 120000 };

typedef struct ib_cublaslt {
#define FUNCTION(result, name, args) result(*name) args;
#include "backends/cuda/libraries/cublaslt.def"
#undef FUNCTION
} ib_cublaslt;

#endif
