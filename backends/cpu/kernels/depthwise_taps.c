/* depthwise_taps.c - depthwise fp32 convolution by taps (taps.h): forward, both gradients. Empty for levels without
 * wide vectors. */
#include <omp.h>

#include "backends/cpu/taps_planes.h"

#ifdef __AVX2__

enum { WIDE = 4 }; /* vectors of positions at a time */

/* y[p] = bias + sum over taps w[tap] src[offset[tap] + p] */
static void one_plane(const float *src, const int32_t *offset, int taps, const float *w, float bias, int64_t positions,
                      float *out)
{
    for (int64_t p = 0; p < positions; p += WIDE * LANES) {
        vec acc[WIDE];
#pragma GCC unroll 4
        for (int v = 0; v < WIDE; v++)
            acc[v] = splat(bias);
        for (int t = 0; t < taps; t++)
#pragma GCC unroll 4
            for (int v = 0; v < WIDE; v++)
                acc[v] += splat(w[t]) * load(src + offset[t] + p + v * LANES);
#pragma GCC unroll 4
        for (int v = 0; v < WIDE; v++)
            *(vec *)(out + p + v * LANES) = acc[v];
    }
}

/* A depthwise window is `groups` windows of one channel. */
static ib_window one_channel(const ib_window *s)
{
    ib_window one = *s;
    one.ic = one.oc = one.groups = 1;
    return one;
}

void IB_K(taps_depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                          float *scratch)
{
    const ib_window one = one_channel(s);
    const ib_taps t = ib_taps_of(&one);
    const int area = s->kh * s->kw;
#pragma omp parallel if (s->n * s->ic > 1)
    {
        int32_t offset[MAX_TAPS_AT_ONCE];
        float *src = scratch + omp_get_thread_num() * ib_taps_room(&one),
              *out = src + s->sh * s->sw * t.plane + 2 * IB_TAP_SLACK;
        offsets(&one, &t, offset);
        memset(src, 0, (size_t)(out - src) * sizeof *src); /* what lies between rows stays so */
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s->n * s->ic; i++) {
            const int64_t c = i % s->ic;
            spread(&one, &t, x + i * s->ih * s->iw, src);
            one_plane(src, offset, area, w + c * area, bias ? bias[c] : 0.0f, t.positions, out);
            for (int64_t r = 0; r < s->oh; r++)
                copy(y + (i * s->oh + r) * s->ow, out + r * t.wide, s->ow);
        }
    }
}

/* dx, plane by plane of phases, as in conv_taps_grads.c. */
static void input_gradient(const ib_window *one, const ib_taps *t, const float *dz, const float *w, int sets,
                           float *out, float *dx)
{
    int32_t offset[MAX_TAPS_AT_ONCE];
    float taps[MAX_TAPS_AT_ONCE];
    if (sets)
        memset(dx, 0, (size_t)(one->ih * one->iw) * sizeof *dx);
    for (int f = 0; f < one->sh * one->sw; f++) {
        int n = 0;
        for (int ky = f / one->sw; ky < one->kh; ky += one->sh)
            for (int kx = f % one->sw; kx < one->kw; kx += one->sw, n++) {
                offset[n] = (int32_t)(t->front - (ky / one->sh * t->wide + kx / one->sw));
                taps[n] = w[ky * one->kw + kx];
            }
        if (!n)
            continue;
        one_plane(dz, offset, n, taps, 0, t->plane, out);
        collect(one, t, f / one->sw, f % one->sw, out, dx);
    }
}

/* dw[area] += sum over positions of dz[p] src[offset[tap] + p] */
static void weight_gradient(const float *dz, const float *src, const int32_t *offset, int area, int64_t positions,
                            float *dw)
{
    for (int j = 0; j < area; j += GT) {
        vec acc[GT];
        const float *at[GT];
#pragma GCC unroll 6
        for (int k = 0; k < GT; k++) {
            acc[k] = splat(0);
            at[k] = src + offset[j + k < area ? j + k : j];
        }
        for (int64_t p = 0; p < positions; p += LANES) {
            const vec dv = load(dz + p);
#pragma GCC unroll 6
            for (int k = 0; k < GT; k++)
                acc[k] += dv * load(at[k] + p);
        }
        for (int k = 0; k < GT && j + k < area; k++)
            dw[j + k] += add_lanes(acc[k]);
    }
}

/* A plane at a time, while it is in the cache; sums over the batch as in conv_taps_grads.c. */
void IB_K(taps_depthwise_grads)(const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    const ib_window one = one_channel(s);
    const ib_taps t = ib_taps_of(&one);
    const int area = s->kh * s->kw;
    /* of a channel's sums: weights, bias */
    const int64_t parts = ib_min64(s->n, IB_PARTS), row = area + 1, size = s->ih * s->iw;
    float *sums = scratch, *rooms = sums + up(parts * s->ic * row, 16);
    const float x_scale = g->x ? 1.0f : *g->x_scale;
    memset(sums, 0, (size_t)(parts * s->ic * row) * sizeof *sums);
#pragma omp parallel if (parts > 1)
    {
        int32_t offset[MAX_TAPS_AT_ONCE];
        const int32_t zero = ib_zero_of(g->x_zero);
        float *src = rooms + omp_get_thread_num() * up(ib_taps_room(&one), 16),
              *dz = src + s->sh * s->sw * t.plane + 2 * IB_TAP_SLACK, *real = dz + dy_stride(&t) + 2 * IB_TAP_SLACK,
              *out = real + size;
        offsets(&one, &t, offset);
        memset(src, 0, (size_t)(real - src) * sizeof *src); /* what lies between rows stays so */
#pragma omp for schedule(static)
        for (int64_t part = 0; part < parts; part++)
            for (int64_t p = part * s->n / parts * s->ic; p < (part + 1) * s->n / parts * s->ic; p++) {
                float *sum = sums + (part * s->ic + p % s->ic) * row;
                sum[area] += take_plane(s, &t, g, p, dz + t.front);
                if (g->dx)
                    input_gradient(&one, &t, dz, g->w + p % s->ic * area, g->sets_dx, out, g->dx + p * size);
                if (!g->dw)
                    continue;
                for (int64_t i = 0; !g->x && i < size; i++)
                    real[i] = (float)(g->codes[p * size + i] - zero);
                spread(&one, &t, g->x ? g->x + p * size : real, src);
                weight_gradient(dz + t.front, src, offset, area, t.positions, sum);
            }
    }
    for (int64_t part = 1; part < parts; part++)
        for (int64_t i = 0; i < s->ic * row; i++)
            sums[i] += sums[part * s->ic * row + i];
    for (int64_t i = 0; i < s->ic * row; i++)
        if (i % row < area && g->dw)
            g->dw[i / row * area + i % row] += x_scale * sums[i];
        else if (i % row == area && g->db)
            g->db[i / row] += sums[i];
}

#else

void IB_K(taps_depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                          float *scratch)
{
    (void)s, (void)x, (void)w, (void)bias, (void)y, (void)scratch;
}
void IB_K(taps_depthwise_grads)(const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    (void)s, (void)g, (void)scratch;
}

#endif
