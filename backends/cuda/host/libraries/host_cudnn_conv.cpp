/* host_cudnn_conv.cpp - convolutions of what stands in for cuDNN on the host. Sums are in the order of plain C
 * (backends/cpu/kernels/conv.c), but with algorithms that promise no order. */
#include "backends/cuda/host/libraries/host_cudnn.h"

unsigned long ib_host_cudnn_calls;

/* A call, as the stream comes to it. */
typedef struct call {
    ib_dnn_tensor_of x, y;
    ib_dnn_filter_of w;
    ib_dnn_conv_of conv;
    const float *factor, *other; /* what is multiplied */
    float *to;
    float alpha, beta;
    void *workspace;
    bool varies;
} call;

/* op(w) x at the tap (ky, kx) of output pixel (oy, ox), 0 outside the image */
static float input(const call *o, const float *plane, int oy, int ox, int ky, int kx)
{
    const int iy = oy * o->conv.stride_h - o->conv.pad_h + ky, ix = ox * o->conv.stride_w - o->conv.pad_w + kx;
    return iy >= 0 && iy < o->x.h && ix >= 0 && ix < o->x.w ? plane[iy * o->x.w + ix] : 0.0f;
}

static float factor(const call *o, float v)
{
    return ib_host_rounded(v, o->conv.math == IB_DNN_DEFAULT_MATH ? IB_HOST_TF32 : IB_HOST_EXACT);
}

static void put(const call *o, int64_t at, float sum)
{
    sum = o->varies ? ib_host_varied(sum) : sum;
    o->to[at] = (o->beta == 0 ? 0.0f : o->beta * o->to[at]) + o->alpha * sum;
}

/* y = w col: factor is x, other is w */
static void run_forward(const call *o)
{
    const int icg = o->w.c, ocg = o->w.k / o->conv.groups;
    int64_t at = 0;
    for (int i = 0; i < o->y.n; i++)
        for (int c = 0; c < o->y.c; c++)
            for (int oy = 0; oy < o->y.h; oy++)
                for (int ox = 0; ox < o->y.w; ox++, at++) {
                    const float *tap = o->other + (int64_t)c * icg * o->w.h * o->w.w;
                    float sum = 0;
                    for (int j = 0; j < icg; j++) {
                        const float *plane = o->factor + ((int64_t)i * o->x.c + c / ocg * icg + j) * o->x.h * o->x.w;
                        for (int ky = 0; ky < o->w.h; ky++)
                            for (int kx = 0; kx < o->w.w; kx++)
                                sum += factor(o, *tap++) * factor(o, input(o, plane, oy, ox, ky, kx));
                    }
                    put(o, at, sum);
                }
}

/* dx = fold(w' dy) added in the order of taps: factor is dy, other is w */
static void run_data(const call *o)
{
    const int icg = o->w.c, ocg = o->w.k / o->conv.groups;
    int64_t at = 0;
    for (int i = 0; i < o->x.n; i++)
        for (int c = 0; c < o->x.c; c++)
            for (int iy = 0; iy < o->x.h; iy++)
                for (int ix = 0; ix < o->x.w; ix++, at++) {
                    float sum = o->beta == 0 ? 0.0f : o->beta * o->to[at];
                    for (int ky = 0; ky < o->w.h; ky++)
                        for (int kx = 0; kx < o->w.w; kx++) {
                            const int y = iy + o->conv.pad_h - ky, x = ix + o->conv.pad_w - kx;
                            const int oy = y / o->conv.stride_h, ox = x / o->conv.stride_w;
                            if (y < 0 || x < 0 || y % o->conv.stride_h || x % o->conv.stride_w || oy >= o->y.h ||
                                ox >= o->y.w)
                                continue;
                            float part = 0;
                            for (int j = c / icg * ocg; j < (c / icg + 1) * ocg; j++)
                                part +=
                                    factor(o, o->other[(((int64_t)j * icg + c % icg) * o->w.h + ky) * o->w.w + kx]) *
                                    factor(o, o->factor[(((int64_t)i * o->y.c + j) * o->y.h + oy) * o->y.w + ox]);
                            sum += o->alpha * part;
                        }
                    o->to[at] = o->varies ? ib_host_varied(sum) : sum;
                }
}

/* Of one weight over samples from .. to. */
static float weight_sum(const call *o, int k, int c, int ky, int kx, int from, int to)
{
    const int ocg = o->w.k / o->conv.groups;
    float sum = 0;
    for (int i = from; i < to; i++) {
        const float *plane = o->factor + ((int64_t)i * o->x.c + k / ocg * o->w.c + c) * o->x.h * o->x.w;
        const float *dy = o->other + ((int64_t)i * o->y.c + k) * o->y.h * o->y.w;
        float of_sample = 0;
        for (int oy = 0; oy < o->y.h; oy++)
            for (int ox = 0; ox < o->y.w; ox++)
                of_sample += factor(o, *dy++) * factor(o, input(o, plane, oy, ox, ky, kx));
        sum += of_sample;
    }
    return sum;
}

