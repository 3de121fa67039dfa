/* bins.c - the histogram of 2048 bins over all calibration batches, from which histogram, percentile, mse and kl choose
 * their ranges. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "qat/observer.h"

/* Doubles the histogram's width towards higher (up) or lower values by merging neighbours. */
static void widen(ib_observer *o, int up)
{
    double old[IB_BINS];
    memcpy(old, o->bins, sizeof old);
    memset(o->bins, 0, sizeof old);
    if (!up)
        o->bin_lo -= IB_BINS * o->bin_width;
    o->bin_width *= 2;
    for (int i = 0; i < IB_BINS / 2; i++)
        o->bins[i + (up ? 0 : IB_BINS / 2)] = old[2 * i] + old[2 * i + 1];
}

/* bin_width is positive, and bin_lo <= x; what a rounding error puts beyond the last bin belongs to it. */
static int bin_of(const ib_observer *o, float x)
{
    const float b = (x - o->bin_lo) / o->bin_width;
    return b >= IB_BINS ? IB_BINS - 1 : b > 0 ? (int)b : 0;
}

/* Bins for [lo, hi], which hold the one value, if any, that all before this batch was: one value has no range that
 * could set their width. */
static void lay_out(ib_observer *o, float lo, float hi)
{
    double before = 0;
    for (int i = 0; i < IB_BINS && o->count; i++)
        before += o->bins[i];
    memset(o->bins, 0, IB_BINS * sizeof *o->bins);
    o->bin_lo = o->count && o->lo < lo ? o->lo : lo;
    hi = o->count && o->lo > hi ? o->lo : hi;
    const float width = hi > o->bin_lo ? (hi - o->bin_lo) * (1.0f + 1e-5f) / IB_BINS : fabsf(hi) * 0x1p-20f;
    o->bin_width = width > FLT_MIN ? width : FLT_MIN;
    if (before > 0)
        o->bins[bin_of(o, o->lo)] = before;
}

void ib_bins_add(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    if (!o->count || o->lo == o->hi)
        lay_out(o, lo, hi);
    for (int tries = 0; hi >= o->bin_lo + IB_BINS * o->bin_width && tries < 300; tries++)
        widen(o, 1);
    for (int tries = 0; lo < o->bin_lo && tries < 300; tries++)
        widen(o, 0);
    for (int64_t i = 0; i < n; i++) {
        o->bins[bin_of(o, x[i])]++;
        o->zeros += x[i] == 0;
    }
    o->lo = !o->count || lo < o->lo ? lo : o->lo;
    o->hi = !o->count || hi > o->hi ? hi : o->hi;
}

float ib_bin_centre(const ib_observer *o, int i)
{
    return o->bin_lo + ((float)i + 0.5f) * o->bin_width;
}

double ib_bins_total(const ib_observer *o)
{
    double sum = 0;
    for (int i = 0; i < IB_BINS; i++)
        sum += o->bins[i];
    return sum;
}

/* By the quantizer's own arithmetic. */
double ib_bins_error(const ib_observer *o, const ib_quantizer *q, int symmetric, float lo, float hi)
{
    double error = 0;
    float scale;
    int32_t zero;
    ib_scale_of_range(lo, hi, symmetric, q->qmin, q->qmax, &scale, &zero);
    for (int i = 0; i < IB_BINS; i++) {
        if (o->bins[i] == 0)
            continue;
        const float x = ib_bin_centre(o, i), v = rintf(x / scale) + (float)zero;
        const float c = v < (float)q->qmin ? (float)q->qmin : v > (float)q->qmax ? (float)q->qmax : v;
        const double d = x - (double)scale * (c - (float)zero);
        error += o->bins[i] * (d * d + o->bin_width * o->bin_width / 12.0);
    }
    return error;
}
