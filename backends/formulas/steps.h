/* steps.h - what a training step is held to, and comes to. Of the formulas that kernels of the CPU and of CUDA share.
 */
#ifndef IB_BACKENDS_FORMULAS_STEPS_H
#define IB_BACKENDS_FORMULAS_STEPS_H

#include <float.h>
#include <math.h>

#include "backends/operands.h"

IB_DEVICE_FN static inline int ib_is_finite(float x)
{
    return fabsf(x) <= FLT_MAX;
}

/* Value i of data in samples of `row` values, without a NaN's sign. */
IB_DEVICE_FN static inline void ib_say_data(ib_site at, int64_t i, float x, int64_t row)
{
    ib_raise(at, IB_FAULT_data_not_finite, i, fabs((double)x), (double)row, 0);
}

IB_DEVICE_FN static inline void ib_judge(float loss, ib_pass pass, const ib_fault *operators, const ib_fault *data,
                                         ib_fault *verdict, ib_fault *refused)
{
    *verdict = *data;
    if (!data->kind && !isfinite(loss))
        *verdict = (ib_fault){.kind = IB_FAULT_loss_not_finite, .value = {fabs((double)loss)}};
    verdict->step = pass.step;
    verdict->now = pass.now;
    if (refused && (verdict->kind || operators->kind))
        *refused = (ib_fault){.kind = verdict->kind ? IB_FAULT_step_refused : IB_FAULT_step_failed, .step = pass.step};
}

/* norm = sqrt(square);  factor = most / norm where that is below 1 */
IB_DEVICE_FN static inline void ib_clip_factor(double square, double most, double *norm, float *factor,
                                               ib_fault *refused)
{
    *norm = sqrt(square);
    *factor = isfinite(*norm) && *norm > most ? (float)(most / *norm) : 1.0f;
    if (!isfinite(*norm))
        ib_raise((ib_site){.fault = refused}, IB_FAULT_norm_not_finite, 0, fabs(*norm), 0, 0);
}

IB_DEVICE_FN static inline void ib_add_loss(float loss, double weight, ib_tally *tally)
{
    tally->loss += loss * weight;
    tally->steps++;
}

/* Whether the largest of y[cols], of several that are as large the first, is the label's. */
IB_DEVICE_FN static inline int ib_is_right(const float *y, int64_t cols, int32_t label)
{
    int64_t best = 0;
    for (int64_t j = 1; j < cols; j++)
        best = y[j] > y[best] ? j : best;
    return best == label;
}

#endif
