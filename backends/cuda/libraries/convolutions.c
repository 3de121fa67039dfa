/* convolutions.c - fp32 convolutions by cuDNN: an algorithm a shape and direction, the first in the order of its
 * heuristic (which measures nothing) that is deterministic, rounds factors only where ISOBIT_CUDA_MATH allows it, fits
 * the workspace, and multiplies numbers as they are or by the small Winograd transform; none by Fourier transforms. */
#include <limits.h>
#include <string.h>

#include "backends/cuda/libraries/libraries.h"
#include "backends/cuda/libraries/open_libraries.h"

enum { FORWARD, GRAD_X, GRAD_W };
enum { SHAPE = 15 };

typedef struct ib_cuda_conv_plan {
    int64_t of[SHAPE]; /* the window's fields, and the direction */
    ib_dnn_tensor x, y;
    ib_dnn_filter w;
    ib_dnn_conv conv;
    int algo, serves;
} plan;

static void empty(ib_cuda_libraries *l, plan *p)
{
    if (p->x)
        l->dnn.cudnnDestroyTensorDescriptor(p->x);
    if (p->y)
        l->dnn.cudnnDestroyTensorDescriptor(p->y);
    if (p->w)
        l->dnn.cudnnDestroyFilterDescriptor(p->w);
    if (p->conv)
        l->dnn.cudnnDestroyConvolutionDescriptor(p->conv);
    memset(p, 0, sizeof *p);
}

ib_status ib_cuda_convolutions_open(ib_cuda *d)
{
    ib_cuda_libraries *l = d->libraries;
    l->convs = d->library.alloc(IB_CUDA_PLANS * sizeof *l->convs);
    return l->convs ? IB_OK : IB_ENOMEM;
}

void ib_cuda_convolutions_close(ib_cuda *d)
{
    ib_cuda_libraries *l = d->libraries;
    for (int i = 0; l->convs && i < IB_CUDA_PLANS; i++)
        empty(l, &l->convs[i]);
    d->library.free(l->convs);
}

/* ---- a plan ---- */

static int describe(const ib_cudnn *dnn, const ib_window *s, plan *p)
{
    const int n = (int)s->n, groups = s->groups;
    int e = dnn->cudnnCreateTensorDescriptor(&p->x);
    e = e ? e : dnn->cudnnCreateTensorDescriptor(&p->y);
    e = e ? e : dnn->cudnnCreateFilterDescriptor(&p->w);
    e = e ? e : dnn->cudnnCreateConvolutionDescriptor(&p->conv);
    e = e ? e : dnn->cudnnSetTensor4dDescriptor(p->x, IB_DNN_NCHW, IB_DNN_FLOAT, n, (int)s->ic, (int)s->ih, (int)s->iw);
    e = e ? e : dnn->cudnnSetTensor4dDescriptor(p->y, IB_DNN_NCHW, IB_DNN_FLOAT, n, (int)s->oc, (int)s->oh, (int)s->ow);
    e = e ? e
          : dnn->cudnnSetFilter4dDescriptor(p->w, IB_DNN_FLOAT, IB_DNN_NCHW, (int)s->oc, (int)s->ic / groups, s->kh,
                                            s->kw);
    e = e ? e
          : dnn->cudnnSetConvolution2dDescriptor(p->conv, s->ph, s->pw, s->sh, s->sw, 1, 1, IB_DNN_CROSS_CORRELATION,
                                                 IB_DNN_FLOAT);
    return e ? e : dnn->cudnnSetConvolutionGroupCount(p->conv, groups);
}

static int is_taken(int direction, int algo)
{
    switch (direction) {
    case FORWARD:
        return algo == IB_DNN_FWD_IMPLICIT_GEMM || algo == IB_DNN_FWD_IMPLICIT_PRECOMP_GEMM ||
               algo == IB_DNN_FWD_GEMM || algo == IB_DNN_FWD_WINOGRAD;
    case GRAD_X: return algo == IB_DNN_DATA_1 || algo == IB_DNN_DATA_WINOGRAD;
    default: return algo == IB_DNN_FILTER_1;
    }
}

static int choose(const ib_cuda_libraries *l, plan *p, int direction)
{
    const ib_cudnn *dnn = &l->dnn;
    const int math = l->math == IB_CUDA_FP32 ? IB_DNN_FMA_MATH : IB_DNN_DEFAULT_MATH;
    ib_dnn_choice choices[IB_DNN_MOST_ALGOS];
    const int most = IB_DNN_MOST_ALGOS;
    int found = 0, e = dnn->cudnnSetConvolutionMathType(p->conv, math);
    if (!e && direction == FORWARD)
        e = dnn->cudnnGetConvolutionForwardAlgorithm_v7(l->dnn_handle, p->x, p->w, p->conv, p->y, most, &found,
                                                        choices);
    else if (!e && direction == GRAD_X)
        e = dnn->cudnnGetConvolutionBackwardDataAlgorithm_v7(l->dnn_handle, p->w, p->y, p->conv, p->x, most, &found,
                                                             choices);
    else if (!e)
        e = dnn->cudnnGetConvolutionBackwardFilterAlgorithm_v7(l->dnn_handle, p->x, p->y, p->conv, p->w, most, &found,
                                                               choices);
    for (int i = 0; !e && i < found && !p->serves; i++) {
        const ib_dnn_choice *c = &choices[i];
        if (c->status || c->determinism != IB_DNN_DETERMINISTIC || c->memory > IB_CUDA_WORKSPACE ||
            !is_taken(direction, c->algo) || (c->math != IB_DNN_FMA_MATH && c->math != math))
            continue;
        e = dnn->cudnnSetConvolutionMathType(p->conv, c->math);
        p->algo = c->algo;
        p->serves = 1;
    }
    return e >= IB_DNN_NOT_SUPPORTED && e < IB_DNN_INTERNAL_ERROR ? IB_DNN_SUCCESS : e;
}

