/* kernel_images.h - images with channels last for the cases of their kernels. */
#ifndef IB_TESTS_KERNELS_KERNEL_IMAGES_H
#define IB_TESTS_KERNELS_KERNEL_IMAGES_H

#include <stdint.h>

#include "tests/kernels/kernel_windows.h"

static inline int in_frame(const ib_nhwc *x, int64_t y, int64_t j)
{
    return y < 0 || y >= x->h || j < 0 || j >= x->w;
}

/* The border is the zero point. */
static inline void put_frame(const ib_nhwc *x, int64_t n, int zero)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t y = -x->border; y < x->h + x->border; y++)
            for (int64_t j = -x->border; j < x->w + x->border; j++)
                if (in_frame(x, y, j))
                    memset(ib_nhwc_at(x, i, y, j), zero + 128, (size_t)x->c);
}

/* An image of n samples that a kernel reads: codes of noise, and what may be read behind them. */
static inline ib_nhwc image(int64_t n, int64_t c, int64_t h, int64_t w, int border, int zero)
{
    ib_nhwc x = {NULL, c, h, w, border};
    x.data = given("an image", BYTES, n * ib_nhwc_bytes(&x) + IB_NHWC_SLACK);
    put_frame(&x, n, zero);
    return x;
}

/* One that a kernel makes: border and slack are to stay as they are. */
static inline ib_nhwc made_image(int64_t n, int64_t c, int64_t h, int64_t w, int border)
{
    ib_nhwc x = {NULL, c, h, w, border};
    x.data = changed("the image", BYTES, n * ib_nhwc_bytes(&x) + IB_NHWC_SLACK, EXACT);
    return x;
}

/* One to three parts, one after the other, another number each run. */
#define IN_PARTS(share) for (ib_share share = {0, 1 + run_number() % 3}; share.part < share.parts; share.part++)

#endif
