/* minmax.c - the least and largest value of everything seen. */
#include "qat/observer.h"

static void minmax_observe(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    (void)x, (void)n;
    ib_follow_extremes(&o->lo, &o->hi, o->count, lo, hi);
}

const ib_observer_class ib_observer_minmax = {"minmax", IB_FOLLOWS_EXTREMES, minmax_observe, ib_observer_extremes};
