/* exact.c - values that lie on a format's lattice already, as those of a file that was quantized before: the scales
 * that made them, found from the values.
 *
 * Of group g the differences of values are whole multiples of its step; the largest such step is D. The format's own is
 * d s_g = D / j with j whole: j times as many codes are between the values. All steps are multiples of one d, all
 * offsets of one m, both half precision. Whatever is found counts only if it decodes to the very values. */
#include <math.h>
#include <string.h>

#include "tensor/lattice.h"
#include "tensor/storage/integers.h"
#include "tensor/storage/iq4_values.h"

typedef struct group {
    double low, step; /* the least value, or 0 where there are no minima; D, 0: all are the same */
    int span;         /* the largest value, in steps above it */
    int factor;       /* j */
} group;

typedef struct exact {
    const ib_storage *f;
    const ib_lattice_format *l;
    const float *x;
    int n, groups;
    group of[16];
    ib_integers y;
    int8_t code[256];
} exact;

/* v as half precision, if it nearly is one; else 0. */
static float half_near(double v, double slack)
{
    if (!(fabs(v) < 65504) || v == 0)
        return 0;
    const float h = ib_half_to_float(ib_float_to_half((float)v));
    return fabs(h - v) <= slack ? h : 0;
}

static float half_of(double v)
{
    return half_near(v, 1e-6 * fabs(v));
}

static int whole(double v, double tolerance)
{
    return fabs(v - rint(v)) <= tolerance;
}

/* D and span of a group: the fewest steps between least and largest value (without minima: 0 and the largest) that
 * divide all differences. 0: none. */
