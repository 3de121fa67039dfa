/* conv.cu - fp32 convolution, sums over k = ic/groups * kh * kw in their order, with 0 for what lies outside the image,
 * as in the products of backends/cpu/kernels/conv.c, or a library's; by depthwise.cuh where a channel sees its own
 * alone. */
#include "backends/cuda/kernels/depthwise.cuh"
#include "backends/cuda/kernels/family.cuh"
#include "backends/cuda/libraries/libraries.h"
#include "backends/formulas/windows.h"

/* Channels of a pixel that a thread has, so that what it reads serves so often. */
enum { AT_ONCE = 4 };

static int64_t quads(int64_t channels)
{
    return (channels + AT_ONCE - 1) / AT_ONCE;
}

/* What thread t of [n][groups][quads][h][w] has. */
typedef struct work {
    int64_t i, g, x, y, first; /* sample, group, pixel, its first channel of the group */
    int count;                 /* of channels */
} work;

static __device__ work work_of(int64_t t, int64_t groups, int64_t channels, int64_t h, int64_t w)
{
    const int64_t n = (channels + AT_ONCE - 1) / AT_ONCE;
    work k;
    k.x = t % w;
    k.y = t / w % h;
    k.first = t / (h * w) % n * AT_ONCE;
    k.g = t / (h * w) / n % groups;
    k.i = t / (h * w) / n / groups;
    k.count = (int)ib_cuda_min(AT_ONCE, channels - k.first);
    return k;
}

/* y = w col + bias */
static __global__ void conv2d_kernel(ib_window s, int64_t n, const float *x, const float *w, const float *bias,
                                     float *y)
{
    const int64_t icg = s.ic / s.groups, ocg = s.oc / s.groups, k = icg * s.kh * s.kw;
    EACH(t, n)
    {
        const work own = work_of(t, s.groups, ocg, s.oh, s.ow);
        const int64_t first = own.g * ocg + own.first;
        const float *plane = x + (own.i * s.ic + own.g * icg) * s.ih * s.iw, *row = w + first * k;
        float sum[AT_ONCE] = {0};
        for (int64_t c = 0; c < icg; c++, plane += s.ih * s.iw)
            for (int ky = 0; ky < s.kh; ky++) {
                const int64_t iy = own.y * s.sh - s.ph + ky;
                for (int kx = 0; kx < s.kw; kx++, row++) {
                    const int64_t ix = own.x * s.sw - s.pw + kx;
                    const int inside = iy >= 0 && iy < s.ih && ix >= 0 && ix < s.iw;
                    const float v = inside ? plane[iy * s.iw + ix] : 0.0f;
                    for (int j = 0; j < own.count; j++)
                        sum[j] += row[j * k] * v;
                }
            }
        for (int j = 0; j < own.count; j++)
            y[((own.i * s.oc + first + j) * s.oh + own.y) * s.ow + own.x] = (bias ? bias[first + j] : 0.0f) + sum[j];
    }
}

/* y += bias, behind a library's product */
static __global__ void add_bias_kernel(ib_window s, const float *bias, float *y)
{
    EACH(t, s.n * s.oc * s.oh * s.ow)
    {
        y[t] = bias[t / (s.oh * s.ow) % s.oc] + y[t];
    }
}

void ib_cuda_conv2d(ib_device *dev, const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                    float *scratch)
{
    const int64_t n = s->n * s->groups * quads(s->oc / s->groups) * s->oh * s->ow;
    (void)scratch;
    if (ib_is_depthwise(s))
        depthwise_forward(dev, s, x, w, bias, y);
    else if (ib_cuda_library_conv2d(dev, s, x, w, y)) {
        if (bias)
            BEGIN(dev, add_bias_kernel, s->n * s->oc * s->oh * s->ow, *s, bias, y);
    } else
        BEGIN(dev, conv2d_kernel, n, *s, n, x, w, bias, y);
}

/* dx += fold(w' dy): the sum over outputs of each tap, and these in the order of taps */
static __global__ void conv2d_grad_x_kernel(ib_window s, int64_t n, const float *dy, const float *w, float *dx,
                                            int sets)
{
    const int64_t icg = s.ic / s.groups, ocg = s.oc / s.groups, taps = s.kh * s.kw, pixels = s.oh * s.ow;
    EACH(t, n)
    {
        const work own = work_of(t, s.groups, icg, s.ih, s.iw);
        float *to = dx + ((own.i * s.ic + own.g * icg + own.first) * s.ih + own.y) * s.iw + own.x;
        float sum[AT_ONCE];
        for (int j = 0; j < own.count; j++)
            sum[j] = sets ? 0.0f : to[j * s.ih * s.iw];
        for (int ky = 0; ky < s.kh; ky++)
            for (int kx = 0; kx < s.kw; kx++) {
                const int64_t y = own.y + s.ph - ky, x = own.x + s.pw - kx;
                if (y < 0 || x < 0 || y % s.sh || x % s.sw || y / s.sh >= s.oh || x / s.sw >= s.ow)
                    continue;
                const float *d = dy + (own.i * s.oc + own.g * ocg) * pixels + y / s.sh * s.ow + x / s.sw;
                const float *tap = w + (own.g * ocg * icg + own.first) * taps + ky * s.kw + kx;
                float part[AT_ONCE] = {0};
                for (int64_t o = 0; o < ocg; o++, d += pixels, tap += icg * taps)
                    for (int j = 0; j < own.count; j++)
                        part[j] += tap[j * taps] * *d;
                for (int j = 0; j < own.count; j++)
                    sum[j] += part[j];
            }
        for (int j = 0; j < own.count; j++)
            to[j * s.ih * s.iw] = sum[j];
    }
}

