/* check_images.c - of fp32 products, pooling and normalization. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED

void ib_check_gemm(ib_device *dev, int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
                   float beta, float *c)
{
    IB_ASSERT(m >= 0 && n >= 0 && k >= 0, "a product's sizes are not below 0");
    SPANS(OUT(c, m * n), IN(a, m * k), IN(b, k * n));
}

void ib_check_conv2d(ib_device *dev, const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                     float *scratch)
{
    WINDOW(s);
    SPANS(OUT(y, ib_window_out(s)), ROOM(scratch, dev->v.conv2d_words(dev, s)), IN(x, ib_window_in(s)),
          IN(w, s->oc * ib_window_taps(s)), IN(bias, s->oc));
}

void ib_check_conv2d_grads(ib_device *dev, const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    WINDOW(s);
    IB_ASSERT(g->dy && (g->x || g->codes || !g->dw), "gradients of weights have their input");
    SPANS(OUT(g->dx, ib_window_in(s)), OUT(g->dw, s->oc * ib_window_taps(s)), OUT(g->db, s->oc),
          ROOM(scratch, dev->v.conv2d_grads_words(dev, s)), IN(g->x, ib_window_in(s)), IN(g->codes, ib_window_in(s)),
          IN(g->w, s->oc * ib_window_taps(s)), IN(g->dy, ib_window_out(s)), IN_BITS(g->mask, ib_window_out(s)));
}

void ib_check_channel_sum(ib_device *dev, const ib_planes *s, const float *x, float *y)
{
    SPANS(OUT(y, s->c), IN(x, ib_planes_size(s)));
}

void ib_check_maxpool(ib_device *dev, const ib_window *s, const float *x, float *y, int32_t *argmax)
{
    POOL(s);
    SPANS(OUT(y, ib_window_out(s)), OUT(argmax, ib_window_out(s)), IN(x, ib_window_in(s)));
}

/* What max pooling left are pixels of an image; -1: a window of padding alone. */
static int are_pixels(const ib_window *s, const int32_t *argmax)
{
    for (int64_t i = 0; i < ib_window_out(s); i++)
        if (argmax[i] < -1 || argmax[i] >= s->ih * s->iw)
            return 0;
    return 1;
}

void ib_check_maxpool_grad(ib_device *dev, const ib_window *s, const float *dy, const int32_t *argmax, float *dx)
{
    POOL(s);
    IB_ASSERT(are_pixels(s, argmax), "places of largest values are pixels of the image");
    SPANS(OUT(dx, ib_window_in(s)), IN(dy, ib_window_out(s)), IN(argmax, ib_window_out(s)));
}

void ib_check_avgpool(ib_device *dev, const ib_window *s, const float *x, float *y)
{
    POOL(s);
    SPANS(OUT(y, ib_window_out(s)), IN(x, ib_window_in(s)));
}

void ib_check_avgpool_grad(ib_device *dev, const ib_window *s, const float *dy, float *dx)
{
    POOL(s);
    SPANS(OUT(dx, ib_window_in(s)), IN(dy, ib_window_out(s)));
}

void ib_check_bn_stats(ib_device *dev, const ib_planes *s, const float *x, float *mean, float *var)
{
    SPANS(OUT(mean, s->c), OUT(var, s->c), IN(x, ib_planes_size(s)));
}

void ib_check_bn_apply(ib_device *dev, const ib_planes *s, const ib_norm *p)
{
    SPANS(OUT(p->y, ib_planes_size(s)), IN(p->x, ib_planes_size(s)), IN(p->gamma, s->c), IN(p->beta, s->c),
          IN(p->mean, s->c), IN(p->rstd, s->c));
}

/* Gradients of rows or channels of `c` parameters. */
static void check_norm_grads(const ib_norm_grads *g, int64_t n, int64_t c, int64_t stats, ib_check_place at)
{
    const ib_span spans[] = {OUT(g->dx, n),  OUT(g->dgamma, c),  OUT(g->dbeta, c),   OUT(g->dy, n),  IN(g->x, n),
                             IN(g->relu, n), IN(g->mean, stats), IN(g->rstd, stats), IN(g->gamma, c)};
    ib_check_spans(spans, sizeof spans / sizeof *spans, at);
}

void ib_check_bn_grad(ib_device *dev, const ib_planes *s, const ib_norm_grads *g)
{
    check_norm_grads(g, ib_planes_size(s), s->c, s->c, (ib_check_place){__FILE__, __LINE__, __func__});
}

void ib_check_layer_norm_grad(ib_device *dev, int64_t rows, int64_t cols, const ib_norm_grads *g)
{
    check_norm_grads(g, rows * cols, cols, rows, (ib_check_place){__FILE__, __LINE__, __func__});
}

void ib_check_rms_norm_grad(ib_device *dev, int64_t rows, int64_t cols, const ib_norm_grads *g)
{
    check_norm_grads(g, rows * cols, cols, rows, (ib_check_place){__FILE__, __LINE__, __func__});
}

void ib_check_layer_norm(ib_device *dev, int64_t rows, int64_t cols, const ib_norm *p)
{
    SPANS(OUT(p->y, rows * cols), OUT(p->mean, rows), OUT(p->rstd, rows), IN(p->x, rows * cols), IN(p->gamma, cols),
          IN(p->beta, cols));
}

void ib_check_rms_norm(ib_device *dev, int64_t rows, int64_t cols, const ib_norm *p)
{
    SPANS(OUT(p->y, rows * cols), OUT(p->rstd, rows), IN(p->x, rows * cols), IN(p->gamma, cols));
}
#endif
