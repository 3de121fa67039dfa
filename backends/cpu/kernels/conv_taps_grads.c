/* conv_taps_grads.c - gradients of a convolution by taps (taps.h), a sample at a time while its numbers are in the
 * cache:
 *   dz = dy where the mask has a bit, laid out in rows of `wide`
 *   dx, plane by plane:  dx(c,a,b)[q] = sum over o and the taps of phase (a,b) of w[o,c,ky,kx] dz[o][q - offset]
 *   dw[o][ky][kx,c] += sum over pixels (y,x) of dz[o][y,x] x[y sh + ky, x sw + kx, c]   with x's channels last, so that
 *   a row of the window is one piece of memory and no sum runs across a vector
 * Empty for levels without wide vectors. */
#include <omp.h>

#include "backends/cpu/taps_planes.h"

#ifdef __AVX2__

/* What is the same for all samples. */
typedef struct job {
    const ib_window *s;
    const ib_conv_grads *g;
    ib_taps t;
    int64_t icg, ocg, stride; /* channels of a group; of dz, from channel to channel */
    int64_t line, pixels;     /* of x with channels last: floats of a row of pixels, and of all */
    int64_t vectors, part;    /* of a row of the window; floats of a part's weight sums */
    int64_t ld, all;          /* of dx's planes; taps of an input channel */
    int64_t taps_of[MAX_PHASES], first[MAX_PHASES + 1];
    const float *panels;
} job;

static job job_of(const ib_window *s, const ib_conv_grads *g)
{
    job j = {.s = s, .g = g, .t = ib_taps_of(s), .icg = s->ic / s->groups, .ocg = s->oc / s->groups};
    j.stride = dy_stride(&j.t);
    j.line = ib_taps_line(s, &j.t);
    j.pixels = j.t.rows * s->sh * j.line;
    j.vectors = (s->kw * j.icg + LANES - 1) / LANES;
    j.part = s->groups * up(j.ocg, GB) * s->kh * up(j.vectors, GV) * LANES;
    j.ld = up(j.t.plane, STEP);
    for (int f = 0; f < s->sh * s->sw; f++) {
        for (int ky = f / s->sw; ky < s->kh; ky += s->sh)
            for (int kx = f % s->sw; kx < s->kw; kx += s->sw)
                j.taps_of[f] += j.ocg;
        j.first[f + 1] = j.first[f] + j.taps_of[f];
    }
    j.all = j.ocg * s->kh * s->kw;
    return j;
}

/* The weights in panels of MB input channels, by group and phase. */
static void pack(const job *j, float *panels)
{
    const ib_window *s = j->s;
    const int64_t rows = up(j->icg, MB), area = (int64_t)s->kh * s->kw;
    for (int64_t g = 0; g < s->groups; g++)
        for (int f = 0; f < s->sh * s->sw; f++)
            for (int64_t m = 0; m < rows; m++) {
                int64_t n = 0;
                float *panel = panels + g * rows * j->all + j->first[f] * rows + m / MB * MB * j->taps_of[f] + m % MB;
                for (int64_t o = 0; o < j->ocg; o++)
                    for (int ky = f / s->sw; ky < s->kh; ky += s->sh)
                        for (int kx = f % s->sw; kx < s->kw; kx += s->sw, n++)
                            panel[n * MB] =
                                m < j->icg ? j->g->w[((g * j->ocg + o) * j->icg + m) * area + ky * s->kw + kx] : 0.0f;
            }
}

/* One group's dz of sample i; what lies between its rows is 0 already. Sums by channel to db. */
static void take_dy(const job *j, int64_t i, int64_t g, float *to, double *db)
{
    for (int64_t o = 0; o < j->ocg; o++)
        db[g * j->ocg + o] +=
            take_plane(j->s, &j->t, j->g, i * j->s->oc + g * j->ocg + o, to + o * j->stride + j->t.front);
}

/* ---- dx ---- */

