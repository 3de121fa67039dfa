/* step_checks.c - what a training step is held to, and comes to: data and losses that are finite, the norm of its
 * gradients, losses and answers that are counted. */
#include <math.h>

#include "backends/cpu/level.h"

void IB_K(need_finite)(ib_device *dev, const float *x, int64_t n, int64_t row, ib_site at)
{
    const int64_t i = IB_K(first_not_finite)(dev, x, n);
    if (i < n)
        ib_raise(at, IB_FAULT_data_not_finite, i, fabs(x[i]), (double)row, 0); /* without a NaN's sign */
}

void IB_K(spoil)(ib_device *dev, float *y, int64_t n, const ib_fault *fault)
{
    for (int64_t i = 0; fault->kind && i < n; i++)
        y[i] = NAN;
}

void IB_K(judge)(ib_device *dev, const float *loss, uint64_t step, const ib_fault *operators, const ib_fault *data,
                 ib_fault *verdict, ib_fault *refused)
{
    *verdict = *data;
    if (!data->kind && !isfinite(*loss))
        *verdict = (ib_fault){.kind = IB_FAULT_loss_not_finite, .value = {fabs(*loss)}};
    verdict->step = step;
    if (verdict->kind || operators->kind)
        *refused = (ib_fault){.kind = verdict->kind ? IB_FAULT_step_refused : IB_FAULT_step_failed, .step = step};
}

void IB_K(add_sum_sq)(ib_device *dev, const float *x, int64_t n, double *sum)
{
    *sum += IB_K(sum_sq)(dev, x, n);
}

/* norm = sqrt(square);  factor = most / norm where that is below 1 */
void IB_K(clip_factor)(ib_device *dev, const double *square, double most, double *norm, float *factor,
                       ib_fault *refused)
{
    *norm = sqrt(*square);
    *factor = isfinite(*norm) && *norm > most ? (float)(most / *norm) : 1.0f;
    if (!isfinite(*norm))
        ib_raise((ib_site){.fault = refused}, IB_FAULT_norm_not_finite, 0, fabs(*norm), 0, 0);
}

void IB_K(add_loss)(ib_device *dev, const float *loss, double weight, ib_tally *tally)
{
    tally->loss += *loss * weight;
    tally->steps++;
}

void IB_K(count_right)(ib_device *dev, const float *y, int64_t rows, int64_t cols, const int32_t *label,
                       ib_tally *tally)
{
    for (int64_t i = 0; i < rows; i++) {
        const float *row = y + i * cols;
        int64_t best = 0;
        for (int64_t j = 1; j < cols; j++)
            best = row[j] > row[best] ? j : best;
        tally->right += best == label[i];
    }
}