/* ---- dw ---- */

enum { TILE = 16 };

/* part[t] = sum of dy col' over the samples of part t of them; a block has a tile of outputs and weights */
static __global__ void conv2d_grad_w_kernel(ib_window s, const float *x, const float *dy, int64_t parts, float *part)
{
    __shared__ float a[TILE][TILE + 1], b[TILE][TILE + 1];
    const int64_t icg = s.ic / s.groups, ocg = s.oc / s.groups, taps = s.kh * s.kw, k = icg * taps;
    const int64_t wide = (k + TILE - 1) / TILE, high = (ocg + TILE - 1) / TILE, pixels = s.oh * s.ow;
    const int tx = (int)threadIdx.x, ty = (int)threadIdx.y;
    const int64_t k0 = blockIdx.x % wide * TILE, o0 = blockIdx.x / wide % high * TILE;
    const int64_t g = blockIdx.x / wide / high % s.groups, t = blockIdx.x / wide / high / s.groups;
    const int64_t o = o0 + ty, j = k0 + ty; /* whose dy, whose inputs this thread brings */
    const int64_t c = j / taps, ky = j / s.kw % s.kh, kx = j % s.kw;
    float sum = 0;
    for (int64_t i = t * s.n / parts; i < (t + 1) * s.n / parts; i++) {
        const float *d = dy + (i * s.oc + g * ocg + o) * pixels, *plane = x + (i * s.ic + g * icg + c) * s.ih * s.iw;
        float of_sample = 0;
        for (int64_t p0 = 0; p0 < pixels; p0 += TILE) {
            const int64_t p = p0 + tx, iy = p / s.ow * s.sh - s.ph + ky, ix = p % s.ow * s.sw - s.pw + kx;
            const int inside = iy >= 0 && iy < s.ih && ix >= 0 && ix < s.iw;
            a[ty][tx] = o < ocg && p < pixels ? d[p] : 0.0f;
            b[ty][tx] = j < k && p < pixels && inside ? plane[iy * s.iw + ix] : 0.0f;
            __syncthreads();
            for (int l = 0; l < TILE && p0 + l < pixels; l++)
                of_sample += a[ty][l] * b[tx][l];
            __syncthreads();
        }
        sum += of_sample;
    }
    if (o < ocg && k0 + tx < k)
        part[(t * s.oc + g * ocg + o) * k + k0 + tx] = sum;
}

static __global__ void add_parts_kernel(int64_t weights, int64_t parts, const float *part, float *dw)
{
    EACH(j, weights)
    {
        float sum = dw[j];
        for (int64_t t = 0; t < parts; t++)
            sum += part[t * weights + j];
        dw[j] = sum;
    }
}

/* The samples are cut into at most IB_CUDA_PARTS parts, added in order at the end. */
static void grad_w(ib_device *dev, const ib_window *s, const float *x, const float *dy, float *dw, float *part)
{
    const int64_t k = s->ic / s->groups * s->kh * s->kw, ocg = s->oc / s->groups, weights = s->oc * k;
    const int64_t parts = ib_cuda_min(s->n, IB_CUDA_PARTS);
    const int64_t blocks = (k + TILE - 1) / TILE * ((ocg + TILE - 1) / TILE) * s->groups * parts;
    if (ib_is_depthwise(s)) {
        depthwise_grad_w(dev, s, x, dy, parts, part);
    } else if (blocks > 0) {
        IB_LAUNCH(conv2d_grad_w_kernel, (unsigned)blocks, dim3(TILE, TILE), 0, ib_cuda_stream(dev), *s, x, dy, parts,
                  part);
        ib_cuda_launched(dev, "conv2d_grad_w_kernel");
    }
    BEGIN(dev, add_parts_kernel, weights, weights, parts, part, dw);
}

/* dy and x of the whole batch, and the parts of dw */
int64_t ib_cuda_conv2d_grads_words(const ib_window *s)
{
    const int64_t weights = s->oc * (s->ic / s->groups) * s->kh * s->kw;
    return s->n * (s->oc * s->oh * s->ow + s->ic * s->ih * s->iw) + 32 + IB_CUDA_PARTS * weights;
}

void ib_cuda_conv2d_grads(ib_device *dev, const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    const int64_t ny = s->n * s->oc * s->oh * s->ow, nx = s->n * s->ic * s->ih * s->iw;
    const int64_t n = s->n * s->groups * quads(s->ic / s->groups) * s->ih * s->iw;
    const float *dy = g->dy, *x = g->x;
    if (g->mask) {
        dy = scratch;
        ib_cuda_where(dev, g->dy, g->mask, scratch, ny);
        scratch += (ny + 15) / 16 * 16;
    }
    if (!x && g->dw) {
        const ib_coded coded = {g->codes, g->x_scale, g->x_zero};
        x = scratch;
        ib_cuda_dequantize(dev, &coded, nx, scratch);
        scratch += (nx + 15) / 16 * 16;
    }
    if (g->dx && ib_is_depthwise(s))
        depthwise_grad_x(dev, s, dy, g->w, g->dx, g->sets_dx);
    else if (g->dx && !ib_cuda_library_grad_x(dev, s, g->w, dy, g->dx, g->sets_dx))
        BEGIN(dev, conv2d_grad_x_kernel, n, *s, n, dy, g->w, g->dx, g->sets_dx);
    if (g->dw && (ib_is_depthwise(s) || !ib_cuda_library_grad_w(dev, s, x, dy, g->dw)))
        grad_w(dev, s, x, dy, g->dw, scratch);
    if (g->db) {
        const ib_planes planes = {s->n, s->oc, s->oh * s->ow};
        ib_cuda_channel_sum(dev, &planes, dy, g->db);
    }
}
