/* percentile.c - the range that holds most values. */
#include <math.h>

#include "qat/observer.h"

/* Leaves out at most 100 - p percent of the values, half of them at each end (all at the top if nothing is negative).
 * Zeros have a code in every range: of the other values no larger share is left out than that, or than a hundredth if
 * that is more. Of a mask with few ones each one is kept. */
static void percentile_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    (void)q, (void)symmetric;
    const double share = (100.0 - (o->percentile > 0 ? o->percentile : 99.99f)) / 100.0, all = ib_bins_total(o);
    const double out = fmin(share * all, fmax(share, 0.01) * (all - o->zeros)) / (o->lo < 0 ? 2 : 1);
    double sum = 0;
    int i = 0;
    for (; o->lo < 0 && i < IB_BINS - 1 && sum + o->bins[i] <= out; i++)
        sum += o->bins[i];
    *lo = i ? o->bin_lo + (float)i * o->bin_width : o->lo;
    for (sum = 0, i = IB_BINS - 1; i > 0 && sum + o->bins[i] <= out; i--)
        sum += o->bins[i];
    *hi = i < IB_BINS - 1 ? o->bin_lo + (float)(i + 1) * o->bin_width : o->hi;
    *hi = *hi > o->hi ? o->hi : *hi;
}

const ib_observer_class ib_observer_percentile = {"percentile", IB_STANDS_STILL, ib_bins_add, percentile_range};
