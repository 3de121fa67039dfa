/* conv_taps.c - fp32 convolution by taps (taps.h): forward, both gradients. Empty for levels without wide vectors. */
#include <omp.h>

#include "backends/cpu/taps_planes.h"

#ifdef __AVX2__

/* out[m][p] = bias[m] + sum over taps panel[tap][m] src[offset[tap] + p] for MB rows and STEP positions */
static __attribute__((noinline)) void block(const float *src, const int32_t *offset, int64_t taps, const float *panel, const float *bias, float *out, int64_t ld)
{
    vec acc[MB][NV];
#pragma GCC unroll 8
    for (int m = 0; m < MB; m++)
#pragma GCC unroll 3
        for (int v = 0; v < NV; v++)
            acc[m][v] = splat(bias[m]);
    for (int64_t t = 0; t < taps; t++, panel += MB) {
        const float *x = src + offset[t];
        vec xv[NV];
#pragma GCC unroll 3
        for (int v = 0; v < NV; v++)
            xv[v] = load(x + v * LANES);
#pragma GCC unroll 8
        for (int m = 0; m < MB; m++) {
            const vec w = splat(panel[m]);
#pragma GCC unroll 3
            for (int v = 0; v < NV; v++)
                acc[m][v] += w * xv[v];
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < MB; m++)
#pragma GCC unroll 3
        for (int v = 0; v < NV; v++)
            *(vec *)(out + m * ld + v * LANES) = acc[m][v];
}

/* All rows (in panels of MB, each [taps][MB]) and positions; out [rows rounded up to MB][ld], ld a multiple of STEP. */
static void sweep(const float *src, const int32_t *offset, int64_t taps, const float *panels, const float *bias, int64_t rows, int64_t positions, float *out, int64_t ld)
{
    for (int64_t p = 0; p < positions; p += STEP)
        for (int64_t m = 0; m < rows; m += MB) {
            float b[MB] = {0};
            for (int64_t i = 0; bias && i < MB && m + i < rows; i++)
                b[i] = bias[m + i];
            block(src + p, offset, taps, panels + m * taps, b, out + m * ld + p, ld);
        }
}

int IB_K(has_taps)(const ib_window *s)
{
    const int64_t k = s->ic / s->groups * s->kh * s->kw, back = s->oc / s->groups * s->kh * s->kw;
    return k <= MAX_TAPS_AT_ONCE && back <= MAX_TAPS_AT_ONCE && s->ow > 0 && s->oh > 0;
}

void IB_K(taps_forward)(const ib_window *s, const float *x, const float *w, const float *bias, float *y, float *scratch)
{
    const ib_taps t = ib_taps_of(s);
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw, rows = up(ocg, MB), ld = up(t.positions, STEP);
    float *panels = scratch, *rooms = scratch + ib_taps_shared(s);
    for (int64_t g = 0; g < s->groups; g++)
        for (int64_t m = 0; m < rows; m++)
            for (int64_t j = 0; j < k; j++)
                panels[(g * rows + m / MB * MB) * k + j * MB + m % MB] = m < ocg ? w[(g * ocg + m) * k + j] : 0.0f;
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        int32_t offset[MAX_TAPS_AT_ONCE];
        float *src = rooms + omp_get_thread_num() * ib_taps_room(s), *out = src + icg * s->sh * s->sw * t.plane + IB_TAP_SLACK;
        offsets(s, &t, offset);
        for (int64_t g = 0; g < s->groups; g++) {
            spread(s, &t, x + (i * s->ic + g * icg) * s->ih * s->iw, src);
            sweep(src, offset, k, panels + g * rows * k, bias ? bias + g * ocg : NULL, ocg, t.positions, out, ld);
            for (int64_t o = 0; o < ocg; o++)
                for (int64_t r = 0; r < s->oh; r++)
                    memcpy(y + ((i * s->oc + g * ocg + o) * s->oh + r) * s->ow, out + o * ld + r * t.wide, (size_t)s->ow * sizeof *y);
        }
    }
}

/* dx, plane by plane: dx(c,a,b)[q] = sum over o and the taps of phase (a,b) of w[o,c,ky,kx] dy[o][q - offset] */
void IB_K(taps_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx, float *scratch)
{
    const ib_taps t = ib_taps_of(s);
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, area = (int64_t)s->kh * s->kw, rows = up(icg, MB), ld = up(t.plane, STEP), all = ocg * area;
    float *panels = scratch, *rooms = scratch + ib_taps_shared(s);
    int64_t taps_of[64], first[65] = {0}; /* by phase */
    const int phases = s->sh * s->sw;
    for (int f = 0; f < phases; f++) {
        taps_of[f] = 0;
        for (int ky = f / s->sw; ky < s->kh; ky += s->sh)
            for (int kx = f % s->sw; kx < s->kw; kx += s->sw)
                taps_of[f] += ocg;
        first[f + 1] = first[f] + taps_of[f];
    }
    for (int64_t g = 0; g < s->groups; g++)
        for (int f = 0; f < phases; f++)
            for (int64_t m = 0; m < rows; m++) {
                int64_t j = 0;
                float *panel = panels + g * rows * all + first[f] * rows + m / MB * MB * taps_of[f] + m % MB;
                for (int64_t o = 0; o < ocg; o++)
                    for (int ky = f / s->sw; ky < s->kh; ky += s->sh)
                        for (int kx = f % s->sw; kx < s->kw; kx += s->sw, j++)
                            panel[j * MB] = m < icg ? w[((g * ocg + o) * icg + m) * area + ky * s->kw + kx] : 0.0f;
            }
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n; i++) {
        int32_t offset[MAX_TAPS_AT_ONCE];
        const int64_t stride = dy_stride(&t);
        float *wide = rooms + omp_get_thread_num() * ib_taps_room(s), *out = wide + ocg * stride + IB_TAP_SLACK;
        for (int64_t g = 0; g < s->groups; g++) {
            spread_dy(s, &t, dy + (i * s->oc + g * ocg) * s->oh * s->ow, wide);
            for (int f = 0; f < phases; f++) {
                const int a = f / s->sw, b = f % s->sw;
                int64_t j = 0;
                if (!taps_of[f])
                    continue;
                for (int64_t o = 0; o < ocg; o++)
                    for (int ky = a; ky < s->kh; ky += s->sh)
                        for (int kx = b; kx < s->kw; kx += s->sw)
                            offset[j++] = (int32_t)(o * stride + t.front - (ky / s->sh * t.wide + kx / s->sw));
                sweep(wide, offset, j, panels + g * rows * all + first[f] * rows, NULL, icg, t.plane, out, ld);
                for (int64_t c = 0; c < icg; c++)
                    collect(s, &t, a, b, out + c * ld, dx + (i * s->ic + g * icg + c) * s->ih * s->iw);
            }
        }
    }
}