static void input_gradient(const job *j, int64_t i, int64_t g, const float *dz, float *out)
{
    const ib_window *s = j->s;
    const int64_t rows = up(j->icg, MB);
    int32_t offset[MAX_TAPS_AT_ONCE];
    float *dx = j->g->dx + (i * s->ic + g * j->icg) * s->ih * s->iw;
    if (j->g->sets_dx)
        memset(dx, 0, (size_t)(j->icg * s->ih * s->iw) * sizeof *dx);
    for (int f = 0; f < s->sh * s->sw; f++) {
        const int a = f / s->sw, b = f % s->sw;
        int64_t n = 0;
        if (!j->taps_of[f])
            continue;
        for (int64_t o = 0; o < j->ocg; o++)
            for (int ky = a; ky < s->kh; ky += s->sh)
                for (int kx = b; kx < s->kw; kx += s->sw)
                    offset[n++] = (int32_t)(o * j->stride + j->t.front - (ky / s->sh * j->t.wide + kx / s->sw));
        IB_K(taps_sweep)
        (&(ib_sweep){.src = dz,
                     .taps = n,
                     .rows = j->icg,
                     .positions = j->t.plane,
                     .offset = offset,
                     .panels = j->panels + g * rows * j->all + j->first[f] * rows,
                     .out = out,
                     .ld = j->ld});
        for (int64_t c = 0; c < j->icg; c++)
            collect(s, &j->t, a, b, out + c * j->ld, dx + c * s->ih * s->iw);
    }
}

/* ---- dw ---- */

#ifdef __AVX512F__
/* Sixteen pixels of up to sixteen channels: rows become columns. */
static inline void transpose(__m512 r[16])
{
    __m512 t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
#define PAIR(lo_hi, a, b) _mm512_castpd_ps(_mm512_unpack##lo_hi##_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
    for (int i = 0; i < 4; i++) { /* r[4 i + k]: in lane l, rows 4 i .. 4 i + 3 of column 4 l + k */
        r[4 * i] = PAIR(lo, t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = PAIR(hi, t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = PAIR(lo, t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = PAIR(hi, t[4 * i + 1], t[4 * i + 3]);
    }
#undef PAIR
    for (int k = 0; k < 4; k++) {
        const __m512 a = _mm512_shuffle_f32x4(r[k], r[4 + k], 0x88), b = _mm512_shuffle_f32x4(r[k], r[4 + k], 0xDD);
        const __m512 c = _mm512_shuffle_f32x4(r[8 + k], r[12 + k], 0x88),
                     d = _mm512_shuffle_f32x4(r[8 + k], r[12 + k], 0xDD);
        t[k] = _mm512_shuffle_f32x4(a, c, 0x88);
        t[4 + k] = _mm512_shuffle_f32x4(b, d, 0x88);
        t[8 + k] = _mm512_shuffle_f32x4(a, c, 0xDD);
        t[12 + k] = _mm512_shuffle_f32x4(b, d, 0xDD);
    }
    memcpy(r, t, sizeof t);
}
#else
/* Eight pixels of eight channels: rows become columns. */
static inline void transpose(__m256 r[8])
{
    __m256 t[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) { /* r[4 i + k]: in half h, rows 4 i .. 4 i + 3 of column 4 h + k */
        const __m256 *u = t + 4 * i;
        r[4 * i] = _mm256_shuffle_ps(u[0], u[2], 0x44);
        r[4 * i + 1] = _mm256_shuffle_ps(u[0], u[2], 0xEE);
        r[4 * i + 2] = _mm256_shuffle_ps(u[1], u[3], 0x44);
        r[4 * i + 3] = _mm256_shuffle_ps(u[1], u[3], 0xEE);
    }
    for (int k = 0; k < 4; k++) {
        t[k] = _mm256_permute2f128_ps(r[k], r[4 + k], 0x20);
        t[4 + k] = _mm256_permute2f128_ps(r[k], r[4 + k], 0x31);
    }
    memcpy(r, t, sizeof t);
}

/* Pixels at, at + 1, ... of all channels; the last eight end with the last one. */
static void take_pixels(const job *j, int64_t at, int64_t pixels, float *to)
{
    const int64_t plane = j->s->ih * j->s->iw, channels = j->icg;
    const float *from = j->g->x;
    const int8_t *codes = j->g->codes;
    const int32_t zero = ib_zero_of(j->g->x_zero);
    if (channels < LANES || pixels < LANES) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t x = 0; x < pixels; x++)
                to[x * channels + c] = from ? from[at + c * plane + x] : (float)(codes[at + c * plane + x] - zero);
        return;
    }
    for (int64_t i = 0; i < channels; i += LANES)
        for (int64_t p = 0; p < pixels; p += LANES) {
            const int64_t c = ib_min64(i, channels - LANES), x = ib_min64(p, pixels - LANES);
            __m256 r[8];
            for (int k = 0; k < 8; k++) {
                const int64_t place = at + (c + k) * plane + x;
                r[k] = from ? _mm256_loadu_ps(from + place)
                            : _mm256_cvtepi32_ps(_mm256_sub_epi32(
                                  _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(codes + place))),
                                  _mm256_set1_epi32(zero)));
            }
            transpose(r);
            for (int k = 0; k < 8; k++)
                _mm256_storeu_ps(to + (x + k) * channels + c, r[k]);
        }
}
#endif

