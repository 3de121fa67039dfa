/* kernel_windows.h - windows of convolutions and pools with all that is odd about them. */
#ifndef IB_TESTS_KERNELS_KERNEL_WINDOWS_H
#define IB_TESTS_KERNELS_KERNEL_WINDOWS_H

#include "tests/kernels/kernel_case.h"

/* {n, ic, ih, iw, oc, oh, ow, kh, kw, sh, sw, ph, pw, groups} */
static const ib_window kernel_windows[] = {
    {1, 1, 5, 5, 1, 5, 5, 1, 1, 1, 1, 0, 0, 1},      {3, 3, 7, 9, 5, 7, 9, 3, 3, 1, 1, 1, 1, 1},
    {2, 4, 8, 8, 6, 4, 3, 3, 5, 2, 3, 1, 2, 2},      {2, 5, 9, 7, 5, 5, 4, 3, 3, 2, 2, 1, 1, 5},
    {1, 17, 1, 1, 33, 1, 1, 1, 1, 1, 1, 0, 0, 1},    {4, 2, 28, 28, 8, 28, 28, 5, 5, 1, 1, 2, 2, 1},
    {1, 1, 28, 28, 7, 15, 15, 10, 4, 2, 2, 5, 2, 1}, {2, 3, 4, 4, 3, 4, 4, 3, 3, 1, 1, 1, 1, 3},
    {2, 16, 8, 8, 32, 4, 4, 3, 3, 2, 2, 1, 1, 1},    {3, 64, 8, 8, 64, 8, 8, 3, 3, 1, 1, 1, 1, 1},
    {1, 16, 9, 9, 20, 5, 5, 1, 1, 2, 2, 0, 0, 1},    {2, 3, 12, 11, 16, 6, 6, 3, 3, 2, 2, 1, 1, 1},
    {2, 64, 6, 5, 64, 6, 5, 3, 3, 1, 1, 1, 1, 64},   {1, 6, 10, 10, 8, 4, 4, 2, 2, 3, 3, 1, 1, 2},
    {19, 2, 5, 4, 3, 5, 4, 3, 3, 1, 1, 1, 1, 1} /* a batch that does not divide into IB_PARTS */};
enum { N_WINDOWS = sizeof kernel_windows / sizeof *kernel_windows };

/* Begins the shape of a window. */
static inline void a_window(const ib_window *s, const char *what)
{
    a_shape("%s, n %lld, %lldx%lldx%lld -> %lldx%lldx%lld by %dx%d/%dx%d, groups %d", what, (long long)s->n,
            (long long)s->ic, (long long)s->ih, (long long)s->iw, (long long)s->oc, (long long)s->oh, (long long)s->ow,
            s->kh, s->kw, s->sh, s->sw, s->groups);
}

static inline int64_t window_in(const ib_window *s) /* elements of x */
{
    return s->n * s->ic * s->ih * s->iw;
}
static inline int64_t window_out(const ib_window *s) /* of y */
{
    return s->n * s->oc * s->oh * s->ow;
}
static inline int64_t window_row(const ib_window *s) /* of an output's weights */
{
    return s->ic / s->groups * s->kh * s->kw;
}

#endif