/* dw = dy col', parts of the samples added in their order: factor is x, other is dy */
static void run_filter(const call *o)
{
    const int parts = o->x.n < 8 ? o->x.n : 8;
    int64_t at = 0;
    for (int k = 0; k < o->w.k; k++)
        for (int c = 0; c < o->w.c; c++)
            for (int ky = 0; ky < o->w.h; ky++)
                for (int kx = 0; kx < o->w.w; kx++, at++) {
                    float sum = o->beta == 0 ? 0.0f : o->beta * o->to[at];
                    for (int t = 0; t < parts; t++)
                        sum += o->alpha * weight_sum(o, k, c, ky, kx, t * o->x.n / parts, (t + 1) * o->x.n / parts);
                    o->to[at] = o->varies ? ib_host_varied(sum) : sum;
                }
}

static size_t bytes_of(const ib_dnn_tensor_of *t)
{
    return sizeof(float) * (size_t)t->n * (size_t)t->c * (size_t)t->h * (size_t)t->w;
}

static size_t bytes_of(const ib_dnn_filter_of *f)
{
    return sizeof(float) * (size_t)f->k * (size_t)f->c * (size_t)f->h * (size_t)f->w;
}

/* What the library is given besides. */
typedef struct rest {
    const void *alpha, *beta;
    void *workspace;
    size_t bytes;
} rest;

static int begin(const char *name, ib_dnn_handle handle, call o, const rest *r, const ib_host_operand *operands,
                 void (*run)(const call *))
{
    if (!r->alpha || !r->beta || !operands[0].p || !operands[1].p || !operands[2].p)
        return IB_DNN_BAD_PARAM;
    if (!r->workspace || r->bytes < IB_HOST_DNN_ROOM)
        return IB_DNN_BAD_PARAM;
    memcpy(&o.alpha, r->alpha, sizeof o.alpha);
    memcpy(&o.beta, r->beta, sizeof o.beta);
    o.factor = (const float *)operands[0].p;
    o.other = (const float *)operands[1].p;
    o.to = (float *)const_cast<void *>(operands[2].p);
    o.workspace = r->workspace;
    const std::vector<ib_host_operand> all = {operands[0], operands[1], operands[2], {r->workspace, IB_HOST_DNN_ROOM}};
    ib_host_cudnn_calls++;
    const bool begun = ib_host_begin_library(name, all, handle->stream, [o, run] {
        memset(o.workspace, 0xFF, IB_HOST_DNN_ROOM);
        run(&o);
    });
    return begun ? IB_DNN_SUCCESS : IB_DNN_BAD_PARAM;
}

int cudnnConvolutionForward(ib_dnn_handle handle, const void *alpha, ib_dnn_tensor x_of, const void *x,
                            ib_dnn_filter w_of, const void *w, ib_dnn_conv conv, int algo, void *workspace,
                            size_t bytes, const void *beta, ib_dnn_tensor y_of, void *y)
{
    const int status = ib_host_conv_fits(handle, x_of, w_of, conv, y_of);
    if (status)
        return status;
    if (algo != IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM && algo != IB_DNN_FWD_IMPLICIT_GEMM)
        return IB_DNN_NOT_SUPPORTED;
    const rest r = {alpha, beta, workspace, bytes};
    const ib_host_operand operands[] = {{x, bytes_of(x_of)}, {w, bytes_of(w_of)}, {y, bytes_of(y_of)}};
    return begin("cudnnConvolutionForward", handle, {*x_of, *y_of, *w_of, *conv, 0, 0, 0, 0, 0, 0, false}, &r, operands,
                 run_forward);
}

int cudnnConvolutionBackwardData(ib_dnn_handle handle, const void *alpha, ib_dnn_filter w_of, const void *w,
                                 ib_dnn_tensor dy_of, const void *dy, ib_dnn_conv conv, int algo, void *workspace,
                                 size_t bytes, const void *beta, ib_dnn_tensor dx_of, void *dx)
{
    const int status = ib_host_conv_fits(handle, dx_of, w_of, conv, dy_of);
    if (status)
        return status;
    if (algo != 0 && algo != IB_DNN_DATA_1)
        return IB_DNN_NOT_SUPPORTED;
    const rest r = {alpha, beta, workspace, bytes};
    const ib_host_operand operands[] = {{dy, bytes_of(dy_of)}, {w, bytes_of(w_of)}, {dx, bytes_of(dx_of)}};
    return begin("cudnnConvolutionBackwardData", handle, {*dx_of, *dy_of, *w_of, *conv, 0, 0, 0, 0, 0, 0, algo == 0},
                 &r, operands, run_data);
}

int cudnnConvolutionBackwardFilter(ib_dnn_handle handle, const void *alpha, ib_dnn_tensor x_of, const void *x,
                                   ib_dnn_tensor dy_of, const void *dy, ib_dnn_conv conv, int algo, void *workspace,
                                   size_t bytes, const void *beta, ib_dnn_filter dw_of, void *dw)
{
    const int status = ib_host_conv_fits(handle, x_of, dw_of, conv, dy_of);
    if (status)
        return status;
    if (algo != 0 && algo != 3 && algo != IB_DNN_FILTER_1)
        return IB_DNN_NOT_SUPPORTED;
    const rest r = {alpha, beta, workspace, bytes};
    const ib_host_operand operands[] = {{x, bytes_of(x_of)}, {dy, bytes_of(dy_of)}, {dw, bytes_of(dw_of)}};
    return begin("cudnnConvolutionBackwardFilter", handle,
                 {*x_of, *dy_of, *dw_of, *conv, 0, 0, 0, 0, 0, 0, algo != IB_DNN_FILTER_1}, &r, operands, run_filter);
}