/* One group's x of sample i with channels last, codes as whole numbers; the border is 0 already. */
static void take_x(const job *j, int64_t i, int64_t g, float *to)
{
    const ib_window *s = j->s;
    const int64_t plane = s->ih * s->iw, base = (i * s->ic + g * j->icg) * plane, width = j->t.wide * s->sw,
                  height = j->t.rows * s->sh;
    const int64_t rows = ib_min64(s->ih, height - s->ph), columns = ib_min64(s->iw, width - s->pw);
    for (int64_t y = 0; y < rows; y++) {
        float *row = to + (y + s->ph) * j->line + s->pw * j->icg;
        const int64_t at = base + y * s->iw;
#ifdef __AVX512F__
        const int32_t zero = ib_zero_of(j->g->x_zero);
        for (int64_t c = 0; c < j->icg; c += LANES)
            for (int64_t x = 0; x < columns; x += LANES) {
                const int64_t n = ib_min64(LANES, columns - x), channels = ib_min64(LANES, j->icg - c);
                const __mmask16 live = (__mmask16)((1u << n) - 1), some = (__mmask16)((1u << channels) - 1);
                __m512 r[16];
                for (int64_t k = 0; k < 16; k++) {
                    const int64_t from = at + (c + (k < channels ? k : 0)) * plane + x;
                    if (j->g->x)
                        r[k] = _mm512_maskz_loadu_ps(live, j->g->x + from);
                    else
                        r[k] = _mm512_cvtepi32_ps(
                            _mm512_sub_epi32(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(live, j->g->codes + from)),
                                             _mm512_set1_epi32(zero)));
                }
                transpose(r);
                for (int64_t k = 0; k < n; k++)
                    _mm512_mask_storeu_ps(row + (x + k) * j->icg + c, some, r[k]);
            }
#else
        take_pixels(j, at, columns, row);
#endif
    }
}

/* sums[GB][GV][LANES] += over pixels of dz of GB output channels times `vectors` vectors of x */
#define OUTER(vectors)                                                                                                 \
    static __attribute__((noinline)) void outer_##vectors(const job *j, const float *x, const float *dz, float *sums)  \
    {                                                                                                                  \
        const ib_window *s = j->s;                                                                                     \
        const int64_t stride = j->stride, next = s->sw * j->icg;                                                       \
        vec acc[GB][vectors];                                                                                          \
        _Pragma("GCC unroll 8") for (int o = 0; o < GB; o++) _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) \
            acc[o][v] = load(sums + (o * GV + v) * LANES);                                                             \
        for (int64_t r = 0; r < s->oh; r++) {                                                                          \
            const float *in = x + r * s->sh * j->line, *d = dz + r * j->t.wide;                                        \
            const float *third[3] = {d, d + 3 * stride, d + 6 * stride};                                               \
            for (int64_t p = 0; p < s->ow; p++, in += next) {                                                          \
                vec xv[vectors];                                                                                       \
                _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) xv[v] = load(in + v * LANES);                \
                _Pragma("GCC unroll 8") for (int o = 0; o < GB; o++)                                                   \
                {                                                                                                      \
                    const vec dv = splat(third[o / 3][o % 3 * stride + p]);                                            \
                    _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) acc[o][v] += dv * xv[v];                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int o = 0; o < GB; o++)                                                           \
                _Pragma("GCC unroll 3") for (int v = 0; v < vectors; v++) *                                            \
            (vec *)(sums + (o * GV + v) * LANES) = acc[o][v];                                                          \
    }
