/* factors.c - what accumulators, sums and tables of codes are multiplied by and clamped to, by formulas/factors.h. */
#include "backends/cpu/level.h"
#include "backends/formulas/factors.h"

void IB_K(product_steps)(ib_device *dev, const ib_product_constants *p)
{
    if (p->area) {
        *p->acc_scale = *p->in_scale / (float)p->area;
        return;
    }
    int64_t o = 0;
    while (o < p->outputs && ib_product_step(p, o, p->at))
        o++;
    for (; o < p->outputs; o++)
        ib_no_product_step(p, o);
}

void IB_K(product_factors)(ib_device *dev, const ib_product_constants *p)
{
    for (int64_t o = 0; o < p->outputs; o++)
        ib_product_factor(p, o, p->at);
    ib_result_bounds(&p->out, p->lo, p->hi);
}

void IB_K(add_factors)(ib_device *dev, const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                       struct isobit_add *made, float *top, ib_site at)
{
    ib_add_factors(a, b, r, made, top, at);
}

void IB_K(mul_factors)(ib_device *dev, const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                       struct isobit_mul *made, float *top, ib_site at)
{
    ib_mul_factors(a, b, r, made, top, at);
}

void IB_K(lookup_table)(ib_device *dev, const float *scale, const int32_t *zero, int f, const ib_result_codes *r,
                        int8_t *table, float *slope)
{
    for (int code = -128; code < 128; code++)
        table[code + 128] = ib_table_entry(code, *scale, ib_zero_of(zero), f, r, &slope[code + 128]);
}
