/* test_host_libraries.cpp - what stands in for cuBLASLt and cuDNN on the host (backends/cuda/host/libraries) refuses
 * what the libraries refuse, by their numbers, and computes late. Broken by: an argument that is not looked at. */
#include <CUnit/Basic.h>
#include <stdio.h>

#include "backends/cuda/host/libraries/host_cudnn.h"
#include "backends/cuda/libraries/cublaslt.h"

extern "C" {
#define FUNCTION(result, name, args) result name args;
#include "backends/cuda/libraries/cublaslt.def"
#undef FUNCTION
}

#define CHECK(condition) CU_ASSERT(condition)
#define IS(call, status)                                                                                               \
    do {                                                                                                               \
        const int got = (call);                                                                                        \
        if (got != (status))                                                                                           \
            printf("\n    line %d: %s is %d, not %d\n", __LINE__, #call, got, (int)(status));                          \
        CU_ASSERT(got == (status));                                                                                    \
    } while (0)
#define GOOD(call) CU_ASSERT_FATAL((call) == 0)

static cudaStream_t stream;

static float *on_device(size_t numbers)
{
    void *p = NULL;
    GOOD(cudaMallocAsync(&p, numbers * 4, stream));
    GOOD(cudaMemsetAsync(p, 0, numbers * 4, stream));
    return (float *)p;
}

/* ---- cuBLASLt ---- */

typedef struct product {
    ib_lt_handle lt;
    ib_lt_desc desc;
    ib_lt_layout a, b, d;
    ib_lt_wish wish;
    ib_lt_choice choice;
    int found;
} product;

/* d[m][n] of fp32 or of codes, op(a) as stored or transposed. */
static product describe(int codes, uint64_t m, uint64_t n, uint64_t k, int32_t op)
{
    product p = {};
    const uint64_t room = 1 << 20;
    const uint32_t four = 4, scheme = IB_LT_REDUCTION_COMPUTE_TYPE;
    const int in = codes ? IB_LT_R_8I : IB_LT_R_32F, out = codes ? IB_LT_R_32I : IB_LT_R_32F;
    GOOD(cublasLtCreate(&p.lt));
    GOOD(cublasLtMatmulDescCreate(&p.desc, codes ? IB_LT_COMPUTE_32I : IB_LT_COMPUTE_32F, out));
    GOOD(cublasLtMatmulDescSetAttribute(p.desc, IB_LT_DESC_TRANSA, &op, sizeof op));
    const uint64_t rows = op == IB_LT_OP_T ? k : m, cols = op == IB_LT_OP_T ? m : k;
    GOOD(cublasLtMatrixLayoutCreate(&p.a, in, rows, cols, (int64_t)rows));
    GOOD(cublasLtMatrixLayoutCreate(&p.b, in, k, n, (int64_t)k));
    GOOD(cublasLtMatrixLayoutCreate(&p.d, out, m, n, (int64_t)m));
    GOOD(cublasLtMatmulPreferenceCreate(&p.wish));
    GOOD(cublasLtMatmulPreferenceSetAttribute(p.wish, IB_LT_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room));
    GOOD(cublasLtMatmulPreferenceSetAttribute(p.wish, IB_LT_PREF_REDUCTION_SCHEME_MASK, &scheme, sizeof scheme));
    for (int at = IB_LT_PREF_MIN_ALIGNMENT_A_BYTES; at <= IB_LT_PREF_MIN_ALIGNMENT_D_BYTES; at++)
        GOOD(cublasLtMatmulPreferenceSetAttribute(p.wish, at, &four, sizeof four));
    return p;
}

static int choose(product *p)
{
    return cublasLtMatmulAlgoGetHeuristic(p->lt, p->desc, p->a, p->b, p->d, p->d, p->wish, 1, &p->choice, &p->found);
}

static void release(product *p)
{
    cublasLtMatmulDescDestroy(p->desc);
    for (ib_lt_layout each : {p->a, p->b, p->d})
        cublasLtMatrixLayoutDestroy(each);
    cublasLtMatmulPreferenceDestroy(p->wish);
    cublasLtDestroy(p->lt);
}

static void descriptions_of_products(void)
{
    IS(cublasLtMatmulDescCreate(NULL, IB_LT_COMPUTE_32F, IB_LT_R_32F), IB_LT_INVALID_VALUE);
    IS(cublasLtMatrixLayoutCreate(NULL, IB_LT_R_32F, 8, 4, 8), IB_LT_INVALID_VALUE);
    product p = describe(0, 8, 4, 12, IB_LT_OP_T);
    const int32_t op = 5, good = IB_LT_OP_T;
    ib_lt_desc other = NULL;
    ib_lt_layout narrow = NULL;
    const uint32_t small = 16;
    GOOD(cublasLtMatmulDescSetAttribute(p.desc, IB_LT_DESC_TRANSA, &op, sizeof op)); /* looked at when it is used */
    IS(choose(&p), IB_LT_INVALID_VALUE);
    GOOD(cublasLtMatmulDescSetAttribute(p.desc, IB_LT_DESC_TRANSA, &good, sizeof good));
    IS(cublasLtMatmulDescSetAttribute(p.desc, IB_LT_DESC_TRANSA, &good, 8), IB_LT_INVALID_VALUE);
    IS(cublasLtMatmulPreferenceSetAttribute(p.wish, IB_LT_PREF_MAX_WORKSPACE_BYTES, &small, sizeof small),
       IB_LT_INVALID_VALUE);
    IS(cublasLtMatmulPreferenceSetAttribute(p.wish, 77, &small, sizeof small), IB_LT_INVALID_VALUE);
    IS(choose(&p), 0);
    CHECK(p.found == 1 && !p.choice.state);
    IS(cublasLtMatmulAlgoGetHeuristic(NULL, p.desc, p.a, p.b, p.d, p.d, p.wish, 1, &p.choice, &p.found),
       IB_LT_NOT_INITIALIZED);
    IS(cublasLtMatmulAlgoGetHeuristic(p.lt, p.desc, p.a, p.b, p.d, p.d, p.wish, 0, &p.choice, &p.found),
       IB_LT_INVALID_VALUE);
    IS(cublasLtMatmulAlgoGetHeuristic(p.lt, p.desc, p.b, p.a, p.d, p.d, p.wish, 1, &p.choice, &p.found),
       IB_LT_INVALID_VALUE); /* shapes that do not belong together */
    GOOD(cublasLtMatrixLayoutCreate(&narrow, IB_LT_R_32F, 12, 8, 11));
    IS(cublasLtMatmulAlgoGetHeuristic(p.lt, p.desc, narrow, p.b, p.d, p.d, p.wish, 1, &p.choice, &p.found),
       IB_LT_INVALID_VALUE);
    GOOD(cublasLtMatmulDescCreate(&other, IB_LT_COMPUTE_32I, IB_LT_R_32F));
    GOOD(cublasLtMatmulDescSetAttribute(other, IB_LT_DESC_TRANSA, &good, sizeof good));
    IS(cublasLtMatmulAlgoGetHeuristic(p.lt, other, p.a, p.b, p.d, p.d, p.wish, 1, &p.choice, &p.found),
       IB_LT_NOT_SUPPORTED);
    cublasLtMatrixLayoutDestroy(narrow);
    cublasLtMatmulDescDestroy(other);
    release(&p);
}

static void layouts_of_codes(void)
{
    const struct {
        uint64_t m, n, k;
        int32_t op;
        int status;
    } cases[] = {{8, 4, 12, IB_LT_OP_T, 0},
                 {8, 4, 12, IB_LT_OP_N, IB_LT_NOT_SUPPORTED},
                 {6, 4, 12, IB_LT_OP_T, IB_LT_NOT_SUPPORTED},
                 {8, 5, 12, IB_LT_OP_T, IB_LT_NOT_SUPPORTED},
                 {8, 4, 13, IB_LT_OP_T, IB_LT_NOT_SUPPORTED}};
    for (const auto &c : cases) {
        product p = describe(1, c.m, c.n, c.k, c.op);
        IS(choose(&p), c.status);
        release(&p);
    }
}

static void products(void)
{
    product p = describe(0, 8, 4, 12, IB_LT_OP_T), other = describe(0, 8, 8, 12, IB_LT_OP_T);
    float *a = on_device(97), *b = on_device(48), *d = on_device(32), *room = on_device(1 << 18), host[97] = {};
    const float one = 1, none = 0;
    const uint32_t sixteen = 16;
    const auto run = [&](const ib_lt_algo *algo, const float *from, const void *beta, size_t bytes, cudaStream_t s) {
        return cublasLtMatmul(p.lt, p.desc, &one, from, p.a, b, p.b, beta, d, p.d, d, p.d, algo, room, bytes, s);
    };
    GOOD(choose(&p));
    GOOD(choose(&other));
    IS(run(&p.choice.algo, a, &none, p.choice.workspace, stream), 0);
    IS(run(&p.choice.algo, a + 1, &none, p.choice.workspace, stream), 0);
    IS(run(&p.choice.algo, a, &none, p.choice.workspace - 1, stream), IB_LT_INVALID_VALUE);
    IS(run(&other.choice.algo, a, &none, 1 << 20, stream), IB_LT_INVALID_VALUE); /* of another shape */
    IS(run(&p.choice.algo, NULL, &none, 1 << 20, stream), IB_LT_INVALID_VALUE);
    IS(run(&p.choice.algo, a, NULL, 1 << 20, stream), IB_LT_INVALID_VALUE);
    IS(run(NULL, a, &none, 1 << 20, stream), IB_LT_INVALID_VALUE);
    IS(run(&p.choice.algo, a, &none, 1 << 20, NULL), IB_LT_INVALID_VALUE);
    for (int at = IB_LT_PREF_MIN_ALIGNMENT_A_BYTES; at <= IB_LT_PREF_MIN_ALIGNMENT_D_BYTES; at++)
        GOOD(cublasLtMatmulPreferenceSetAttribute(p.wish, at, &sixteen, sizeof sixteen));
    GOOD(choose(&p));
    IS(run(&p.choice.algo, a + 1, &none, 1 << 20, stream), IB_LT_NOT_SUPPORTED); /* less aligned than was promised */
    GOOD(cudaStreamSynchronize(stream));
    IS(run(&p.choice.algo, host, &none, 1 << 20, stream), 0); /* which the device would find out */
    CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
    CHECK(strstr(cudaGetErrorString(cudaErrorIllegalAddress), "cublasLtMatmul: operand 1") != NULL);
    GOOD(cudaDeviceReset());
    release(&p);
    release(&other);
}

/* They run when the stream comes to them, and parts of sums in the result are in no fixed order. */
static void products_run_late(void)
{
    product p = describe(0, 8, 4, 12, IB_LT_OP_T);
    float *a = on_device(96), *b = on_device(48), *d = on_device(32), *room = on_device(1 << 18), got[2][32];
    const float one = 1, none = 0, values[96] = {0.3f, 0.7f, 0.9f};
    const uint32_t any = 7;
    GOOD(cublasLtMatmulPreferenceSetAttribute(p.wish, IB_LT_PREF_REDUCTION_SCHEME_MASK, &any, sizeof any));
    GOOD(choose(&p));
    int differ = 0;
    for (int turn = 0; turn < 20; turn++) {
        GOOD(cublasLtMatmul(p.lt, p.desc, &one, a, p.a, b, p.b, &none, d, p.d, d, p.d, &p.choice.algo, room, 1 << 20,
                            stream));
        GOOD(cudaMemcpyAsync(got[turn > 0], d, sizeof got[0], cudaMemcpyDeviceToHost, stream));
        if (!turn) {
            CHECK(got[0][0] == 0 || got[0][0] < 1e-40f); /* behind the zeros */
            GOOD(cudaMemcpyAsync(a, values, sizeof values, cudaMemcpyHostToDevice, stream));
            GOOD(cudaMemcpyAsync(b, values, 48 * 4, cudaMemcpyHostToDevice, stream));
        } else if (turn > 1)
            differ += got[1][0] != got[0][0];
        memcpy(got[0], got[1], turn ? sizeof got[0] : 0);
    }
    CHECK(differ > 0 && differ < 19);
    release(&p);
}

/* ---- cuDNN ---- */

typedef struct conv {
    ib_dnn_handle dnn;
    ib_dnn_tensor x, y;
    ib_dnn_filter w;
    ib_dnn_conv conv;
} conv;

/* 2 x 4 x 6 x 6 by 8 x 4 x 3 x 3 with padding 1, whose result has so many rows. */
static conv describe_conv(int rows)
{
    conv c = {};
    GOOD(cudnnCreate(&c.dnn));
    GOOD(cudnnSetStream(c.dnn, stream));
    GOOD(cudnnCreateTensorDescriptor(&c.x));
    GOOD(cudnnCreateTensorDescriptor(&c.y));
    GOOD(cudnnCreateFilterDescriptor(&c.w));
    GOOD(cudnnCreateConvolutionDescriptor(&c.conv));
    GOOD(cudnnSetTensor4dDescriptor(c.x, IB_DNN_NCHW, IB_DNN_FLOAT, 2, 4, 6, 6));
    GOOD(cudnnSetTensor4dDescriptor(c.y, IB_DNN_NCHW, IB_DNN_FLOAT, 2, 8, rows, 6));
    GOOD(cudnnSetFilter4dDescriptor(c.w, IB_DNN_FLOAT, IB_DNN_NCHW, 8, 4, 3, 3));
    GOOD(cudnnSetConvolution2dDescriptor(c.conv, 1, 1, 1, 1, 1, 1, IB_DNN_CROSS_CORRELATION, IB_DNN_FLOAT));
    return c;
}

static void release_conv(conv *c)
{
    cudnnDestroyTensorDescriptor(c->x);
    cudnnDestroyTensorDescriptor(c->y);
    cudnnDestroyFilterDescriptor(c->w);
    cudnnDestroyConvolutionDescriptor(c->conv);
    cudnnDestroy(c->dnn);
}

static void descriptions_of_convolutions(void)
{
    conv c = describe_conv(6), wrong = describe_conv(5);
    ib_dnn_choice choices[IB_DNN_MOST_ALGOS];
    int found = 0;
    IS(cudnnSetTensor4dDescriptor(c.x, IB_DNN_NCHW, IB_DNN_FLOAT, 0, 4, 6, 6), IB_DNN_BAD_PARAM);
    IS(cudnnSetTensor4dDescriptor(c.x, IB_DNN_NCHW, IB_DNN_FLOAT, 1 << 20, 1 << 10, 2, 1), IB_DNN_NOT_SUPPORTED);
    IS(cudnnSetTensor4dDescriptor(c.x, 77, IB_DNN_FLOAT, 2, 4, 6, 6), IB_DNN_BAD_PARAM);
    IS(cudnnSetFilter4dDescriptor(c.w, IB_DNN_NCHW, IB_DNN_FLOAT, 8, 4, 3, -3), IB_DNN_BAD_PARAM);
    IS(cudnnSetConvolution2dDescriptor(c.conv, -1, 1, 1, 1, 1, 1, 1, 0), IB_DNN_BAD_PARAM);
    IS(cudnnSetConvolution2dDescriptor(c.conv, 1, 1, 0, 1, 1, 1, 1, 0), IB_DNN_BAD_PARAM);
    IS(cudnnSetConvolutionGroupCount(c.conv, 0), IB_DNN_BAD_PARAM);
    IS(cudnnSetConvolutionMathType(c.conv, 9), IB_DNN_BAD_PARAM);
    const auto choose = [&](const conv *of, ib_dnn_handle dnn, int wanted) {
        return cudnnGetConvolutionForwardAlgorithm_v7(dnn, of->x, of->w, of->conv, of->y, wanted, &found, choices);
    };
    IS(choose(&c, c.dnn, 8), 0);
    CHECK(found > 1 && choices[0].algo != IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM);
    IS(choose(&c, c.dnn, 0), IB_DNN_BAD_PARAM);
    IS(choose(&c, NULL, 8), IB_DNN_BAD_PARAM);
    IS(choose(&wrong, c.dnn, 8), IB_DNN_BAD_PARAM_SHAPE_MISMATCH);
    GOOD(cudnnSetConvolutionGroupCount(c.conv, 2));
    IS(choose(&c, c.dnn, 8), IB_DNN_BAD_PARAM_SHAPE_MISMATCH);
    release_conv(&c);
    release_conv(&wrong);
}

static void convolutions(void)
{
    conv c = describe_conv(6);
    float *x = on_device(288), *w = on_device(288), *y = on_device(576), *room = on_device(4096);
    const float one = 1, none = 0;
    const auto run = [&](int algo, const float *from, const float *with, const void *beta, size_t bytes) {
        return cudnnConvolutionForward(c.dnn, &one, c.x, from, c.w, with, c.conv, algo, room, bytes, beta, c.y, y);
    };
    IS(run(IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, x, w, &none, 16384), 0);
    IS(run(IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, x, w, &none, 100), IB_DNN_BAD_PARAM);
    IS(run(5, x, w, &none, 16384), IB_DNN_NOT_SUPPORTED);
    IS(run(IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, NULL, w, &none, 16384), IB_DNN_BAD_PARAM);
    IS(run(IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, x, w, NULL, 16384), IB_DNN_BAD_PARAM);
    IS(cudnnConvolutionBackwardData(c.dnn, &one, c.w, w, c.x, y, c.conv, 1, room, 16384, &none, c.y, x),
       IB_DNN_BAD_PARAM_SHAPE_MISMATCH); /* x for y */
    IS(cudnnConvolutionBackwardFilter(c.dnn, &one, c.y, y, c.x, x, c.conv, 1, room, 16384, &none, c.w, w),
       IB_DNN_BAD_PARAM_SHAPE_MISMATCH);
    GOOD(cudaStreamSynchronize(stream));
    IS(run(IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, x, w + 1, &none, 16384), 0); /* beyond its end */
    CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
    GOOD(cudaDeviceReset());
    GOOD(cudnnSetStream(c.dnn, NULL));
    x = on_device(288), w = on_device(288), y = on_device(576), room = on_device(4096);
    IS(run(IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, x, w, &none, 16384), IB_DNN_BAD_PARAM);
    GOOD(cudaDeviceReset());
    release_conv(&c);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"descriptions of products", descriptions_of_products},
                 {"layouts of codes", layouts_of_codes},
                 {"products", products},
                 {"products run late", products_run_late},
                 {"descriptions of convolutions", descriptions_of_convolutions},
                 {"convolutions", convolutions}};
    if (CU_initialize_registry() != CUE_SUCCESS || cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking))
        return 1;
    CU_pSuite suite = CU_add_suite("libraries on the host", NULL, NULL);
    for (const auto &c : cases)
        CU_add_test(suite, c.name, c.run);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    const unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