static int measure(const exact *e, int g)
{
    const float *x = e->x + g * e->n;
    const int minima = e->l->most_min > 0, most = minima                      ? e->l->most
                                                  : -e->l->least > e->l->most ? -e->l->least
                                                                              : e->l->most;
    float low = x[0], high = x[0];
    group *to = (group *)&e->of[g];
    for (int i = 1; i < e->n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    const double length = minima ? (double)high - low : fabs(low) > fabs(high) ? fabs(low) : fabs(high);
    *to = (group){minima ? low : 0, 0, 0, 1};
    for (int span = 1; length > 0 && span <= most; span++) {
        const double step = length / span;
        int fits = 1;
        for (int i = 0; i < e->n && fits; i++)
            fits = whole((x[i] - to->low) / step, 0.02);
        if (fits) {
            to->step = step;
            to->span = span;
            return 1;
        }
    }
    return length == 0;
}

/* The block as it stands in e->y, each value's code the nearest; 1 if it decodes to x. */
static int is_it(exact *e, uint8_t *block)
{
    uint8_t made[256];
    float y[256];
    for (int i = 0; i < e->f->block; i++) {
        const float step = e->y.d * (float)e->y.scale[i / 16],
                    offset = e->l->most_min ? e->y.m * (float)e->y.min[i / 16] : 0;
        e->code[i] = ib_lattice_nearest(e->l, step, offset, e->x[i]);
    }
    e->l->rescale(&e->y, made);
    e->l->recode(e->code, made);
    e->f->decode(made, y);
    for (int i = 0; i < e->f->block; i++)
        if (y[i] != e->x[i])
            return 0;
    memcpy(block, made, (size_t)e->f->bytes);
    return 1;
}

static void put(exact *e, int g, int scale, int min)
{
    for (int i = g * e->n / 16; i < (g + 1) * e->n / 16; i++) {
        e->y.scale[i] = (int8_t)scale;
        e->y.min[i] = (uint8_t)min;
    }
}

/* Whole scales of all groups for d, with signs where codes reach one further below 0; 0: there are none. */
static int scales_for(exact *e, double d)
{
    for (int g = 0; g < e->groups; g++) {
        group *p = &e->of[g];
        const int most = e->l->most_min ? e->l->most : -e->l->least;
        int scale = 0;
        const double r = p->step / fabs(d);
        if (p->step && !whole(r, 1e-3))
            return 0;
        for (p->factor = 1; p->step && p->factor * p->span <= most && !scale; p->factor++) {
            const int s = (int)rint(r) / p->factor;
            int sign = d < 0 ? -1 : 1;
            if ((int)rint(r) % p->factor || s == 0)
                continue;
            for (int i = 0; !e->l->most_min && i < e->n; i++) { /* codes beyond the upper end: the other sign */
                const int code = (int)rint(e->x[g * e->n + i] / p->step) * p->factor;
                if (code > e->l->most)
                    sign = d < 0 ? 1 : -1;
            }
            if (e->l->most_min)
                sign = 1;
            if (sign * s >= e->l->least_scale && sign * s <= e->l->most_scale)
                scale = sign * s;
        }
        p->factor -= scale != 0;
        if (p->step && !scale)
            return 0;
        put(e, g, scale, 0);
    }
    return 1;
}

/* What a group may be for a d: its whole scale and its offset, which has the least value be that of some code. */
typedef struct option {
    int scale;
    double offset;
} option;
enum { MOST_OPTIONS = 2048 }; /* 63 scales times 31 codes, and one */

static int options_of(const exact *e, int g, double d, option *list)
{
    const group *p = &e->of[g];
    int n = 0;
    if (!p->step) {
        list[n++] = (option){0, -p->low};
        for (int s = e->l->most_scale; s > 0 && d; s--)
            for (int code = 1; code <= e->l->most; code++)
                list[n++] = (option){s, d * s * code - p->low};
        return n;
    }
    const int steps = (int)rint(p->step / d);
    for (int factor = 1; factor * p->span <= e->l->most; factor++)
        for (int code = 0; steps % factor == 0 && code <= e->l->most - p->span * factor; code++)
            if (steps / factor <= e->l->most_scale)
                list[n++] = (option){steps / factor, d * (steps / factor) * code - p->low};
    return n;
}

/* For dmin and d: the first option of each group whose offset is a whole multiple, or as good as 0. */
static int minima_for(exact *e, double dmin, uint8_t *block)
{
    option list[MOST_OPTIONS];
    e->y.m = (float)-dmin;
    for (int g = 0; g < e->groups; g++) {
        const int n = options_of(e, g, e->y.d, list);
        const double none = 1e-6 * (e->of[g].step + fabs(e->of[g].low));
        int found = 0;
        for (int i = 0; i < n && !found; i++) {
            const double l = dmin ? list[i].offset / dmin : 0, /* what fp32 has rounded off low */
                near = dmin ? 1.2e-7 * fabs(e->of[g].low) / dmin + 1e-6 : 0;
            found = dmin ? l > -near && l < e->l->most_min + near && whole(l, near) : fabs(list[i].offset) <= none;
            if (found)
                put(e, g, list[i].scale, (int)rint(l));
        }
        if (!found)
            return 0;
    }
    return is_it(e, block);
}

/* dmin from what the offset of one group may be. */
static int find_minima(exact *e, uint8_t *block)
{
    option list[MOST_OPTIONS];
    if (minima_for(e, 0, block))
        return 1;
    for (int g = 0; g < e->groups; g++) {
        const int n = e->of[g].step ? options_of(e, g, e->y.d, list) : options_of(e, g, 0, list);
        for (int i = 0; i < n; i++)
            for (int l = e->l->most_min; l > 0 && list[i].offset > 0; l--) {
                const float dmin =
                    half_near(list[i].offset / l, (1.2e-7 * fabs(e->of[g].low) + 1e-6 * list[i].offset) / l);
                if (dmin && minima_for(e, dmin, block))
                    return 1;
            }
    }
    return 0;
}

/* One real scale, and perhaps one real minimum. */
static int find_reals(exact *e, uint8_t *block)
{
    const group *p = &e->of[0];
    put(e, 0, 1, 1);
    if (!p->step) { /* all the same */
        e->y.d = 0;
        e->y.m = e->l->most_min ? half_of(p->low) : 0;
        if (is_it(e, block))
            return 1;
        e->y.m = 0;
        for (int code = 1; code <= e->l->most; code++)
            if ((e->y.d = half_of(p->low / code)) && is_it(e, block))
                return 1;
    }
    for (int factor = 1; factor * p->span <= (e->l->most_min ? e->l->most : -e->l->least) && p->step; factor++) {
        const float d = half_of(p->step / factor);
        for (int code = 0; d && code <= (e->l->most_min ? e->l->most - p->span * factor : 0); code++)
            for (int sign = 1; sign >= (e->l->most_min ? 1 : -1); sign -= 2) {
                e->y.d = (float)sign * d;
                e->y.m = e->l->most_min ? ib_half_to_float(ib_float_to_half((float)(p->low - (double)d * code))) : 0;
                if (is_it(e, block))
                    return 1;
            }
    }
    return 0;
}

/* Values of a table: the largest is one of them times d. */
static int find_uneven(exact *e, uint8_t *block)
{
    float max = 0;
    for (int i = 0; i < e->n; i++)
        max = fabsf(e->x[i]) > fabsf(max) ? e->x[i] : max;
    put(e, 0, 1, 0);
    for (int k = 0; k < 16; k++) {
        e->y.d = half_of((double)max / ib_iq4_value[k]);
        if ((e->y.d || !max) && is_it(e, block))
            return 1;
    }
    return 0;
}

/* All groups hold one value each: d from the largest as scale times code, if no minimum is in it. */
static int find_of_constants(exact *e, uint8_t *block)
{
    int at = 0;
    for (int g = 1; g < e->groups; g++)
        at = e->x[g * e->n] > e->x[at] ? g * e->n : at;
    for (int code = e->l->most; code > 0 && e->x[at] > 0; code--)
        for (int s = e->l->most_scale; s > 0; s--)
            if ((e->y.d = half_of((double)e->x[at] / code / s)) && (e->l->most_min ? find_minima(e, block) : 0))
                return 1;
    return 0;
}

int ib_lattice_exact(const ib_storage *f, const float *x, uint8_t *block)
{
    exact e = {.f = f, .l = ib_lattice_row(f), .x = x};
    if (!e.l)
        return 0;
    e.n = e.l->group;
    e.groups = f->block / e.n;
    if (e.l->uneven)
        return find_uneven(&e, block);
    int widest = 0;
    for (int g = 0; g < e.groups; g++) {
        if (!measure(&e, g))
            return 0;
        widest = e.of[g].step > e.of[widest].step ? g : widest;
    }
    if (e.l->most_scale == 1)
        return find_reals(&e, block);
    const group *p = &e.of[widest];
    if (!p->step) {
        e.y.d = 0;
        memset(e.y.scale, 0, sizeof e.y.scale);
        if (e.l->most_min ? find_minima(&e, block) : is_it(&e, block))
            return 1;
        return find_of_constants(&e, block);
    }
    const int most = e.l->most_min ? e.l->most : -e.l->least,
              scales = -e.l->least_scale > e.l->most_scale ? -e.l->least_scale : e.l->most_scale;
    for (int factor = 1; factor * p->span <= most; factor++)
        for (int s = scales; s > 0; s--)
            for (int sign = 1; sign >= (e.l->most_min ? 1 : -1); sign -= 2) {
                const double d = sign * half_of(p->step / factor / s);
                if (!d || !scales_for(&e, d))
                    continue;
                e.y.d = (float)d;
                if (e.l->most_min ? find_minima(&e, block) : is_it(&e, block))
                    return 1;
            }
    return 0;
}
