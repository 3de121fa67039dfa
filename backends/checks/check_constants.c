/* check_constants.c - of kernels that make the constants of quantized layers. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED
void ib_check_follow(ib_device *dev, const ib_following *p)
{
    IB_ASSERT(p->qmin < 0 && p->qmax > 0, "a range becomes codes of a width, of which 0 is one");
    IB_ASSERT(!p->param || p->learned != IB_NOT_LEARNED, "a parameter is learned");
    SPANS(OUT(p->scale, 1), OUT(p->zero, 1), OUT(p->state, 1), IN(p->lo, 1), IN(p->lo ? p->hi : NULL, 1),
          IN(p->param, 1));
}

void ib_check_product_steps(ib_device *dev, const ib_product_constants *p)
{
    IB_ASSERT(p->area ? p->outputs == 1 && !p->bias : p->n_w_scales == 1 || p->n_w_scales == p->outputs,
              "weights have a scale, or one an output");
    SPANS(OUT(p->acc_scale, p->outputs), OUT(p->bias_code, p->outputs), IN(p->in_scale, 1),
          IN(p->w_scale, p->n_w_scales), IN(p->bias, p->outputs));
}

void ib_check_product_factors(ib_device *dev, const ib_product_constants *p)
{
    IB_ASSERT(*p->out.scale > 0 && ib_is_code(*p->out.zero), "a result has a scale before its codes are bounded");
    SPANS(OUT(p->factor, p->outputs), OUT(p->lo, 1), OUT(p->hi, 1), OUT(p->top, p->outputs), IN(p->in_scale, 1),
          IN(p->w_scale, p->n_w_scales), IN(p->bias, p->outputs), IN(p->acc_scale, p->outputs),
          IN(p->bias_code, p->outputs));
}

void ib_check_lookup_table(ib_device *dev, const float *scale, const int32_t *zero, int f, const ib_result_codes *r,
                           int8_t *table, float *slope)
{
    ZERO(ib_zero_of(zero));
    IB_ASSERT(*r->scale > 0 && ib_is_code(*r->zero), "a result has a scale before its codes are bounded");
    SPANS(OUT(table, 256), OUT(slope, 256), IN(scale, 1), IN(r->scale, 1));
}

void ib_check_weight_scales(ib_device *dev, const ib_weight_scaling *p)
{
    IB_ASSERT(p->count >= 1 && p->size % p->count == 0, "each scale has as many weights");
    IB_ASSERT(!p->bias || p->count == 1 || p->n_bias == p->count, "a bias for each channel");
    SPANS(OUT(p->scale, p->count), OUT(p->chosen, p->count), IN(p->w, p->size), IN(p->in_scale, 1),
          IN(p->bias, p->n_bias));
}

void ib_check_requantize_groups(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p,
                                const float *chosen)
{
    const int64_t groups = (cols + p->group_size - 1) / p->group_size;
    IB_ASSERT(p->group_size >= 1, "groups have columns");
    SPANS(OUT(p->q, rows * cols), OUT(p->factor, rows * groups), IN(p->scale, rows), IN(chosen, rows),
          IN(p->w, rows * cols));
}

void ib_check_acc_rows(ib_device *dev, int64_t rows, int64_t out, const int32_t *acc, const float *row_scale,
                       const float *scale, int n_scales, const float *bias, float *y)
{
    IB_ASSERT(n_scales == 1 || n_scales == out, "weights have a scale, or one an output");
    SPANS(OUT(y, rows * out), IN(acc, rows * out), IN(row_scale, rows), IN(scale, n_scales), IN(bias, out));
}

#define FOLD(p)                                                                                                        \
    IN((p)->gamma, (p)->n), IN((p)->beta, (p)->n), IN((p)->bias, (p)->n), IN((p)->mean, (p)->n), IN((p)->var, (p)->n)

void ib_check_fold_gain(ib_device *dev, const ib_fold *p, float *gain)
{
    SPANS(OUT(gain, p->n), FOLD(p));
}

void ib_check_fold_bias(ib_device *dev, const ib_fold *p, float *y)
{
    SPANS(OUT(y, p->n), FOLD(p), IN(p->gain, p->n));
}

void ib_check_fold_bias_grad(ib_device *dev, const ib_fold *p, const float *dy, float *dgamma, float *dbeta,
                             float *dbias)
{
    SPANS(OUT(dgamma, p->n), OUT(dbeta, p->n), OUT(dbias, p->n), IN(dy, p->n), FOLD(p), IN(p->gain, p->n));
}
#endif
