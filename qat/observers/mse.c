/* mse.c - the range of least squared error. */
#include <math.h>

#include "qat/observer.h"

/* The least squared error among shrunken ranges: both ends together, then each end by itself. */
static void mse_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    double best = INFINITY;
    *lo = o->lo;
    *hi = o->hi;
    for (int i = 100; i > 4; i--) {
        const float a = o->lo * (float)i / 100, b = o->hi * (float)i / 100;
        const double error = ib_bins_error(o, q, symmetric, a, b);
        if (error < best) {
            best = error;
            *lo = a;
            *hi = b;
        }
    }
    const float lo0 = *lo, hi0 = *hi;
    for (int i = 60; i <= 140 && lo0 < 0 && hi0 > 0; i += 4)
        for (int j = 60; j <= 140; j += 4) {
            const float a = lo0 * (float)i / 100, b = hi0 * (float)j / 100;
            const double error = a >= o->lo && b <= o->hi ? ib_bins_error(o, q, symmetric, a, b) : INFINITY;
            if (error < best) {
                best = error;
                *lo = a;
                *hi = b;
            }
        }
}

const ib_observer_class ib_observer_mse = {"mse", IB_STANDS_STILL, ib_bins_add, mse_range};