/* dw[o][t] += sum over samples and positions of dy[o][p] src[offset[t] + p], GO x GT at a time */
static __attribute__((noinline)) void outer(const float *const *dy, const float *const *src, int64_t samples, int64_t dy_step, const int32_t *offset, int64_t positions, int64_t go, int64_t gt, float *dw, int64_t ld)
{
    vec acc[GO][GT];
#pragma GCC unroll 4
    for (int o = 0; o < GO; o++)
#pragma GCC unroll 6
        for (int t = 0; t < GT; t++)
            acc[o][t] = splat(0);
    for (int64_t i = 0; i < samples; i++) {
        const float *x[GT], *d[GO];
#pragma GCC unroll 6
        for (int t = 0; t < GT; t++)
            x[t] = src[i] + offset[t < gt ? t : 0];
#pragma GCC unroll 4
        for (int o = 0; o < GO; o++)
            d[o] = dy[i] + (o < go ? o : 0) * dy_step;
        for (int64_t p = 0; p < positions; p += LANES) {
            vec dv[GO];
#pragma GCC unroll 4
            for (int o = 0; o < GO; o++)
                dv[o] = load(d[o] + p);
#pragma GCC unroll 6
            for (int t = 0; t < GT; t++) {
                const vec xv = load(x[t] + p);
#pragma GCC unroll 4
                for (int o = 0; o < GO; o++)
                    acc[o][t] += dv[o] * xv;
            }
        }
    }
    for (int o = 0; o < go; o++)
        for (int t = 0; t < gt; t++)
            dw[o * ld + t] += add_lanes(acc[o][t]);
}

/* dw += sum over samples; parts of the batch as in conv.c, part [parts][weights] zeroed by the caller */
void IB_K(taps_grad_w)(const ib_window *s, const float *x, const float *dy, int64_t first, int64_t last, float *part, float *room)
{
    const ib_taps t = ib_taps_of(s);
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw, stride = dy_stride(&t);
    const int64_t source = icg * s->sh * s->sw * t.plane + IB_TAP_SLACK, wide = ocg * stride + IB_TAP_SLACK;
    int32_t offset[MAX_TAPS_AT_ONCE];
    offsets(s, &t, offset);
    for (int64_t i0 = first; i0 < last; i0 += SAMPLES)
        for (int64_t g = 0; g < s->groups; g++) {
            const float *srcs[SAMPLES], *dys[SAMPLES];
            const int64_t n = ib_min64(SAMPLES, last - i0);
            for (int64_t i = 0; i < n; i++) {
                float *src = room + i * (source + wide), *d = src + source;
                spread(s, &t, x + ((i0 + i) * s->ic + g * icg) * s->ih * s->iw, src);
                spread_dy(s, &t, dy + ((i0 + i) * s->oc + g * ocg) * s->oh * s->ow, d);
                srcs[i] = src;
                dys[i] = d + t.front;
            }
            for (int64_t o = 0; o < ocg; o += GO)
                for (int64_t j = 0; j < k; j += GT) {
                    const float *at[SAMPLES];
                    for (int64_t i = 0; i < n; i++)
                        at[i] = dys[i] + o * stride;
                    outer(at, srcs, n, stride, offset + j, t.positions, ib_min64(GO, ocg - o), ib_min64(GT, k - j), part + (g * ocg + o) * k + j, k);
                }
        }
}

#else

int IB_K(has_taps)(const ib_window *s)
{
    (void)s;
    return 0;
}
void IB_K(taps_forward)(const ib_window *s, const float *x, const float *w, const float *bias, float *y, float *scratch)
{
    (void)s, (void)x, (void)w, (void)bias, (void)y, (void)scratch;
}
void IB_K(taps_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx, float *scratch)
{
    (void)s, (void)dy, (void)w, (void)dx, (void)scratch;
}
void IB_K(taps_grad_w)(const ib_window *s, const float *x, const float *dy, int64_t first, int64_t last, float *part, float *room)
{
    (void)s, (void)x, (void)dy, (void)first, (void)last, (void)part, (void)room;
}

#endif