OUTER(1)
OUTER(2)
OUTER(3)

/* Blocks of sums [groups][output channels / GB][kh][vectors / GV]. */
static void weight_gradient(const job *j, int64_t g, const float *x, const float *dz, float *sums)
{
    static void (*const outer[GV])(const job *, const float *, const float *, float *) = {outer_1, outer_2, outer_3};
    const int64_t blocks = up(j->ocg, GB) / GB;
    sums += g * blocks * j->s->kh * up(j->vectors, GV) * GB * LANES;
    for (int64_t o = 0; o < blocks; o++)
        for (int ky = 0; ky < j->s->kh; ky++)
            for (int64_t v = 0; v < j->vectors; v += GV, sums += GB * GV * LANES)
                outer[ib_min64(GV, j->vectors - v) - 1](j, x + ky * j->line + v * LANES,
                                                        dz + o * GB * j->stride + j->t.front, sums);
}

/* dw += scale * sums, put in the weights' order */
static void add_weight_sums(const job *j, const float *sums, float scale, float *dw)
{
    const ib_window *s = j->s;
    const int64_t blocks = up(j->ocg, GB) / GB, row = up(j->vectors, GV) / GV;
    for (int64_t o = 0; o < s->oc; o++) {
        const int64_t g = o / j->ocg, within = o % j->ocg;
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++)
                for (int64_t c = 0; c < j->icg; c++) {
                    const int64_t at = kx * j->icg + c, v = at / LANES,
                                  block = ((g * blocks + within / GB) * s->kh + ky) * row + v / GV;
                    dw[((o * j->icg + c) * s->kh + ky) * s->kw + kx] +=
                        scale * sums[block * GB * GV * LANES + (within % GB * GV + v % GV) * LANES + at % LANES];
                }
    }
}

/* Sums of weights and biases are made of at most IB_PARTS parts of the batch, added in order at the end. */
void IB_K(taps_grads)(const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    job j = job_of(s, g);
    const int64_t parts = ib_min64(s->n, IB_PARTS), room = up(ib_taps_room(s), 16);
    double *bias = (double *)(void *)scratch; /* [parts][oc] */
    float *sums = scratch + 2 * parts * s->oc, *panels = sums + parts * j.part, *rooms = panels + ib_taps_shared(s);
    memset(scratch, 0, (size_t)(2 * parts * s->oc + parts * j.part) * sizeof *scratch);
    if (g->dx)
        pack(&j, panels);
    j.panels = panels;
#pragma omp parallel if (parts > 1)
    {
        const int64_t padded = up(j.ocg, GB) * j.stride + IB_TAP_SLACK;
        float *dz = rooms + omp_get_thread_num() * room, *x = dz + up(padded, 16),
              *out = x + up(j.pixels + IB_TAP_SLACK, 16);
        memset(dz, 0, (size_t)(out - dz) * sizeof *dz); /* borders stay so */
#pragma omp for schedule(static)
        for (int64_t t = 0; t < parts; t++)
            for (int64_t i = t * s->n / parts; i < (t + 1) * s->n / parts; i++)
                for (int64_t k = 0; k < s->groups; k++) {
                    take_dy(&j, i, k, dz, bias + t * s->oc);
                    if (g->dx)
                        input_gradient(&j, i, k, dz, out);
                    if (g->dw) {
                        take_x(&j, i, k, x);
                        weight_gradient(&j, k, x, dz, sums + t * j.part);
                    }
                }
    }
    for (int64_t t = 1; t < parts; t++) {
        for (int64_t i = 0; i < j.part; i++)
            sums[i] += sums[t * j.part + i];
        for (int64_t o = 0; o < s->oc; o++)
            bias[o] += bias[t * s->oc + o];
    }
    if (g->dw)
        add_weight_sums(&j, sums, g->x ? 1.0f : *g->x_scale, g->dw);
    for (int64_t o = 0; g->db && o < s->oc; o++)
        g->db[o] += (float)bias[o];
}

#else

void IB_K(taps_grads)(const ib_window *s, const ib_conv_grads *g, float *scratch)
{
    (void)s, (void)g, (void)scratch;
}

#endif
