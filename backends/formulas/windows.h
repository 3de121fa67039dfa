/* windows.h - what the window of a convolution or of pooling is and sees. Of the formulas that kernels of the CPU and
 * of CUDA share. */
#ifndef IB_BACKENDS_FORMULAS_WINDOWS_H
#define IB_BACKENDS_FORMULAS_WINDOWS_H

#include "arithmetic/real.h"
#include "backends/operands.h"

/* Channel c of the output sees channel c of the input alone. */
IB_DEVICE_FN static inline int ib_is_depthwise(const ib_window *s)
{
    return s->groups == s->ic && s->oc == s->ic;
}

/* The same of several channels: one channel of one is a product like any other, too. */
IB_DEVICE_FN static inline int ib_is_depthwise_of_many(const ib_window *s)
{
    return s->groups > 1 && ib_is_depthwise(s);
}

/* Rows y0 .. y1 - 1 and columns x0 .. x1 - 1 of the image; none where y1 <= y0 or x1 <= x0. */
typedef struct ib_inside {
    int64_t y0, y1, x0, x1;
} ib_inside;

/* What of the image output (oy,ox) sees. */
IB_DEVICE_FN static inline ib_inside ib_inside_of(const ib_window *s, int64_t oy, int64_t ox)
{
    const int64_t y0 = oy * s->sh - s->ph, y1 = y0 + s->kh, x0 = ox * s->sw - s->pw, x1 = x0 + s->kw;
    ib_inside k;
    k.y0 = y0 > 0 ? y0 : 0;
    k.y1 = y1 < s->ih ? y1 : s->ih;
    k.x0 = x0 > 0 ? x0 : 0;
    k.x1 = x1 < s->iw ? x1 : s->iw;
    return k;
}

#define IB_EACH_INSIDE(k)                                                                                              \
    for (int64_t iy = (k).y0; iy < (k).y1; iy++)                                                                       \
        for (int64_t ix = (k).x0; ix < (k).x1; ix++)

#endif
