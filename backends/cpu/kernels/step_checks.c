/* step_checks.c - what a training step is held to, and comes to: data and losses that are finite, the norm of its
 * gradients, losses and answers that are counted; by formulas/steps.h. */
#include "backends/cpu/level.h"
#include "backends/formulas/steps.h"

void IB_K(need_finite)(ib_device *dev, const float *x, int64_t n, int64_t row, ib_site at)
{
    const int64_t i = IB_K(first_not_finite)(dev, x, n);
    if (i < n)
        ib_say_data(at, i, x[i], row);
}

void IB_K(spoil)(ib_device *dev, float *y, int64_t n, const ib_fault *fault)
{
    for (int64_t i = 0; fault->kind && i < n; i++)
        y[i] = NAN;
}

void IB_K(judge)(ib_device *dev, const float *loss, ib_pass pass, const ib_fault *operators, const ib_fault *data,
                 ib_fault *verdict, ib_fault *refused)
{
    ib_judge(*loss, pass, operators, data, verdict, refused);
}

void IB_K(clip_factor)(ib_device *dev, const double *square, double most, double *norm, float *factor,
                       ib_fault *refused)
{
    ib_clip_factor(*square, most, norm, factor, refused);
}

void IB_K(add_loss)(ib_device *dev, const float *loss, double weight, ib_tally *tally)
{
    ib_add_loss(*loss, weight, tally);
}

void IB_K(count_right)(ib_device *dev, const float *y, int64_t rows, int64_t cols, const int32_t *label,
                       ib_tally *tally)
{
    for (int64_t i = 0; i < rows; i++)
        tally->right += ib_is_right(y + i * cols, cols, label[i]);
}
