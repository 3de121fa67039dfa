/* check_rows.c - of kernels on rows of fp32: element by element, sums, optimizer steps. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED

void ib_check_axpy(ib_device *dev, float *y, const float *x, int64_t n, float a)
{
    SPANS(OUT(y, n), IN(x, n));
}

void ib_check_scale(ib_device *dev, float *y, int64_t n, float a)
{
    SPANS(OUT(y, n));
}

/* Elements of the result, and of an operand with these strides. */
static int64_t elements(const ib_bcast *s)
{
    return s->shape[0] * s->shape[1] * s->shape[2] * s->shape[3];
}

static int64_t reach(const ib_bcast *s, const int64_t *stride)
{
    int64_t last = 0;
    for (int d = 0; d < IB_MAX_DIMS; d++)
        last += (s->shape[d] - 1) * stride[d];
    return s->flat ? elements(s) : last + 1;
}

void ib_check_add(ib_device *dev, const ib_bcast *s, const float *a, const float *b, float *y)
{
    SPANS(OUT(y, elements(s)), IN(a, reach(s, s->a)), IN(b, reach(s, s->b)));
}

void ib_check_mul(ib_device *dev, const ib_bcast *s, const float *a, const float *b, float *y)
{
    SPANS(OUT(y, elements(s)), IN(a, reach(s, s->a)), IN(b, reach(s, s->b)));
}

void ib_check_reduce_to(ib_device *dev, const ib_bcast *s, const float *dy, const float *b, float *da)
{
    SPANS(OUT(da, reach(s, s->a)), IN(dy, elements(s)), IN(b, reach(s, s->b)));
}

void ib_check_clamp(ib_device *dev, const float *x, float *y, int64_t n, float lo, float hi)
{
    IB_ASSERT(lo <= hi, "a clamp's bounds are in order");
    if (x != y) /* in place is allowed here */
        SPANS(OUT(y, n), IN(x, n));
}

void ib_check_clamp_grad(ib_device *dev, const float *x, const float *dy, float *dx, int64_t n, float lo, float hi,
                         int add)
{
    IB_ASSERT(lo <= hi, "a clamp's bounds are in order");
    SPANS(OUT(dx, n), IN(x, n), IN(dy, n));
}

void ib_check_round(ib_device *dev, const float *x, float *y, int64_t n)
{
    SPANS(OUT(y, n), IN(x, n));
}

void ib_check_sigmoid(ib_device *dev, const float *x, float *y, int64_t n)
{
    SPANS(OUT(y, n), IN(x, n));
}

void ib_check_sigmoid_grad(ib_device *dev, const float *y, const float *dy, float *dx, int64_t n)
{
    SPANS(OUT(dx, n), IN(y, n), IN(dy, n));
}

void ib_check_tanh(ib_device *dev, const float *x, float *y, int64_t n)
{
    SPANS(OUT(y, n), IN(x, n));
}

void ib_check_tanh_grad(ib_device *dev, const float *y, const float *dy, float *dx, int64_t n)
{
    SPANS(OUT(dx, n), IN(y, n), IN(dy, n));
}

void ib_check_dropout_mask(ib_device *dev, uint8_t *mask, int64_t n, float p, ib_rng rng)
{
    IB_ASSERT(p >= 0 && p < 1, "what is dropped is less than all");
    SPANS(OUT_BITS(mask, n));
}

void ib_check_masked_add(ib_device *dev, const float *x, const uint8_t *mask, float *y, int64_t n, float a)
{
    SPANS(OUT(y, n), IN(x, n), IN_BITS(mask, n));
}

void ib_check_min_max(ib_device *dev, const float *x, int64_t n, float *lo, float *hi)
{
    SPANS(OUT(lo, 1), OUT(hi, 1), IN(x, n));
}

void ib_check_col_sum(ib_device *dev, const float *x, int64_t rows, int64_t cols, float *y)
{
    SPANS(OUT(y, cols), IN(x, rows * cols));
}

void ib_check_add_rows(ib_device *dev, float *y, const float *bias, int64_t rows, int64_t cols)
{
    SPANS(OUT(y, rows * cols), IN(bias, cols));
}

void ib_check_softmax(ib_device *dev, const float *x, float *y, int64_t rows, int64_t cols)
{
    SPANS(OUT(y, rows * cols), IN(x, rows * cols));
}

void ib_check_softmax_grad(ib_device *dev, const float *y, const float *dy, float *dx, int64_t rows, int64_t cols)
{
    SPANS(OUT(dx, rows * cols), IN(y, rows * cols), IN(dy, rows * cols));
}

static int labels_are_classes(const ib_class_loss *s)
{
    for (int64_t i = 0; i < s->rows; i++)
        if (s->label[i] < 0 || s->label[i] >= s->cols)
            return 0;
    return 1;
}

void ib_check_cross_entropy(ib_device *dev, const ib_class_loss *s, const float *x, float *prob)
{
    IB_ASSERT(labels_are_classes(s), "labels are classes");
    SPANS(OUT(prob, s->rows * s->cols), IN(x, s->rows * s->cols), IN(s->weight, s->cols));
}

void ib_check_cross_entropy_grad(ib_device *dev, const ib_class_loss *s, const float *prob, float scale, float *dx)
{
    IB_ASSERT(labels_are_classes(s), "labels are classes");
    SPANS(OUT(dx, s->rows * s->cols), IN(prob, s->rows * s->cols), IN(s->weight, s->cols));
}

void ib_check_sgd(ib_device *dev, const ib_sgd_step *s, float *w, const float *g, float *m, int64_t n)
{
    SPANS(OUT(w, n), OUT(m, n), IN(g, n));
}

void ib_check_adamw(ib_device *dev, const ib_adamw_step *s, float *w, const float *g, float *m, float *v, int64_t n)
{
    IB_ASSERT(s->correction1 > 0 && s->correction2 > 0, "a step of AdamW is not the one before the first");
    SPANS(OUT(w, n), OUT(m, n), OUT(v, n), IN(g, n));
}
#endif
