/* conv.c - fp32 convolution as a matrix product over unfolded patches (im2col), one sample at a time.
 *   K = ic/groups * kh * kw weights of an output channel, P = oh * ow output pixels, O = oc/groups */
#include <omp.h>
#include <string.h>

#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"
#include "backends/cpu/taps.h"
#include "backends/formulas/windows.h"

static int is_pointwise(const ib_window *s)
{
    return s->kh == 1 && s->kw == 1 && s->sh == 1 && s->sw == 1 && !s->ph && !s->pw;
}

/* The columns kx of output x that read inside the image: x in [*from, *to). */
static void inside(int64_t in, int64_t out, int stride, int pad, int k, int64_t *from, int64_t *to)
{
    const int64_t low = pad - k, high = in - 1 + pad - k;
    *from = low <= 0 ? 0 : ib_min64(out, (low + stride - 1) / stride);
    *to = high < 0 ? 0 : ib_min64(out, high / stride + 1);
    if (*to < *from)
        *to = *from;
}

/* col[k, p] = x[channel, y * sh - ph + ky, x * sw - pw + kx], 0 outside */
static void unfold(const ib_window *s, const float *x, float *col)
{
    const int64_t channels = s->ic / s->groups;
    for (int64_t c = 0; c < channels; c++)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++) {
                int64_t from, to;
                inside(s->iw, s->ow, s->sw, s->pw, kx, &from, &to);
                for (int64_t oy = 0; oy < s->oh; oy++, col += s->ow) {
                    const int64_t iy = oy * s->sh - s->ph + ky;
                    if (iy < 0 || iy >= s->ih) {
                        memset(col, 0, (size_t)s->ow * sizeof *col);
                        continue;
                    }
                    const float *row = x + (c * s->ih + iy) * s->iw - s->pw + kx;
                    for (int64_t ox = 0; ox < from; ox++)
                        col[ox] = 0;
                    if (s->sw == 1)
                        memcpy(col + from, row + from, (size_t)(to - from) * sizeof *col);
                    else
                        for (int64_t ox = from; ox < to; ox++)
                            col[ox] = row[ox * s->sw];
                    for (int64_t ox = to; ox < s->ow; ox++)
                        col[ox] = 0;
                }
            }
}

/* The transpose of unfold: dx += col */
static void fold(const ib_window *s, const float *col, float *dx)
{
    const int64_t channels = s->ic / s->groups;
    for (int64_t c = 0; c < channels; c++)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++) {
                int64_t from, to;
                inside(s->iw, s->ow, s->sw, s->pw, kx, &from, &to);
                for (int64_t oy = 0; oy < s->oh; oy++, col += s->ow) {
                    const int64_t iy = oy * s->sh - s->ph + ky;
                    if (iy < 0 || iy >= s->ih)
                        continue;
                    float *row = dx + (c * s->ih + iy) * s->iw - s->pw + kx;
                    for (int64_t ox = from; ox < to; ox++)
                        row[ox * s->sw] += col[ox];
                }
            }
}

/* y = w col + bias */
void IB_K(conv2d)(ib_device *dev, const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                  float *scratch)
{
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw, p = s->oh * s->ow;
    if (ib_is_depthwise(s)) {
        if (IB_K(has_taps)(s))
            IB_K(taps_depthwise)(s, x, w, bias, y, scratch);
        else
            IB_K(depthwise)(s, x, w, bias, y);
        return;
    }
    if (IB_K(has_taps)(s)) {
        IB_K(taps_forward)(s, x, w, bias, y, scratch);
        return;
    }
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        float *col = scratch + omp_get_thread_num() * k * p;
        for (int64_t g = 0; g < s->groups; g++) {
            const float *xg = x + (i * s->ic + g * icg) * s->ih * s->iw;
            float *yg = y + (i * s->oc + g * ocg) * p; /* [O, P] */
            if (!is_pointwise(s))
                unfold(s, xg, col);
            for (int64_t o = 0; bias && o < ocg; o++)
                for (int64_t j = 0; j < p; j++)
                    yg[o * p + j] = bias[g * ocg + o];
            IB_K(gemm_tile)
            (0, 0, ocg, p, k, w + g * ocg * k, k, is_pointwise(s) ? xg : col, p, bias ? 1.0f : 0.0f, yg, p);
        }
    }
}

