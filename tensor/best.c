/* best.c - IB_SEARCH_BEST: scales, minima and codes of a block by coordinate descent on the format's own lattice.
 *
 * Element i of group g is d s_g q_i + m l_g: d and m half precision, s, l and q whole numbers. Given d s_g and m l_g
 * the nearest codes are the best ones, so what is searched are the scales: first real ones for each group by itself,
 * then d and m for the block, then in turns s_g and l_g around where they are and d and m by least squares. */
#include <math.h>
#include <string.h>

#include "tensor/lattice.h"
#include "tensor/storage/integers.h"
#include "tensor/storage/iq4_values.h"

enum { LANES = 8, FITS = 2 };

/* A group's real step and offset. */
typedef struct fit {
    float step, offset, error;
} fit;

typedef struct search {
    const ib_lattice_format *f;
    int n, groups; /* elements of a group; groups */
    float x[256], w[256];
    fit fits[16][FITS]; /* each group's, one for each sign of the step where codes lie unevenly about 0 */
} search;

/* d, m, whole scales and minima, and their error. */
typedef struct state {
    float d, m, error;
    int scale[16], min[16];
} state;

static float half(float x)
{
    return ib_half_to_float(ib_float_to_half(x));
}

/* Nearest of the 16 values, by the points between them. */
static void uneven_codes(int n, const float *restrict t, float *restrict q)
{
    for (int i = 0; i < n; i++)
        q[i] = ib_iq4_value[0];
    for (int k = 1; k < 16; k++) {
        const float at = 0.5f * (float)(ib_iq4_value[k - 1] + ib_iq4_value[k]),
                    rise = (float)(ib_iq4_value[k] - ib_iq4_value[k - 1]);
        for (int i = 0; i < n; i++)
            q[i] += t[i] >= at ? rise : 0;
    }
}

