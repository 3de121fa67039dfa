/* ema.c - exponential moving averages of the least and largest value. */
#include "qat/observer.h"

/* m += c (now - m), from the extremes of the first batch that is not all zeros; batches of zeros alone say nothing */
static void ema_observe(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    (void)x, (void)n;
    const int begun = o->count && (o->lo != 0 || o->hi != 0);
    if (begun && lo == 0 && hi == 0)
        return;
    const float c = o->averaging > 0 ? o->averaging : 0.01f;
    o->lo = begun ? o->lo + c * (lo - o->lo) : lo;
    o->hi = begun ? o->hi + c * (hi - o->hi) : hi;
}

const ib_observer_class ib_observer_ema = {"ema", 1, ema_observe, ib_observer_extremes};
