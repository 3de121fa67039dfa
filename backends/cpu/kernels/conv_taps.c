/* conv_taps.c - fp32 convolution by taps (taps.h). Empty for levels without wide vectors. */
#include <omp.h>

#include "backends/cpu/taps_planes.h"

#ifdef __AVX2__

/* out[m][p] = bias[m] + sum over taps panel[tap][m] src[offset[tap] + p] for MB rows and `vectors` vectors of positions
 */
#define BLOCK(vectors)                                                                                                 \
    static                                                                                                             \
        __attribute__((noinline)) void block_##vectors(const float *src, const int32_t *offset, int64_t taps,          \
                                                       const float *panel, const float *bias, float *out, int64_t ld)  \
    {                                                                                                                  \
        vec acc[MB][vectors];                                                                                          \
        _Pragma("GCC unroll 8") for (int m = 0; m < MB; m++) _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) \
            acc[m][v] = splat(bias[m]);                                                                                \
        for (int64_t t = 0; t < taps; t++, panel += MB) {                                                              \
            const float *x = src + offset[t];                                                                          \
            vec xv[vectors];                                                                                           \
            _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) xv[v] = load(x + v * LANES);                     \
            _Pragma("GCC unroll 8") for (int m = 0; m < MB; m++)                                                       \
            {                                                                                                          \
                const vec w = splat(panel[m]);                                                                         \
                _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) acc[m][v] += w * xv[v];                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int m = 0; m < MB; m++)                                                           \
                _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) *                                            \
            (vec *)(out + m * ld + v * LANES) = acc[m][v];                                                             \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)

void IB_K(taps_sweep)(const ib_sweep *s)
{
    static void (*const blocks[NV])(const float *, const int32_t *, int64_t, const float *, const float *, float *,
                                    int64_t) = {block_1, block_2, block_3};
    for (int64_t p = 0; p < s->positions; p += STEP) {
        const int64_t vectors = ib_min64(NV, (s->positions - p + LANES - 1) / LANES);
        for (int64_t m = 0; m < s->rows; m += MB) {
            float b[MB] = {0};
            for (int64_t i = 0; s->bias && i < MB && m + i < s->rows; i++)
                b[i] = s->bias[m + i];
            blocks[vectors - 1](s->src + p, s->offset, s->taps, s->panels + m * s->taps, b, s->out + m * s->ld + p,
                                s->ld);
        }
    }
}

int IB_K(has_taps)(const ib_window *s)
{
    const int64_t k = s->ic / s->groups * s->kh * s->kw, back = s->oc / s->groups * s->kh * s->kw;
    return k <= MAX_TAPS_AT_ONCE && back <= MAX_TAPS_AT_ONCE && s->sh * s->sw <= MAX_PHASES && s->ow > 0 && s->oh > 0;
}

void IB_K(taps_forward)(const ib_window *s, const float *x, const float *w, const float *bias, float *y, float *scratch)
{
    const ib_taps t = ib_taps_of(s);
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups, k = icg * s->kh * s->kw, rows = up(ocg, MB),
                  ld = up(t.positions, STEP);
    float *panels = scratch, *rooms = scratch + ib_taps_shared(s);
    for (int64_t g = 0; g < s->groups; g++)
        for (int64_t m = 0; m < rows; m++)
            for (int64_t j = 0; j < k; j++)
                panels[(g * rows + m / MB * MB) * k + j * MB + m % MB] = m < ocg ? w[(g * ocg + m) * k + j] : 0.0f;
#pragma omp parallel if (s->n > 1)
    {
        int32_t offset[MAX_TAPS_AT_ONCE];
        float *src = rooms + omp_get_thread_num() * ib_taps_room(s),
              *out = src + icg * s->sh * s->sw * t.plane + IB_TAP_SLACK;
        offsets(s, &t, offset);
        memset(src, 0, (size_t)(out - src) * sizeof *src); /* borders stay so */
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s->n; i++)
            for (int64_t g = 0; g < s->groups; g++) {
                spread(s, &t, x + (i * s->ic + g * icg) * s->ih * s->iw, src);
                IB_K(taps_sweep)
                (&(ib_sweep){.src = src,
                             .taps = k,
                             .rows = ocg,
                             .positions = t.positions,
                             .offset = offset,
                             .panels = panels + g * rows * k,
                             .bias = bias ? bias + g * ocg : NULL,
                             .out = out,
                             .ld = ld});
                for (int64_t o = 0; o < ocg; o++)
                    for (int64_t r = 0; r < s->oh; r++)
                        copy(y + ((i * s->oc + g * ocg + o) * s->oh + r) * s->ow, out + o * ld + r * t.wide, s->ow);
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
void IB_K(taps_sweep)(const ib_sweep *s)
{
    (void)s;
}

#endif
