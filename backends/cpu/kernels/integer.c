/* integer.c - codes x codes by the functions of runtime/isobit_rt.h, which are the specification. */
#include <math.h>
#include <omp.h>

#include "arithmetic/runtime.h"
#include "backends/cpu/level.h"

void IB_K(qconv2d)(ib_device *dev, const ib_window *s, const ib_qproduct *p)
{
    const ib_qweights *w = p->w;
    const int8_t *x = p->x;
    int32_t *acc = p->acc;
    float *scratch = p->scratch;
    const int k = (int)(s->ic / s->groups) * s->kh * s->kw, pixels = (int)(s->oh * s->ow);
    const isobit_conv2d c = {
        .in_c = (int32_t)s->ic,
        .in_h = (int32_t)s->ih,
        .in_w = (int32_t)s->iw,
        .out_c = (int32_t)s->oc,
        .out_h = (int32_t)s->oh,
        .out_w = (int32_t)s->ow,
        .kernel_h = s->kh,
        .kernel_w = s->kw,
        .stride_h = s->sh,
        .stride_w = s->sw,
        .pad_h = s->ph,
        .pad_w = s->pw,
        .groups = s->groups,
        .bits = 8,
        .row_bytes = k,
        .group_size = w->group_size,
        .n_groups = w->n_groups,
        .in_zero = ib_zero_of(p->in_zero),
        .weights = (const uint8_t *)w->codes,
        .group_factor = w->group_factor,
        .bias = p->bias,
    };
    const int channels = c.out_c / c.groups;
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        int16_t *patch = (int16_t *)(scratch + omp_get_thread_num() * (int64_t)(k / 2 + 1));
        for (int g = 0; g < c.groups; g++)
            for (int l = 0; l < pixels; l++) {
                isobit_patch(&c, x + i * s->ic * s->ih * s->iw, g, l / c.out_w, l % c.out_w, patch);
                for (int o = g * channels; o < (g + 1) * channels; o++)
                    acc[(i * s->oc + o) * pixels + l] = isobit_accumulate(&c, o, patch);
            }
    }
    if (p->r)
        IB_K(requant)(dev, &(ib_planes){s->n, s->oc, pixels}, acc, p->r);
}

int64_t IB_K(qlinear_pack)(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                           const int32_t *bias, void *packed)
{
    (void)k, (void)out, (void)in_zero, (void)w, (void)bias, (void)packed;
    return 0;
}

int64_t IB_K(qconv2d_pack)(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                           void *packed)
{
    (void)s, (void)in_zero, (void)w, (void)bias, (void)packed;
    return 0;
}

void IB_K(qlinear)(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    const ib_window s = ib_window_of_rows(rows, k, out);
    IB_K(qconv2d)(dev, &s, p);
}

/* The extremes of scale[c] * acc over all elements. */
void IB_K(acc_range)(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *lo, float *hi)
{
    const int64_t n = s->n, c = s->c, hw = s->hw;
    float a = 0, b = 0;
    int any = 0;
    for (int64_t j = 0; j < c; j++) {
        int32_t least = INT32_MAX, most = INT32_MIN;
        for (int64_t i = 0; i < n; i++)
            for (int64_t l = 0; l < hw; l++) {
                const int32_t v = acc[(i * c + j) * hw + l];
                least = v < least ? v : least;
                most = v > most ? v : most;
            }
        const float low = (float)least * scale[j], high = (float)most * scale[j];
        a = !any || low < a ? low : a;
        b = !any || high > b ? high : b;
        any = 1;
    }
    *lo = a;
    *hi = b;
}

/* y = acc (row_scale scale[o]) + bias[o] */
void IB_K(acc_rows)(ib_device *dev, int64_t rows, int64_t out, const int32_t *acc, const float *row_scale,
                    const float *scale, int n_scales, const float *bias, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t o = 0; o < out; o++)
            y[i * out + o] =
                (float)acc[i * out + o] * (row_scale[i] * scale[n_scales == 1 ? 0 : o]) + (bias ? bias[o] : 0.0f);
}

