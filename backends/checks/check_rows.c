/* check_rows.c - of kernels on rows of fp32: element by element, sums. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED

void ib_check_axpy(ib_device *dev, float *y, const float *x, int64_t n, float a)
{
    SPANS(OUT(y, n), IN(x, n));
}

void ib_check_axpy_by(ib_device *dev, float *y, const float *x, int64_t n, float a, const float *b)
{
    SPANS(OUT(y, n), IN(x, n), IN(b, 1));
}

void ib_check_add_share(ib_device *dev, float *y, int64_t n, const float *b, float divisor)
{
    IB_ASSERT(divisor > 0, "a share is one of some");
    SPANS(OUT(y, n), IN(b, 1));
}

void ib_check_scale(ib_device *dev, float *y, int64_t n, float a)
{
    SPANS(OUT(y, n));
}

void ib_check_divide(ib_device *dev, const float *x, int64_t n, float divisor, float *y)
{
    SPANS(OUT(y, n), IN(x, n));
}

void ib_check_scale_by(ib_device *dev, float *y, int64_t n, const float *a)
{
    SPANS(OUT(y, n), IN(a, 1));
}

void ib_check_set(ib_device *dev, float *y, int64_t n, float value)
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

void ib_check_mse(ib_device *dev, const float *a, const float *b, int64_t n, float *d, float *y)
{
    SPANS(OUT(d, n), OUT(y, 1), IN(a, n), IN(b, n));
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

void ib_check_mul_rows(ib_device *dev, float *y, const float *c, int64_t rows, int64_t cols)
{
    SPANS(OUT(y, rows * cols), IN(c, cols));
}

/* Elements from the first to the last of these strides. */
static int64_t strided(const ib_strides *s, const int64_t *stride)
{
    int64_t last = 0;
    for (int d = 0; d < 3; d++)
        last += (s->shape[d] - 1) * stride[d];
    return last + 1;
}

void ib_check_copy_strided(ib_device *dev, const ib_strides *s, const void *x, int bytes, void *y)
{
    const char *from = x;
    char *to = y;
    IB_ASSERT(bytes == 1 || bytes == 4, "elements are codes or of fp32");
    SPANS(OUT(to, strided(s, s->to) * bytes), IN(from, strided(s, s->from) * bytes));
}

void ib_check_add_strided(ib_device *dev, const ib_strides *s, const float *x, float *y)
{
    SPANS(OUT(y, strided(s, s->to)), IN(x, strided(s, s->from)));
}

/* Rows up to the highest that is named. */
static int64_t rows_named(const int32_t *row, int64_t n)
{
    int32_t last = 0;
    for (int64_t i = 0; i < n; i++) {
        IB_ASSERT(row[i] >= 0, "rows have numbers of 0 or more");
        last = row[i] > last ? row[i] : last;
    }
    return (int64_t)last + 1;
}

void ib_check_add_to_rows(ib_device *dev, const int32_t *row, int64_t n, int64_t cols, const float *x, float a,
                          float *y)
{
    SPANS(OUT(y, rows_named(row, n) * cols), IN(x, n * cols), IN(row, n));
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

void ib_check_cross_entropy(ib_device *dev, const ib_class_loss *s, const float *x, float *prob, float *y)
{
    IB_ASSERT(labels_are_classes(s), "labels are classes");
    IB_ASSERT(s->divisor > 0, "the labels weigh something");
    SPANS(OUT(prob, s->rows * s->cols), OUT(y, 1), IN(x, s->rows * s->cols), IN(s->weight, s->cols));
}

void ib_check_cross_entropy_grad(ib_device *dev, const ib_class_loss *s, const float *prob, const float *dy, float *dx)
{
    IB_ASSERT(labels_are_classes(s), "labels are classes");
    IB_ASSERT(s->divisor > 0, "the labels weigh something");
    SPANS(OUT(dx, s->rows * s->cols), IN(prob, s->rows * s->cols), IN(s->weight, s->cols), IN(dy, 1));
}

void ib_check_bn_track(ib_device *dev, int64_t c, int64_t count, float momentum, const float *mean, const float *var,
                       float *running_mean, float *running_var)
{
    IB_ASSERT(count > 1, "one number has no variance");
    SPANS(OUT(running_mean, c), OUT(running_var, c), IN(mean, c), IN(var, c));
}

void ib_check_bn_rstd(ib_device *dev, int64_t c, const float *var, float eps, float *rstd)
{
    if (rstd == var) /* in place is allowed here */
        SPANS(OUT(rstd, c));
    else
        SPANS(OUT(rstd, c), IN(var, c));
}
#endif
