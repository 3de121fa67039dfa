/* minmax.c - the least and largest value of everything seen. */
#include "qat/observer.h"

static void minmax_observe(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    (void)x, (void)n;
    o->lo = !o->count || lo < o->lo ? lo : o->lo;
    o->hi = !o->count || hi > o->hi ? hi : o->hi;
}

const ib_observer_class ib_observer_minmax = {"minmax", 1, minmax_observe, ib_observer_extremes};
