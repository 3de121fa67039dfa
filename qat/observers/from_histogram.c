/* from_histogram.c - ranges chosen from a histogram of 2048 bins over all calibration batches. */
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

void ib_histogram_add(ib_observer *o, const float *x, int64_t n, float lo, float hi)
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

static double total(const ib_observer *o)
{
    double sum = 0;
    for (int i = 0; i < IB_BINS; i++)
        sum += o->bins[i];
    return sum;
}

/* Sum of squared errors when [lo, hi] is quantized to q's codes, by the quantizer's own arithmetic. */
static double squared_error(const ib_observer *o, const ib_quantizer *q, int symmetric, float lo, float hi)
{
    ib_quantizer t = *q;
    double error = 0;
    ib_quantizer_set_range(&t, lo, hi, symmetric);
    for (int i = 0; i < IB_BINS; i++) {
        if (o->bins[i] == 0)
            continue;
        const float x = ib_bin_centre(o, i), v = rintf(x / t.scale) + (float)t.zero;
        const float c = v < (float)t.qmin ? (float)t.qmin : v > (float)t.qmax ? (float)t.qmax : v;
        const double d = x - (double)t.scale * (c - (float)t.zero);
        error += o->bins[i] * (d * d + o->bin_width * o->bin_width / 12.0);
    }
    return error;
}

/* As torch's HistogramObserver: cut off quantiles in steps of 1e-5, at the side that skips more bins, until the error
 * grows. Unlike there the error of the whole range is what the first cut is held against. */
static void histogram_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    const double sum = total(o), step = 1e-5;
    double alpha = 0, beta = 1, best = squared_error(o, q, symmetric, o->lo, o->hi);
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
        const double error = squared_error(o, q, symmetric, a, b);
        if (error > best)
            return;
        if (error < best) {
            best = error;
            *lo = a;
            *hi = b;
        }
    }
}

/* Leaves out at most 100 - p percent of the values, half of them at each end (all at the top if nothing is negative).
 * Zeros have a code in every range: of the other values no larger share is left out than that, or than a hundredth if
 * that is more. Of a mask with few ones each one is kept. */
static void percentile_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    (void)q, (void)symmetric;
    const double share = (100.0 - (o->percentile > 0 ? o->percentile : 99.99f)) / 100.0, all = total(o);
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

/* The least squared error among shrunken ranges: both ends together, then each end by itself. */
static void mse_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    double best = INFINITY;
    *lo = o->lo;
    *hi = o->hi;
    for (int i = 100; i > 4; i--) {
        const float a = o->lo * (float)i / 100, b = o->hi * (float)i / 100;
        const double error = squared_error(o, q, symmetric, a, b);
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
            const double error = a >= o->lo && b <= o->hi ? squared_error(o, q, symmetric, a, b) : INFINITY;
            if (error < best) {
                best = error;
                *lo = a;
                *hi = b;
            }
        }
}

const ib_observer_class ib_observer_histogram = {"histogram", 0, ib_histogram_add, histogram_range};
const ib_observer_class ib_observer_percentile = {"percentile", 0, ib_histogram_add, percentile_range};
const ib_observer_class ib_observer_mse = {"mse", 0, ib_histogram_add, mse_range};
