/* host_cudnn.cpp - what stands in for cuDNN on the host: the functions of libraries/cudnn_api.def that describe and
 * choose, which look at each argument as the library does and refuse by its numbers; convolutions are in
 * host_cudnn_conv.cpp. The heuristic's first choices are those that must not be taken. */
#include "backends/cuda/host/libraries/host_cudnn.h"

#ifndef IB_HOST_LIBRARY_VERSION
#define IB_HOST_LIBRARY_VERSION 92800
#endif

size_t cudnnGetVersion(void)
{
    return IB_HOST_LIBRARY_VERSION;
}

int cudnnCreate(ib_dnn_handle *handle)
{
    if (!handle)
        return IB_DNN_BAD_PARAM;
    *handle = new ib_dnn_context{IB_HOST_DNN, NULL};
    return IB_DNN_SUCCESS;
}

int cudnnDestroy(ib_dnn_handle handle)
{
    if (handle && !ib_host_knows(handle))
        return IB_DNN_BAD_PARAM;
    delete handle;
    return IB_DNN_SUCCESS;
}

int cudnnSetStream(ib_dnn_handle handle, cudaStream_t stream)
{
    if (!ib_host_knows(handle))
        return IB_DNN_BAD_PARAM;
    handle->stream = stream;
    return IB_DNN_SUCCESS;
}

/* ---- descriptions ---- */

template <typename T> static int create(T **to)
{
    if (!to)
        return IB_DNN_BAD_PARAM;
    *to = new T{};
    return IB_DNN_SUCCESS;
}

template <typename T> static int destroy(T *p)
{
    delete p;
    return IB_DNN_SUCCESS;
}

int cudnnCreateTensorDescriptor(ib_dnn_tensor *t)
{
    return create(t);
}

int cudnnDestroyTensorDescriptor(ib_dnn_tensor t)
{
    return destroy(t);
}

int cudnnCreateFilterDescriptor(ib_dnn_filter *f)
{
    return create(f);
}

int cudnnDestroyFilterDescriptor(ib_dnn_filter f)
{
    return destroy(f);
}

int cudnnCreateConvolutionDescriptor(ib_dnn_conv *conv)
{
    return create(conv);
}

int cudnnDestroyConvolutionDescriptor(ib_dnn_conv conv)
{
    return destroy(conv);
}

/* Of at least one element, and less than 2^31. */
static int look_at_shape(int a, int b, int c, int d)
{
    if (a < 1 || b < 1 || c < 1 || d < 1)
        return IB_DNN_BAD_PARAM;
    const bool fits =
        (int64_t)a * b <= INT32_MAX && (int64_t)a * b * c <= INT32_MAX && (int64_t)a * b * c <= INT32_MAX / d;
    return fits ? IB_DNN_SUCCESS : IB_DNN_NOT_SUPPORTED;
}

int cudnnSetTensor4dDescriptor(ib_dnn_tensor t, int format, int type, int n, int c, int h, int w)
{
    const int status = t ? look_at_shape(n, c, h, w) : IB_DNN_BAD_PARAM;
    if (status || format != IB_DNN_NCHW || type != IB_DNN_FLOAT)
        return status ? status : IB_DNN_BAD_PARAM; /* others are not here */
    *t = {true, n, c, h, w};
    return IB_DNN_SUCCESS;
}

int cudnnSetFilter4dDescriptor(ib_dnn_filter f, int type, int format, int k, int c, int h, int w)
{
    const int status = f ? look_at_shape(k, c, h, w) : IB_DNN_BAD_PARAM;
    if (status || format != IB_DNN_NCHW || type != IB_DNN_FLOAT)
        return status ? status : IB_DNN_BAD_PARAM;
    *f = {true, k, c, h, w};
    return IB_DNN_SUCCESS;
}

int cudnnSetConvolution2dDescriptor(ib_dnn_conv conv, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h,
                                    int dilation_w, int mode, int compute)
{
    if (!conv)
        return IB_DNN_BAD_PARAM;
    if (pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1)
        return IB_DNN_BAD_PARAM;
    if (dilation_h != 1 || dilation_w != 1 || mode != IB_DNN_CROSS_CORRELATION || compute != IB_DNN_FLOAT)
        return IB_DNN_NOT_SUPPORTED; /* here */
    *conv = {true, pad_h, pad_w, stride_h, stride_w, 1, IB_DNN_DEFAULT_MATH};
    return IB_DNN_SUCCESS;
}

int cudnnSetConvolutionGroupCount(ib_dnn_conv conv, int groups)
{
    if (!conv || groups < 1)
        return IB_DNN_BAD_PARAM;
    conv->groups = groups;
    return IB_DNN_SUCCESS;
}

