/* observer.h - which range of real values an activation's codes shall cover. A new observer is a line in observers.def
 * and a file of its name in observers/. */
#ifndef IB_QAT_OBSERVER_H
#define IB_QAT_OBSERVER_H

#include <stdint.h>

#include "autograd/quantizer.h"

enum { IB_BINS = 2048 };

typedef struct ib_observer ib_observer;

typedef struct ib_observer_class {
    const char *name;
    ib_follows follows; /* what its range does in training */
    /* x[n] of one calibration batch whose extremes are lo and hi */
    void (*observe)(ib_observer *o, const float *x, int64_t n, float lo, float hi);
    /* the range for codes of q's bits */
    void (*range)(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi);
} ib_observer_class;

struct ib_observer {
    const ib_observer_class *cls;
    float lo, hi; /* observed extremes, or their moving average, of calibration: the host's numbers */
    int64_t count;
    int symmetric;
    float percentile;
    float averaging; /* of ema; 0 means 0.01 */
    double *bins;    /* [IB_BINS] counts over [bin_lo, bin_lo + IB_BINS * bin_width); NULL where not needed */
    double zeros;    /* of the counted values, how many are exactly 0 */
    float bin_lo, bin_width;
    float *channel_top; /* [channels] largest magnitudes, NULL before the first batch */
    int64_t channels;
};

#define OBSERVER(name) extern const ib_observer_class ib_observer_##name;
#define LEARNED(name, kind, parameter, elsewhere)
#include "qat/observers.def"
#undef OBSERVER
#undef LEARNED

/* A row of observers.def. */
typedef struct ib_observer_row {
    const char *name;
    const ib_observer_class *cls; /* that watches; NULL: it is learned, everywhere */
    ib_learned learned;           /* behind a ReLU, and elsewhere too if there is no class */
    const char *parameter;
} ib_observer_row;

const ib_observer_row *ib_observer_row_of(const char *name); /* NULL with ib_error() */
const char *ib_learned_name(ib_learned kind);
/* Whether the observer of that name may follow a moving average. */
int ib_observer_averages(const char *name);
/* x[n] of one calibration batch, of the device's memory: the host waits for its range, and for itself if it goes into
 * bins. */
ib_status ib_observer_see_batch(ib_observer *o, ib_device *dev, const float *x, int64_t n, const char *layer);
/* The largest magnitudes of the channels of x[n][channels][size]; room: n channels. */
ib_status ib_observer_see_channels(ib_observer *o, ib_device *dev, const float *x, int64_t n, int64_t channels,
                                   int64_t size, float *room);
/* The range from lo to hi: of observers that do not choose. */
void ib_observer_extremes(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi);

/* ---- the histogram (observers/bins.c) ---- */
/* Counts x into bins, which grow by doubling. */
void ib_bins_add(ib_observer *o, const float *x, int64_t n, float lo, float hi);
float ib_bin_centre(const ib_observer *o, int i);
double ib_bins_total(const ib_observer *o);
/* Sum of squared errors when [lo, hi] is quantized to q's codes. */
double ib_bins_error(const ib_observer *o, const ib_quantizer *q, int symmetric, float lo, float hi);
static inline float ib_observer_averaging(const ib_observer *o)
{
    return o->averaging > 0 ? o->averaging : 0.01f;
}
static inline int ib_observer_has_bins(const ib_observer *o)
{
    return o->cls && o->cls->observe == ib_bins_add;
}

#endif
