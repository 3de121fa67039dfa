/* cache_rows.c - keys and values as a cache keeps them: half precision, or int8 by position and group. */
#include <math.h>

#include "backends/cpu/level.h"

/* to[rows][groups][dim] = x as halves */
static void as_halves(const float *x, int64_t n, uint16_t *to)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        to[i] = ib_float_to_half(x[i]);
}

/* scale = max |x| / 127 of each dim values, to = round(127 x / max |x|) */
static void as_codes(const float *x, int64_t groups, int dim, int8_t *to, float *scale)
{
#pragma omp parallel for schedule(static) if (groups * dim > IB_SERIAL)
    for (int64_t s = 0; s < groups; s++) {
        const float *xs = x + s * dim;
        float amax = 0;
        for (int d = 0; d < dim; d++)
            amax = fabsf(xs[d]) > amax ? fabsf(xs[d]) : amax;
        scale[s] = amax / 127;
        for (int d = 0; d < dim; d++)
            to[s * dim + d] = (int8_t)(amax ? rintf(xs[d] * 127 / amax) : 0);
    }
}

void IB_K(cache_rows)(ib_device *dev, const ib_kv_cache *c, int64_t at, int64_t rows, const float *k, const float *v)
{
    const int64_t row = (int64_t)c->groups * c->dim;
    if (c->int8) {
        as_codes(k, rows * c->groups, c->dim, (int8_t *)c->k + at * row, c->k_scale + at * c->groups);
        as_codes(v, rows * c->groups, c->dim, (int8_t *)c->v + at * row, c->v_scale + at * c->groups);
    } else {
        as_halves(k, rows * row, (uint16_t *)c->k + at * row);
        as_halves(v, rows * row, (uint16_t *)c->v + at * row);
    }
}
