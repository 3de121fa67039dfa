/* depthwise_taps.c - depthwise fp32 convolution by taps (taps.h): forward, both gradients. Empty for levels without wide vectors. */
#include <omp.h>

#include "backends/cpu/taps_planes.h"

#ifdef __AVX2__

enum { WIDE = 4 }; /* vectors of positions at a time */

/* y[p] = bias + sum over taps w[tap] src[offset[tap] + p] */
static void one_plane(const float *src, const int32_t *offset, int taps, const float *w, float bias, int64_t positions, float *out)
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

void IB_K(taps_depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y, float *scratch)
{
    const ib_window one = one_channel(s);
    const ib_taps t = ib_taps_of(&one);
    const int area = s->kh * s->kw;
#pragma omp parallel for schedule(static) if (s->n * s->ic > 1)
    for (int64_t i = 0; i < s->n * s->ic; i++) {
        int32_t offset[MAX_TAPS_AT_ONCE];
        float *src = scratch + omp_get_thread_num() * ib_taps_room(&one), *out = src + s->sh * s->sw * t.plane + 2 * IB_TAP_SLACK;
        const int64_t c = i % s->ic;
        offsets(&one, &t, offset);
        spread(&one, &t, x + i * s->ih * s->iw, src);
        one_plane(src, offset, area, w + c * area, bias ? bias[c] : 0.0f, t.positions, out);
        for (int64_t r = 0; r < s->oh; r++)
            memcpy(y + (i * s->oh + r) * s->ow, out + r * t.wide, (size_t)s->ow * sizeof *y);
    }
}

void IB_K(taps_depthwise_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx, float *scratch)
{
    const ib_window one = one_channel(s);
    const ib_taps t = ib_taps_of(&one);
    const int area = s->kh * s->kw;
#pragma omp parallel for schedule(static) if (s->n * s->ic > 1)
    for (int64_t i = 0; i < s->n * s->ic; i++) {
        int32_t offset[MAX_TAPS_AT_ONCE];
        float taps[MAX_TAPS_AT_ONCE], *wide = scratch + omp_get_thread_num() * ib_taps_room(&one), *out = wide + dy_stride(&t) + 2 * IB_TAP_SLACK;
        const float *row = w + i % s->ic * area;
        spread_dy(&one, &t, dy + i * s->oh * s->ow, wide);
        for (int f = 0; f < s->sh * s->sw; f++) {
            int n = 0;
            for (int ky = f / s->sw; ky < s->kh; ky += s->sh)
                for (int kx = f % s->sw; kx < s->kw; kx += s->sw, n++) {
                    offset[n] = (int32_t)(t.front - (ky / s->sh * t.wide + kx / s->sw));
                    taps[n] = row[ky * s->kw + kx];
                }
            if (!n)
                continue;
            one_plane(wide, offset, n, taps, 0, t.plane, out);
            collect(&one, &t, f / s->sw, f % s->sw, out, dx + i * s->ih * s->iw);
        }
    }
}

/* dw of samples first .. last - 1, added to part [ic][area] */
void IB_K(taps_depthwise_grad_w)(const ib_window *s, const float *x, const float *dy, int64_t first, int64_t last, float *part, float *room)
{
    const ib_window one = one_channel(s);
    const ib_taps t = ib_taps_of(&one);
    const int area = s->kh * s->kw;
    int32_t offset[MAX_TAPS_AT_ONCE];
    float *src = room, *wide = src + s->sh * s->sw * t.plane + 2 * IB_TAP_SLACK;
    offsets(&one, &t, offset);
    for (int64_t i = first * s->ic; i < last * s->ic; i++) {
        spread(&one, &t, x + i * s->ih * s->iw, src);
        spread_dy(&one, &t, dy + i * s->oh * s->ow, wide);
        const float *d = wide + t.front;
        for (int j = 0; j < area; j += GT) {
            vec acc[GT];
            const float *at[GT];
#pragma GCC unroll 6
            for (int k = 0; k < GT; k++) {
                acc[k] = splat(0);
                at[k] = src + offset[j + k < area ? j + k : j];
            }
            for (int64_t p = 0; p < t.positions; p += LANES) {
                const vec dv = load(d + p);
#pragma GCC unroll 6
                for (int k = 0; k < GT; k++)
                    acc[k] += dv * load(at[k] + p);
            }
            for (int k = 0; k < GT && j + k < area; k++)
                part[i % s->ic * area + j + k] += add_lanes(acc[k]);
        }
    }
}

#else

void IB_K(taps_depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y, float *scratch)
{
    (void)s, (void)x, (void)w, (void)bias, (void)y, (void)scratch;
}
void IB_K(taps_depthwise_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx, float *scratch)
{
    (void)s, (void)dy, (void)w, (void)dx, (void)scratch;
}
void IB_K(taps_depthwise_grad_w)(const ib_window *s, const float *x, const float *dy, int64_t first, int64_t last, float *part, float *room)
{
    (void)s, (void)x, (void)dy, (void)first, (void)last, (void)part, (void)room;
}

#endif
