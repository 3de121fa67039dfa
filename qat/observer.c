/* observer.c - see observer.h */
#include "qat/observer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/names.h"

static const ib_observer_row observers[] = {
#define OBSERVER(name) {#name, &ib_observer_##name, IB_NOT_LEARNED, NULL},
#define LEARNED(name, kind, parameter, elsewhere) {#name, elsewhere, kind, parameter},
#include "qat/observers.def"
#undef OBSERVER
#undef LEARNED
};

enum { ROWS = sizeof observers / sizeof *observers };

const ib_observer_row *ib_observer_row_of(const char *name)
{
    const int i = IB_NAME_FIND(name, observers, IB_EINVAL, "observer: none is named");
    return i < 0 ? NULL : &observers[i];
}

const char *ib_learned_name(ib_learned kind)
{
    int i = 0;
    while (observers[i].learned != kind)
        i++;
    return observers[i].name;
}

int ib_observer_averages(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(observers[i].name, name))
            return observers[i].cls && observers[i].cls->follows == IB_FOLLOWS_AVERAGE;
    return 0;
}

ib_status ib_observer_see_batch(ib_observer *o, ib_device *dev, const float *x, int64_t n, const char *layer)
{
    const size_t bytes = (size_t)n * sizeof *x;
    float *range = dev->v.allocate(dev, 2 * sizeof *range), seen[2], *values = NULL;
    if (!range)
        return IB_ENOMEM;
    dev->k.min_max(dev, x, n, range, range + 1);
    dev->v.download(dev, seen, range, sizeof seen);
    dev->v.release(dev, range);
    if (!(seen[1] - seen[0] < FLT_MAX / 8)) /* twice the range is a number still, and neither end is none */
        return ib_fail(IB_ENUMERIC, "layer '%s': calibration values reach from %g to %g", layer, seen[0], seen[1]);
    if (ib_observer_has_bins(o)) {
        if ((!o->bins && !(o->bins = ib_alloc(IB_BINS * sizeof *o->bins))) || !(values = ib_alloc_raw(bytes)))
            return IB_ENOMEM;
        dev->v.download(dev, values, x, bytes);
    }
    o->cls->observe(o, values, n, seen[0], seen[1]);
    o->count++;
    ib_free(values);
    return IB_OK;
}

ib_status ib_observer_see_channels(ib_observer *o, ib_device *dev, const float *x, int64_t n, int64_t channels,
                                   int64_t size, float *room)
{
    const size_t bytes = (size_t)(n * channels) * sizeof *room;
    if (!o->channel_top && !(o->channel_top = ib_alloc((size_t)channels * sizeof *o->channel_top)))
        return IB_ENOMEM;
    float *top = ib_alloc_raw(bytes);
    if (!top)
        return IB_ENOMEM;
    IB_ASSERT(!o->channels || o->channels == channels, "a layer's channels are as many in each batch");
    o->channels = channels;
    dev->k.abs_max_rows(dev, x, n * channels, size, room);
    dev->v.download(dev, top, room, bytes);
    for (int64_t i = 0; i < n * channels; i++)
        o->channel_top[i % channels] = fmaxf(o->channel_top[i % channels], top[i]);
    ib_free(top);
    return IB_OK;
}

void ib_observer_extremes(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    (void)q, (void)symmetric;
    *lo = o->lo;
    *hi = o->hi;
}