/* Writes code and mask bit of element i from its value v before zero point and clamp. */
#define STORE(i, v, zero, lo, hi, passes)                                                                              \
    do {                                                                                                               \
        const int32_t value = v;                                                                                       \
        q[i] = isobit_clamp(value, zero, lo, hi);                                                                      \
        bits |= (unsigned)(value >= (lo) - (zero) && value <= (hi) - (zero) && (passes)) << ((i)&7);                   \
    } while (0)

/* Elements in groups of eight, the bits of one mask byte. */
#define FOR_BYTES(n, body)                                                                                             \
    _Pragma("omp parallel for schedule(static) if (n > IB_SERIAL)") for (int64_t b = 0; b < (n + 7) / 8; b++)          \
    {                                                                                                                  \
        unsigned bits = 0;                                                                                             \
        for (int64_t i = 8 * b; i < ib_min64(n, 8 * b + 8); i++)                                                       \
            body;                                                                                                      \
        if (mask)                                                                                                      \
            mask[b] = (uint8_t)bits;                                                                                   \
    }

/* q = clamp(requant(acc, scale[c]) + zero, lo, hi) */
void IB_K(requant)(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r)
{
    const int64_t per_channel = s->hw, channels = s->c, n = s->n * s->c * s->hw;
    const isobit_scale *scale = r->scale;
    const int32_t *top = r->top;
    const int profile = r->profile, zero = *r->zero, lo = *r->lo, hi = *r->hi;
    int8_t *q = r->codes;
    uint8_t *mask = r->mask;
    FOR_BYTES(n, STORE(i, isobit_requant(acc[i], scale[i / per_channel % channels], profile), zero, lo, hi,
                       !top || (acc[i] > 0 && acc[i] < top[i / per_channel % channels])))
}

void IB_K(qadd)(ib_device *dev, const struct isobit_add *p, int64_t n, const int8_t *x, const int8_t *y, int profile,
                int8_t *q, uint8_t *mask)
{
    FOR_BYTES(n, STORE(i, isobit_add_codes(p, x[i], y[i], profile), p->out_zero, p->lo, p->hi, 1))
}

void IB_K(qmul)(ib_device *dev, const struct isobit_mul *p, int64_t n, const int8_t *x, const int8_t *y, int profile,
                int8_t *q, uint8_t *mask)
{
    FOR_BYTES(n, STORE(i, isobit_requant((x[i] - p->a_zero) * (y[i] - p->b_zero), p->scale, profile), p->out_zero,
                       p->lo, p->hi, 1))
}

/* Of the sums or products of two coded operands: locals that a parallel loop takes by value. */
#define OPERANDS(a, b)                                                                                                 \
    const int8_t *codes_a = (a)->codes, *codes_b = (b)->codes;                                                         \
    const float s_a = *(a)->scale, s_b = *(b)->scale;                                                                  \
    const int zero_a = ib_zero_of((a)->zero), zero_b = ib_zero_of((b)->zero)
#define REAL_A(i) (s_a * (float)(codes_a[i] - zero_a))
#define REAL_B(i) (s_b * (float)(codes_b[i] - zero_b))

void IB_K(real_range)(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, float *lo,
                      float *hi)
{
    OPERANDS(a, b);
    *lo = INFINITY;
    *hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const float x = REAL_A(i), y = REAL_B(i), v = product ? x * y : x + y;
        *lo = v < *lo ? v : *lo;
        *hi = v > *hi ? v : *hi;
    }
}

void IB_K(real_passes)(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, const float *top,
                       uint8_t *mask)
{
    OPERANDS(a, b);
    const float most = *top;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t k = 0; k < (n + 7) / 8; k++) {
        unsigned bits = 0;
        for (int64_t i = 8 * k; i < ib_min64(n, 8 * k + 8); i++) {
            const float x = REAL_A(i), y = REAL_B(i), v = product ? x * y : x + y;
            bits |= (unsigned)(v > 0 && v < most) << (i & 7);
        }
        mask[k] &= (uint8_t)bits;
    }
}

void IB_K(lookup)(ib_device *dev, const int8_t *table, const int8_t *x, int8_t *y, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        y[i] = table[x[i] + 128];
}

/* dx += slope[x + 128] dy */
void IB_K(lookup_grad)(ib_device *dev, const float *slope, const int8_t *x, const float *dy, float *dx, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        dx[i] += slope[x[i] + 128] * dy[i];
}