int cudnnSetConvolutionMathType(ib_dnn_conv conv, int math)
{
    if (!conv || (math != IB_DNN_DEFAULT_MATH && math != IB_DNN_FMA_MATH))
        return IB_DNN_BAD_PARAM;
    conv->math = math;
    return IB_DNN_SUCCESS;
}

int ib_host_conv_fits(ib_dnn_handle handle, ib_dnn_tensor x, ib_dnn_filter w, ib_dnn_conv c, ib_dnn_tensor y)
{
    if (!ib_host_knows(handle))
        return IB_DNN_BAD_PARAM;
    if (!x || !w || !c || !y)
        return IB_DNN_BAD_PARAM;
    if (!x->is_set || !w->is_set || !c->is_set || !y->is_set)
        return IB_DNN_BAD_PARAM;
    const bool fits = x->n == y->n && x->c == w->c * c->groups && y->c == w->k && w->k % c->groups == 0 &&
                      x->h + 2 * c->pad_h >= w->h && x->w + 2 * c->pad_w >= w->w &&
                      y->h == (x->h + 2 * c->pad_h - w->h) / c->stride_h + 1 &&
                      y->w == (x->w + 2 * c->pad_w - w->w) / c->stride_w + 1;
    return fits ? IB_DNN_SUCCESS : IB_DNN_BAD_PARAM_SHAPE_MISMATCH;
}

/* ---- choices, the fastest first ---- */

enum { DETERMINISTIC = 1, HUGE_ROOM = 1 << 30 };
static const ib_dnn_choice forward[] = {
    {4, 0, 1, 0, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}}, /* by Fourier transforms */
    {IB_DNN_FWD_GEMM, 0, 2, HUGE_ROOM, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}},
    {IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM, 0, 3, IB_HOST_DNN_ROOM, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}},
};
static const ib_dnn_choice data[] = {
    {0, 0, 1, 0, 0, IB_DNN_FMA_MATH, {0, 0, 0}}, /* by atomic sums */
    {IB_DNN_DATA_WINOGRAD, IB_DNN_NOT_SUPPORTED, -1, 0, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}},
    {IB_DNN_DATA_1, 0, 2, IB_HOST_DNN_ROOM, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}},
};
static const ib_dnn_choice filter[] = {
    {3, 0, 1, 0, 0, IB_DNN_FMA_MATH, {0, 0, 0}}, /* by atomic sums */
    {IB_DNN_FILTER_1, 0, 2, HUGE_ROOM, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}},
    {IB_DNN_FILTER_1, 0, 3, IB_HOST_DNN_ROOM, DETERMINISTIC, IB_DNN_FMA_MATH, {0, 0, 0}},
};

/* Where the default math is asked for, each with TF32 before that without. */
static int list(const ib_dnn_choice *of, int n, int math, int wanted, int *found, ib_dnn_choice *choices)
{
    if (!found || !choices)
        return IB_DNN_BAD_PARAM;
    if (wanted < 1)
        return IB_DNN_BAD_PARAM;
    *found = 0;
    for (int i = 0; i < n; i++)
        for (int m = math == IB_DNN_DEFAULT_MATH ? 0 : 1; m < 2 && *found < wanted; m++) {
            choices[*found] = of[i];
            choices[(*found)++].math = m ? IB_DNN_FMA_MATH : IB_DNN_DEFAULT_MATH;
        }
    return IB_DNN_SUCCESS;
}

int cudnnGetConvolutionForwardAlgorithm_v7(ib_dnn_handle handle, ib_dnn_tensor x, ib_dnn_filter w, ib_dnn_conv conv,
                                           ib_dnn_tensor y, int wanted, int *found, ib_dnn_choice *choices)
{
    const int status = ib_host_conv_fits(handle, x, w, conv, y);
    return status ? status : list(forward, 3, conv->math, wanted, found, choices);
}

int cudnnGetConvolutionBackwardDataAlgorithm_v7(ib_dnn_handle handle, ib_dnn_filter w, ib_dnn_tensor dy,
                                                ib_dnn_conv conv, ib_dnn_tensor dx, int wanted, int *found,
                                                ib_dnn_choice *choices)
{
    const int status = ib_host_conv_fits(handle, dx, w, conv, dy);
    return status ? status : list(data, 3, conv->math, wanted, found, choices);
}

int cudnnGetConvolutionBackwardFilterAlgorithm_v7(ib_dnn_handle handle, ib_dnn_tensor x, ib_dnn_tensor dy,
                                                  ib_dnn_conv conv, ib_dnn_filter dw, int wanted, int *found,
                                                  ib_dnn_choice *choices)
{
    const int status = ib_host_conv_fits(handle, x, dw, conv, dy);
    return status ? status : list(filter, 3, conv->math, wanted, found, choices);
}
