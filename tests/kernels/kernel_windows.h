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

/* One of chance: planes of 1x1 and up to 9 wide, kernels and padding larger than they are, strides up to 5 that leave
 * rows or columns behind, few or all channels a group, several outputs a channel. */
static inline ib_window window_of_chance(int t)
{
    uint32_t u[12];
    for (int i = 0; i < 12; i += 4)
        ib_rng_four((ib_rng){78, (uint64_t)t}, (uint64_t)i / 4, u + i);
    const int icg = u[0] % 3 ? 1 : (int)(1 + u[1] % 4), per = u[2] % 3 ? 1 : (int)(1 + u[3] % 3);
    ib_window s = {.n = 1 + t % 3,
                   .ih = 1 + u[4] % 9,
                   .iw = 1 + (u[4] >> 8) % (t % 4 ? 9 : 40),
                   .kh = (int)(1 + u[5] % 5),
                   .kw = (int)(1 + (u[5] >> 8) % 7),
                   .sh = (int)(1 + u[6] % 5),
                   .sw = (int)(1 + (u[6] >> 8) % 5),
                   .ph = (int)(u[7] % 8 % (t % 5 ? 4 : 8)),
                   .pw = (int)((u[7] >> 8) % 12 % (t % 5 ? 4 : 12)),
                   .groups = (int)(1 + u[8] % 6)};
    s.kh = s.kh > s.ih + 2 * s.ph ? (int)s.ih + 2 * s.ph : s.kh;
    s.kw = s.kw > s.iw + 2 * s.pw ? (int)s.iw + 2 * s.pw : s.kw;
    s.ic = s.groups * icg;
    s.oc = s.groups * per;
    s.oh = (s.ih + 2 * s.ph - s.kh) / s.sh + 1;
    s.ow = (s.iw + 2 * s.pw - s.kw) / s.sw + 1;
    return s;
}

/* Begins the shape of a window. */
static inline void a_window(const ib_window *s, const char *what)
{
    a_shape("%s, n %lld, %lldx%lldx%lld -> %lldx%lldx%lld by %dx%d/%dx%d, padding %dx%d, groups %d", what,
            (long long)s->n, (long long)s->ic, (long long)s->ih, (long long)s->iw, (long long)s->oc, (long long)s->oh,
            (long long)s->ow, s->kh, s->kw, s->sh, s->sw, s->ph, s->pw, s->groups);
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
