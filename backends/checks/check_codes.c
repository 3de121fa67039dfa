/* check_codes.c - of kernels between fp32 and codes. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED

static int affine_agrees(const ib_affine *p)
{
    return *p->scale > 0 && ib_is_code(ib_zero_of(p->zero)) && ib_is_code(p->qmin) && ib_is_code(p->qmax) &&
           p->qmin <= p->qmax;
}
#define AFFINE(p) IB_ASSERT(affine_agrees(p), "a scale is above 0, and bounds and zero point are codes")
#define CODED(x) IB_ASSERT(*(x)->scale > 0 && ib_is_code(ib_zero_of((x)->zero)), "codes have a scale and a zero point")

void ib_check_quantize(ib_device *dev, const float *x, int64_t n, const ib_affine *p, int8_t *q, uint8_t *mask)
{
    AFFINE(p);
    SPANS(OUT(q, n), OUT_BITS(mask, n), IN(x, n));
}

void ib_check_dequantize(ib_device *dev, const ib_coded *x, int64_t n, float *y)
{
    CODED(x);
    SPANS(OUT(y, n), IN(x->codes, n));
}

void ib_check_quantize_rows(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    IB_ASSERT(p->qmax >= 1 && p->qmax <= INT8_MAX, "weights become codes of at most 8 bits");
    IB_ASSERT(p->n_scales >= 1 && rows * cols % p->n_scales == 0, "each scale has as many weights");
    SPANS(OUT(p->q, rows * cols), OUT_BITS(p->mask, rows * cols), IN(p->w, rows * cols), IN(p->scale, p->n_scales));
}

void ib_check_dequantize_rows(ib_device *dev, const ib_qweights *w, int64_t rows, int64_t cols, const float *scale,
                              int n_scales, float *y)
{
    WEIGHTS(w, rows, cols);
    IB_ASSERT(n_scales == 1 || n_scales == rows, "weights have a scale, or one a row");
    SPANS(OUT(y, rows * cols), IN(w->codes, rows * cols), IN(scale, n_scales));
}

void ib_check_abs_max_rows(ib_device *dev, const float *w, int64_t rows, int64_t cols, float *y)
{
    SPANS(OUT(y, rows), IN(w, rows * cols));
}

void ib_check_mse_scale_rows(ib_device *dev, const float *w, int64_t rows, int64_t cols, int qmax, float *scale)
{
    IB_ASSERT(qmax >= 1 && qmax <= INT8_MAX, "weights become codes of at most 8 bits");
    SPANS(OUT(scale, rows), IN(w, rows * cols));
}

void ib_check_quantize_groups(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    IB_ASSERT(p->qmax >= 1 && p->qmax <= INT8_MAX, "weights become codes of at most 8 bits");
    IB_ASSERT(p->group_size >= 1, "groups have columns");
    const int64_t groups = (cols + p->group_size - 1) / p->group_size;
    SPANS(OUT(p->q, rows * cols), OUT(p->factor, rows * groups), OUT(p->scale, rows), OUT_BITS(p->mask, rows * cols),
          IN(p->w, rows * cols));
}

void ib_check_lsq_grad(ib_device *dev, int64_t rows, int64_t cols, const ib_affine *p, const ib_lsq_grads *g)
{
    AFFINE(p);
    IB_ASSERT(g->values >= 1, "a scale has values");
    SPANS(OUT(g->dt, rows), OUT(g->dx, rows * cols), IN(g->x, rows * cols), IN(g->dy, rows * cols), IN(p->scale, rows),
          IN(p->zero, 1));
}

void ib_check_pact_grad(ib_device *dev, const float *x, const float *dy, int64_t n, const ib_affine *p, float *dalpha)
{
    AFFINE(p);
    SPANS(OUT(dalpha, 1), IN(x, n), IN(dy, n), IN(p->scale, 1), IN(p->zero, 1));
}

void ib_check_pact_passes(ib_device *dev, const float *x, int64_t n, const ib_affine *p, uint8_t *mask)
{
    AFFINE(p);
    SPANS(OUT_BITS(mask, n), IN(x, n));
}

void ib_check_code_range(ib_device *dev, const ib_coded *x, int64_t n, int qmin, int qmax, float *lo, float *hi)
{
    CODED(x);
    SPANS(OUT(lo, 1), OUT(hi, 1), IN(x->codes, n), IN(x->scale, 1));
}

void ib_check_drop_codes(ib_device *dev, const int8_t *x, const uint8_t *mask, int64_t n, const int32_t *zero,
                         int8_t *y)
{
    ZERO(ib_zero_of(zero));
    SPANS(OUT(y, n), IN(x, n), IN_BITS(mask, n));
}

void ib_check_scale_rows(ib_device *dev, const float *x, int64_t rows, int64_t cols, const float *gain, float *y)
{
    SPANS(OUT(y, rows * cols), IN(x, rows * cols), IN(gain, rows));
}

void ib_check_dot_rows(ib_device *dev, const float *x, const float *dy, int64_t rows, int64_t cols, float *y)
{
    SPANS(OUT(y, rows), IN(x, rows * cols), IN(dy, rows * cols));
}

void ib_check_acc_real(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *y)
{
    SPANS(OUT(y, ib_planes_size(s)), IN(acc, ib_planes_size(s)), IN(scale, s->c));
}

void ib_check_where(ib_device *dev, const float *dy, const uint8_t *mask, float *dz, int64_t n)
{
    SPANS(OUT(dz, n), IN(dy, n), IN_BITS(mask, n));
}

void ib_check_grad_where(ib_device *dev, const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
    SPANS(OUT(dx, n), IN(dy, n), IN_BITS(mask, n));
}

void ib_check_real_range(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, float *lo,
                         float *hi)
{
    CODED(a), CODED(b);
    SPANS(OUT(lo, 1), OUT(hi, 1), IN(a->codes, n), IN(b->codes, n));
}

void ib_check_real_passes(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product,
                          const float *top, uint8_t *mask)
{
    CODED(a), CODED(b);
    SPANS(OUT_BITS(mask, n), IN(a->codes, n), IN(b->codes, n), IN(top, 1));
}

void ib_check_lookup(ib_device *dev, const int8_t *table, const int8_t *x, int8_t *y, int64_t n)
{
    SPANS(OUT(y, n), IN(x, n), IN(table, 256));
}

void ib_check_lookup_grad(ib_device *dev, const float *slope, const int8_t *x, const float *dy, float *dx, int64_t n)
{
    SPANS(OUT(dx, n), IN(x, n), IN(dy, n), IN(slope, 256));
}
#endif
