/* ema.c - exponential moving averages of the least and largest value. */
#include "qat/observer.h"

static void ema_observe(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    (void)x, (void)n;
    ib_follow_average(&o->lo, &o->hi, o->count, ib_observer_averaging(o), lo, hi);
}

const ib_observer_class ib_observer_ema = {"ema", IB_FOLLOWS_AVERAGE, ema_observe, ib_observer_extremes};