static void say(ib_cuda *d, const ib_window *s, int direction, int status, const char *where)
{
    static const char *const directions[] = {"convolution", "gradient of inputs", "gradient of weights"};
    ib_cuda_break(&d->own.base, cudaSuccess, "cuDNN, %s of %lldx%lldx%lldx%lld by %lldx%dx%d: status %d at %s",
                  directions[direction], (long long)s->n, (long long)s->ic, (long long)s->ih, (long long)s->iw,
                  (long long)s->oc, s->kh, s->kw, status, where);
}

/* The plan of that shape, which may be that an own kernel serves; NULL: the device has failed. */
static const plan *plan_of(ib_cuda *d, const ib_window *s, int direction)
{
    const int64_t of[SHAPE] = {s->n,  s->ic, s->ih, s->iw, s->oc, s->oh,     s->ow,    s->kh,
                               s->kw, s->sh, s->sw, s->ph, s->pw, s->groups, direction};
    ib_cuda_libraries *l = d->libraries;
    const int64_t made = l->n_convs < IB_CUDA_PLANS ? l->n_convs : IB_CUDA_PLANS;
    for (int64_t i = 0; i < made; i++)
        if (!memcmp(l->convs[i].of, of, sizeof of))
            return &l->convs[i];
    plan *p = &l->convs[l->n_convs % IB_CUDA_PLANS];
    ib_cuda_leave_step(d, "the choice of an algorithm"); /* what that calls is the library's affair */
    empty(l, p);
    memcpy(p->of, of, sizeof of);
    const int described = describe(&l->dnn, s, p), status = described ? described : choose(l, p, direction);
    if (status) {
        say(d, s, direction, status, described ? "its description" : "its choice");
        empty(l, p);
        return NULL;
    }
    l->n_convs++;
    return p;
}

/* ---- a convolution ---- */

/* cuDNN's tensors have less than 2^31 elements, and results as large as the padded images have room for. */
static int fits(const ib_window *s)
{
    const int64_t k = s->ic / (s->groups > 0 ? s->groups : 1) * s->kh * s->kw;
    return s->n > 0 && s->n <= INT_MAX && s->ic > 0 && s->oc > 0 && s->oh > 0 && s->ow > 0 && s->groups > 0 &&
           s->ic * s->ih * s->iw <= INT_MAX / s->n && s->oc * s->oh * s->ow <= INT_MAX / s->n && s->oc * k <= INT_MAX &&
           s->ih + 2 * s->ph >= s->kh && s->iw + 2 * s->pw >= s->kw && s->ic % s->groups == 0 &&
           s->oc % s->groups == 0 && s->oh == (s->ih + 2 * s->ph - s->kh) / s->sh + 1 &&
           s->ow == (s->iw + 2 * s->pw - s->kw) / s->sw + 1;
}

/* The plan that serves; NULL with *is_begun telling whether an own kernel is not to. */
static const plan *ready(ib_device *dev, const ib_window *s, int direction, int *is_begun)
{
    ib_cuda *d = ib_cuda_of(dev);
    *is_begun = 0;
    if (!d->libraries || !d->libraries->dnn_handle || !fits(s))
        return NULL;
    const plan *p = plan_of(d, s, direction);
    *is_begun = !p || p->serves;
    return p && p->serves ? p : NULL;
}

/* out = the convolution or gradient of a and b, in the order in which cuDNN takes them, or added to what is there;
 * whether an own kernel is not to. */
static int convolve(ib_device *dev, const ib_window *s, int direction, const float *a, const float *b, float *out,
                    int adds)
{
    static const float one = 1, none = 0;
    const float *kept = adds ? &one : &none;
    const ib_cuda_libraries *l = ib_cuda_of(dev)->libraries;
    int is_begun, e = 0;
    const plan *p = ready(dev, s, direction, &is_begun);
    if (p && direction == FORWARD)
        e = l->dnn.cudnnConvolutionForward(l->dnn_handle, &one, p->x, a, p->w, b, p->conv, p->algo, l->workspace,
                                           IB_CUDA_WORKSPACE, kept, p->y, out);
    else if (p && direction == GRAD_X)
        e = l->dnn.cudnnConvolutionBackwardData(l->dnn_handle, &one, p->w, a, p->y, b, p->conv, p->algo, l->workspace,
                                                IB_CUDA_WORKSPACE, kept, p->x, out);
    else if (p)
        e = l->dnn.cudnnConvolutionBackwardFilter(l->dnn_handle, &one, p->x, a, p->y, b, p->conv, p->algo, l->workspace,
                                                  IB_CUDA_WORKSPACE, kept, p->w, out);
    if (e)
        say(ib_cuda_of(dev), s, direction, e, "its run");
    return is_begun;
}

int ib_cuda_library_conv2d(ib_device *dev, const ib_window *s, const float *x, const float *w, float *y)
{
    return convolve(dev, s, FORWARD, x, w, y, 0);
}

int ib_cuda_library_grad_x(ib_device *dev, const ib_window *s, const float *w, const float *dy, float *dx, int sets)
{
    return convolve(dev, s, GRAD_X, w, dy, dx, !sets);
}

int ib_cuda_library_grad_w(ib_device *dev, const ib_window *s, const float *x, const float *dy, float *dw)
{
    return convolve(dev, s, GRAD_W, x, dy, dw, 1);
}
