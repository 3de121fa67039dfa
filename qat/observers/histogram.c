/* histogram.c - the range that is left when quantiles are cut off as long as the error falls. */
#include <math.h>

#include "qat/observer.h"

/* As torch's HistogramObserver: cut off quantiles in steps of 1e-5, at the side that skips more bins, until the error
 * grows. Unlike there the error of the whole range is what the first cut is held against. */
static void histogram_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    const double sum = ib_bins_total(o), step = 1e-5;
    double alpha = 0, beta = 1, best = ib_bins_error(o, q, symmetric, o->lo, o->hi);
    int first = 0, last = IB_BINS - 1;
    double below = 0, above = sum; /* counts up to and including first - 1; up to and including last */
    *lo = o->lo;
    *hi = o->hi;
    while (alpha < beta) {
        int l = first, r = last;
        double next_below = below, next_above = above;
        while (l < r && next_below + o->bins[l] < (alpha + step) * sum)
            next_below += o->bins[l++];
        while (r > l && next_above - o->bins[r] > (beta - step) * sum)
            next_above -= o->bins[r--];
        if (l - first > last - r) {
            alpha += step;
            first = l;
            below = next_below;
        } else if (last - r > 0) {
            beta -= step;
            last = r;
            above = next_above;
        } else {
            alpha += step;
            beta -= step;
            continue;
        }
        const float a = fmaxf(o->bin_lo + (float)first * o->bin_width, o->lo),
                    b = fminf(o->bin_lo + (float)(last + 1) * o->bin_width, o->hi);
        const double error = ib_bins_error(o, q, symmetric, a, b);
        if (error > best)
            return;
        if (error < best) {
            best = error;
            *lo = a;
            *hi = b;
        }
    }
}

const ib_observer_class ib_observer_histogram = {"histogram", IB_STANDS_STILL, ib_bins_add, histogram_range};
