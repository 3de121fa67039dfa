/* taps.h - convolution without unfolded patches, for levels with wide vectors.
 *
 * A sample's padded input is laid out as planes, one for each channel and phase of the stride: plane (a,b) holds the
 * padded pixels (sh r + a, sw c + b) in rows of `wide`. Output pixel (y,x) is position p = y wide + x, and tap
 * (c,ky,kx) reads
 *   plane(c, ky % sh, kx % sw)[p + ky/sh wide + kx/sw],
 * the same offset for every p, so that a convolution is   out[m][p] = sum over taps w[m][tap] src[offset[tap] + p]
 * over contiguous p. The few positions between the rows of an image (x >= ow) are computed and dropped. */
#ifndef IB_BACKENDS_CPU_TAPS_H
#define IB_BACKENDS_CPU_TAPS_H

#include "backends/cpu/levels.h"

enum { IB_TAP_SLACK = 64 }; /* elements that may be read behind the last position */

typedef struct ib_taps {
    int64_t rows, wide; /* of a plane */
    int64_t plane;      /* elements of a plane */
    int64_t positions;  /* (oh - 1) wide + ow */
    int64_t front;      /* the largest offset within a plane */
} ib_taps;

static inline ib_taps ib_taps_of(const ib_window *s)
{
    ib_taps t;
    t.rows = ((s->oh - 1) * s->sh + s->kh + s->sh - 1) / s->sh;
    t.wide = ((s->ow - 1) * s->sw + s->kw + s->sw - 1) / s->sw;
    t.plane = t.rows * t.wide;
    t.positions = (s->oh - 1) * t.wide + s->ow;
    t.front = (s->kh - 1) / s->sh * t.wide + (s->kw - 1) / s->sw;
    return t;
}

/* The planes' pixels, channels last: rows of `line`, for the weights' gradient. */
static inline int64_t ib_taps_line(const ib_window *s, const ib_taps *t)
{
    return t->wide * s->sw * (s->ic / s->groups);
}

/* fp32 words that a thread of conv_taps.c and conv_taps_grads.c needs, and that all share. */
static inline int64_t ib_taps_room(const ib_window *s)
{
    const ib_taps t = ib_taps_of(s);
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups;
    const int64_t source = icg * s->sh * s->sw * t.plane + IB_TAP_SLACK,
                  dy = (ocg + 8) * (t.front + t.plane + IB_TAP_SLACK) + IB_TAP_SLACK;
    const int64_t out = ((icg > ocg ? icg : ocg) + 8) * (t.plane + IB_TAP_SLACK),
                  pixels = t.rows * s->sh * ib_taps_line(s, &t) + IB_TAP_SLACK;
    return source + dy + out + pixels + s->ih * s->iw + 4 * IB_TAP_SLACK;
}

/* Sums of the weights' gradients by part, in blocks of eight output channels by three vectors, and of the biases'. */
static inline int64_t ib_taps_parts(const ib_window *s)
{
    const int64_t row = (s->kw * (s->ic / s->groups) + 63) / 48 * 48 + 48;
    return IB_PARTS * (s->groups * (s->oc / s->groups + 8) * s->kh * row + 2 * s->oc + 64);
}

static inline int64_t ib_taps_shared(const ib_window *s) /* weights, rows rounded up to eight, twice */
{
    return 2 * (s->oc + 8 * s->groups) * (s->ic / s->groups + 8) * s->kh * s->kw;
}

#endif