/* dx += fold(w' dy) */
void IB_K(conv2d_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx, float *scratch)
{
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw, p = s->oh * s->ow;
    if (ib_is_depthwise(s)) {
        IB_K(depthwise_grad_x)(s, dy, w, dx);
        return;
    }
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        float *col = scratch + omp_get_thread_num() * k * p;
        for (int64_t g = 0; g < s->groups; g++) {
            const float *dyg = dy + (i * s->oc + g * ocg) * p;
            float *dxg = dx + (i * s->ic + g * icg) * s->ih * s->iw;
            if (is_pointwise(s)) {
                IB_K(gemm_tile)(1, 0, k, p, ocg, w + g * ocg * k, k, dyg, p, 1.0f, dxg, p);
                continue;
            }
            IB_K(gemm_tile)(1, 0, k, p, ocg, w + g * ocg * k, k, dyg, p, 0.0f, col, p);
            fold(s, col, dxg);
        }
    }
}

/* dw += sum over samples of dy col'; the samples are cut into at most IB_PARTS parts, added in order at the end */
void IB_K(conv2d_grad_w)(const ib_window *s, const float *x, const float *dy, float *dw, float *scratch)
{
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw, p = s->oh * s->ow;
    const int64_t parts = ib_min64(s->n, IB_PARTS), weights = s->oc * k;
    float *part = scratch, *cols = scratch + IB_PARTS * weights;
    if (ib_is_depthwise(s)) {
        IB_K(depthwise_grad_w)(s, x, dy, dw, part);
        return;
    }
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int64_t t = 0; t < parts; t++) {
        float *col = cols + omp_get_thread_num() * k * p, *sum = part + t * weights;
        memset(sum, 0, (size_t)weights * sizeof *sum);
        for (int64_t i = t * s->n / parts; i < (t + 1) * s->n / parts; i++)
            for (int64_t g = 0; g < s->groups; g++) {
                const float *xg = x + (i * s->ic + g * icg) * s->ih * s->iw;
                if (!is_pointwise(s))
                    unfold(s, xg, col);
                IB_K(gemm_tile)
                (0, 1, ocg, k, p, dy + (i * s->oc + g * ocg) * p, p, is_pointwise(s) ? xg : col, p, 1.0f,
                 sum + g * ocg * k, k);
            }
    }
    for (int64_t t = 0; t < parts; t++)
        for (int64_t j = 0; j < weights; j++)
            dw[j] += part[t * weights + j];
}

void IB_K(conv2d_grads)(ib_device *dev, const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    if (IB_K(has_taps)(s)) {
        (ib_is_depthwise(s) ? IB_K(taps_depthwise_grads) : IB_K(taps_grads))(s, g, scratch);
        return;
    }
    const int64_t ny = s->n * s->oc * s->oh * s->ow, nx = s->n * s->ic * s->ih * s->iw;
    const float *dy = g->dy, *x = g->x;
    if (g->dx && g->sets_dx)
        memset(g->dx, 0, (size_t)nx * sizeof *g->dx);
    if (g->mask) {
        dy = scratch;
        IB_K(where)(dev, g->dy, g->mask, scratch, ny);
        scratch += (ny + 15) / 16 * 16;
    }
    if (!x && g->dw) {
        x = scratch;
        IB_K(dequantize)(dev, &(ib_coded){g->codes, g->x_scale, g->x_zero}, nx, scratch);
        scratch += (nx + 15) / 16 * 16;
    }
    if (g->dx)
        IB_K(conv2d_grad_x)(s, dy, g->w, g->dx, scratch);
    if (g->dw)
        IB_K(conv2d_grad_w)(s, x, dy, g->dw, scratch);
    if (g->db)
        IB_K(channel_sum)(dev, &(ib_planes){s->n, s->oc, s->oh * s->ow}, dy, g->db);
}

/* y[c] += sum over n and hw of x[n,c,hw] */
void IB_K(channel_sum)(ib_device *dev, const ib_planes *s, const float *x, float *y)
{
    const int64_t n = s->n, c = s->c, hw = s->hw;
#pragma omp parallel for schedule(static) if (n * c * hw > IB_SERIAL)
    for (int64_t j = 0; j < c; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += ib_sum(x + (i * c + j) * hw, hw);
        y[j] += (float)sum;
    }
}