/* The nearest codes of a step and an offset; returns sum of w (step q + offset - x)^2. */
static float codes_of(const search *s, const float *restrict x, const float *restrict w, const fit *at,
                      float *restrict q)
{
    const float step = at->step, offset = at->offset, least = (float)s->f->least, most = (float)s->f->most,
                whole = 12582912.0f; /* 1.5 2^23: added and taken away it rounds */
    const float inverse = step && isfinite(1 / step) ? 1 / step : 0;
    float sum[LANES] = {0}, t[32];
    for (int i = 0; i < s->n; i++) {
        float v = (x[i] - offset) * inverse;
        v = v > least ? v : least;
        t[i] = v < most ? v : most;
    }
    if (s->f->uneven)
        uneven_codes(s->n, t, q);
    else
        for (int i = 0; i < s->n; i++)
            q[i] = (t[i] + whole) - whole;
    for (int i = 0; i < s->n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float e = step * q[i + k] + offset - x[i + k];
            sum[k] += w[i + k] * e * e;
        }
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

/* a b, a, b: least squares of x ~ step a + offset b, b only where it is there; offset of a k-quant is 0 or less. */
static void solve(const double *sum, int with_offset, int below, fit *to)
{
    const double aa = sum[0], ab = sum[1], bb = sum[2], xa = sum[3], xb = sum[4], det = aa * bb - ab * ab;
    to->step = (float)(aa > 0 ? xa / aa : 0);
    to->offset = 0;
    if (!with_offset || !(det > 1e-12 * aa * bb))
        return;
    const double offset = (aa * xb - ab * xa) / det;
    if (below && offset > 0)
        return;
    to->step = (float)((bb * xa - ab * xb) / det);
    to->offset = (float)offset;
}

/* Adds a group's sums, of a = scale q and b = min. */
static void add_sums(const search *s, int g, const float *q, float scale, float min, double *sum)
{
    float part[5][LANES] = {{0}};
    const float *x = s->x + g * s->n, *w = s->w + g * s->n;
    for (int i = 0; i < s->n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float wq = w[i + k] * q[i + k];
            part[0][k] += wq * q[i + k];
            part[1][k] += wq;
            part[2][k] += w[i + k];
            part[3][k] += wq * x[i + k];
            part[4][k] += w[i + k] * x[i + k];
        }
    const double factor[5] = {(double)scale * scale, (double)scale * min, (double)min * min, scale, min};
    for (int j = 0; j < 5; j++)
        for (int k = 0; k < LANES; k++)
            sum[j] += factor[j] * part[j][k];
}

/* From a step and an offset to better ones: codes and scales in turns. */
static void settle(const search *s, int g, fit at, fit *best)
{
    float q[32];
    const int minima = s->f->most_min > 0;
    at.error = codes_of(s, s->x + g * s->n, s->w + g * s->n, &at, q);
    for (int round = 0; round < 4 && at.error > 0; round++) {
        double sum[5] = {0};
        fit next;
        add_sums(s, g, q, 1, 1, sum);
        solve(sum, minima, s->f->most_min > 1, &next);
        next.error = codes_of(s, s->x + g * s->n, s->w + g * s->n, &next, q);
        if (!(next.error < at.error))
            break;
        at = next;
    }
    if (at.error < best->error)
        *best = at;
}

/* Trial steps and offsets of a group with minima: ranges a little wider or narrower than that of x, at its lower end,
 * its upper end and between. */
static void fit_range(search *s, int g)
{
    const float *x = s->x + g * s->n, most = (float)s->f->most;
    float low = x[0], high = x[0];
    for (int i = 1; i < s->n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    if (s->f->most_min > 1 && low > 0)
        low = 0;
    fit *best = &s->fits[g][0];
    *best = (fit){0, low < 0 || s->f->most_min == 1 ? low : 0, INFINITY};
    best->error = codes_of(s, x, s->w + g * s->n, best, (float[32]){0});
    for (int t = -4; t <= 8 && high > low; t++)
        for (int end = 0; end < 3; end++) {
            const float step = (high - low) / (most + 0.2f * (float)t), offset = end == 0 ? low
                                                                                 : end == 1
                                                                                     ? high - most * step
                                                                                     : (low + high - most * step) / 2;
            settle(s, g, (fit){step, s->f->most_min > 1 && offset > 0 ? 0 : offset, 0}, best);
        }
    s->fits[g][1] = *best;
}

/* And of one without: the largest x at either end of the codes. */
static void fit_ends(search *s, int g)
{
    const float *x = s->x + g * s->n, least = (float)s->f->least, most = (float)s->f->most,
                by = s->f->uneven ? 3.0f : fminf(0.4f, fmaxf(0.2f, most * 0.05f));
    float max = 0;
    for (int i = 0; i < s->n; i++)
        max = fabsf(x[i]) > fabsf(max) ? x[i] : max;
    for (int sign = 0; sign < 2; sign++) {
        fit *best = &s->fits[g][sign];
        *best = (fit){0, 0, INFINITY};
        best->error = codes_of(s, x, s->w + g * s->n, best, (float[32]){0});
        for (int t = -4; t <= 9 && max; t++)
            settle(s, g, (fit){max / (sign ? most + by * (float)t : least - by * (float)t), 0, 0}, best);
    }
}

/* Up to four whole numbers within bounds: those around v, and where it was and beside that. */
static int around(float v, int now, int least, int most, int *list)
{
    const int down = v > (float)least ? v < (float)most ? (int)floorf(v) : most : least,
              try[] = {down, down + 1, now - 1, now, now + 1};
    int n = 0;
    for (int i = 0; i < 5; i++) {
        int known = try[i] < least || try[i] > most;
        for (int j = 0; j < n; j++)
            known |= list[j] == try[i];
        if (!known)
            list[n++] = try[i];
    }
    return n;
}

/* The best whole scale and minimum of a group for d and m; its codes. */
static float choose(const search *s, int g, state *t, float *q)
{
    const ib_lattice_format *f = s->f;
    const float *x = s->x + g * s->n, *w = s->w + g * s->n;
    float best = INFINITY, trial[32];
    int scale[2 * 5], min[5], scales = 0, found_scale = t->scale[g], found_min = t->min[g];
    const float id = t->d && isfinite(1 / t->d) ? 1 / t->d : 0, im = t->m && isfinite(1 / t->m) ? 1 / t->m : 0;
    if (f->most_scale == 1) {
        scale[scales++] = 1;
    } else {
        scales = around(s->fits[g][0].step * id, t->scale[g], f->least_scale, f->most_scale, scale);
        if (!f->most_min)
            scales += around(s->fits[g][1].step * id, t->scale[g], f->least_scale, f->most_scale, scale + scales);
    }
    for (int i = 0; i < scales; i++) {
        int mins = 1;
        min[0] = f->most_min == 1;
        if (f->most_min > 1)
            mins = around(s->fits[g][0].offset * im, t->min[g], 0, f->most_min, min);
        for (int j = 0; j < mins; j++) {
            const fit at = {t->d * (float)scale[i], t->m * (float)min[j], 0};
            const float e = codes_of(s, x, w, &at, trial);
            if (e < best) {
                best = e;
                found_scale = scale[i];
                found_min = min[j];
                memcpy(q, trial, (size_t)s->n * sizeof *q);
            }
        }
    }
    t->scale[g] = found_scale;
    t->min[g] = found_min;
    return best;
}

/* Whole scales and minima, and d and m, in turns from t on; *best is what had the least error. */
static void descend(const search *s, state t, int rounds, state *best)
{
    float q[32], before = INFINITY;
    for (int round = 0; round < rounds; round++) {
        double sum[5] = {0};
        t.error = 0;
        for (int g = 0; g < s->groups; g++) {
            t.error += choose(s, g, &t, q);
            add_sums(s, g, q, (float)t.scale[g], (float)t.min[g], sum);
        }
        if (t.error < best->error)
            *best = t;
        if (!(t.error < before * 0.99999f) || t.error == 0)
            return;
        before = t.error;
        fit next;
        solve(sum, s->f->most_min > 0, s->f->most_min > 1, &next);
        t.d = half(next.step);
        t.m = half(next.offset);
    }
}

static state state_of(const search *s, const uint8_t *block)
{
    ib_integers y;
    state t = {0};
    s->f->integers(block, &y);
    t.d = y.d;
    t.m = s->f->most_min ? y.m : 0;
    for (int g = 0; g < s->groups; g++) {
        t.scale[g] = y.scale[g * s->n / 16];
        t.min[g] = s->f->most_min ? y.min[g * s->n / 16] : 0;
    }
    return t;
}

/* What a block holds, in double: the measure that counts. */
static double error_of(const ib_storage *f, const float *x, const float *weight, const uint8_t *block)
{
    float y[256];
    double sum = 0;
    f->decode(block, y);
    for (int i = 0; i < f->block; i++)
        sum += (weight ? weight[i] : 1.0) * ((double)y[i] - x[i]) * ((double)y[i] - x[i]);
    return sum;
}

static void write_block(const search *s, const state *t, uint8_t *block)
{
    ib_integers y = {.d = t->d, .m = t->m};
    int8_t code[256];
    float q[32];
    for (int g = 0; g < s->groups; g++) {
        const fit at = {t->d * (float)t->scale[g], t->m * (float)t->min[g], 0};
        codes_of(s, s->x + g * s->n, s->w + g * s->n, &at, q);
        for (int i = 0; i < s->n; i++)
            code[g * s->n + i] = (int8_t)q[i];
        for (int i = g * s->n / 16; i < (g + 1) * s->n / 16; i++) {
            y.scale[i] = (int8_t)t->scale[g];
            y.min[i] = (uint8_t)t->min[g];
        }
    }
    s->f->rescale(&y, block);
    s->f->recode(code, block);
}

/* d, m of the widest groups at a share of the largest whole numbers: where a descent begins. */
static void descend_from_fits(const search *s, state *best)
{
    const ib_lattice_format *f = s->f;
    for (int sign = 0; sign < (f->most_min ? 1 : 2); sign++) {
        float step = 0, offset = 0;
        for (int g = 0; g < s->groups; g++) {
            step = fabsf(s->fits[g][sign].step) > fabsf(step) ? s->fits[g][sign].step : step;
            offset = fabsf(s->fits[g][0].offset) > fabsf(offset) ? s->fits[g][0].offset : offset;
        }
        for (int t = 0; t < (f->most_scale == 1 ? 1 : 4); t++) {
            const float share = 1 - 0.07f * (float)t, most = f->most_scale == 1 ? 1 : (float)f->most_scale * share;
            state from = {.d = half(step / most),
                          .m = f->most_min ? half(offset / (f->most_min == 1 ? 1 : (float)f->most_min * share)) : 0};
            descend(s, from, 3, best);
            if (f->least_scale < 0) {
                from.d = half(-step / most);
                descend(s, from, 3, best);
            }
        }
    }
}

/* Groups of one value each, with minima: there are more ways to come near them than can be told from what comes out, so
 * ggml's remain, which can (tensor/exact.c). */
static int is_flat(const search *s)
{
    for (int i = 0; i < s->n * s->groups; i++)
        if (s->x[i] != s->x[i / s->n * s->n])
            return 0;
    return s->f->most_min > 0;
}

void ib_lattice_best(const ib_storage *f, const float *x, const float *weight, uint8_t *block)
{
    uint8_t plain[256], found[256];
    search s = {.f = ib_lattice_row(f)};
    if (!s.f)
        return;
    s.n = s.f->group;
    s.groups = f->block / s.n;
    float most = 0;
    for (int i = 0; weight && i < f->block; i++)
        most = weight[i] > most ? weight[i] : most;
    if (!(most > 0))
        weight = NULL;
    for (int i = 0; i < f->block; i++) { /* what does not count at all counts a little: it stays near what it is */
        s.x[i] = x[i];
        s.w[i] = weight ? fmaxf(weight[i] / most, 1e-6f) : 1;
    }
    if (is_flat(&s))
        return;
    for (int g = 0; g < s.groups; g++)
        (s.f->most_min ? fit_range : fit_ends)(&s, g);
    state best = {.error = INFINITY};
    descend(&s, state_of(&s, block), 3, &best);
    f->encode(x, NULL, 0, plain);
    descend(&s, state_of(&s, plain), 3, &best);
    descend_from_fits(&s, &best);
    descend(&s, best, 8, &best);
    write_block(&s, &best, found);
    if (isfinite(best.error) && error_of(f, x, weight, found) <= error_of(f, x, weight, block))
        memcpy(block, found, (size_t)f->bytes);
}
