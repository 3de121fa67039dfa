/* weight_scales.c - scales of weights that suit the product's accumulator, by formulas/weight_scales.h. */
#include <float.h>
#include <math.h>

#include "backends/formulas/codes.h"
#include "backends/cpu/level.h"
#include "backends/formulas/weight_scales.h"

static int check_scales(const ib_weight_scaling *p, float in_scale)
{
    float top = 0;
    for (int c = 0; c < p->count; c++) {
        if (!isfinite(p->scale[c])) {
            ib_raise(p->at, IB_FAULT_weights_not_finite, c, 0, 0, 0);
            return 0;
        }
        top = p->scale[c] > top ? p->scale[c] : top;
    }
    for (int c = 0; c < p->count; c++)
        if (!ib_check_scale(p, c, in_scale, top, p->at))
            return 0;
    return 1;
}

static int suit(const ib_weight_scaling *p, float in_scale)
{
    for (int c = 0; c < p->count; c++)
        ib_suit_empty(p, c, in_scale);
    for (int64_t o = 0; o < p->n_bias; o++)
        if (!ib_raise_scale(p, o, in_scale, p->at))
            return 0;
    return 1;
}

void IB_K(weight_scales)(ib_device *dev, const ib_weight_scaling *p)
{
    const float in_scale = p->in_scale ? *p->in_scale : 0;
    for (int c = 0; c < p->count; c++)
        ib_begin_scale(p, c);
    const int ok = check_scales(p, in_scale) && (!p->bias || !(in_scale > 0) || suit(p, in_scale));
    for (int c = 0; c < p->count && !ok; c++)
        ib_no_scale(p, c);
}

/* By the formula of quantize_groups. */
void IB_K(requantize_groups)(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p, const float *chosen)
{
    const int64_t groups = (cols + p->group_size - 1) / p->group_size;
    for (int64_t r = 0; r < rows; r++) {
        const float scale = p->scale[r];
        for (int64_t g = 0; g < groups && scale > chosen[r]; g++) {
            const int64_t first = r * cols + g * p->group_size, end = ib_min64(r * cols + cols, first + p->group_size);
            float top = 0;
            for (int64_t i = first; i < end; i++)
                top = fmaxf(top, fabsf(p->w[i]));
            /* at most 15 but for rounding: the scale only grew */
            const uint8_t factor = p->factor[r * groups + g] = ib_group_factor(top, p->qmax, scale);
            for (int64_t i = first; i < end; i++)
                p->q[i] = (int8_t)ib_regrown_code(p->w[i], scale * factor, p->qmax);
        }
    }
}

void IB_K(row_steps)(ib_device *dev, int64_t rows, float *scale, ib_site at)
{
    for (int64_t i = 0; i < rows; i++)
        scale[i] = ib_row_step(scale[i], i, at);
}
