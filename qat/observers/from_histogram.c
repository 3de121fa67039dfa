/* from_histogram.c - ranges chosen from a histogram of 2048 bins over all calibration batches. */
#include <math.h>
#include <string.h>

#include "qat/observer.h"

/* Doubles the histogram's width towards higher (up) or lower values by merging neighbours. */
static void widen(ib_observer *o, int up)
{
    float old[IB_BINS];
    memcpy(old, o->bins, sizeof old);
    memset(o->bins, 0, sizeof old);
    if (!up)
        o->bin_lo -= IB_BINS * o->bin_width;
    o->bin_width *= 2;
    for (int i = 0; i < IB_BINS / 2; i++)
        o->bins[i + (up ? 0 : IB_BINS / 2)] = old[2 * i] + old[2 * i + 1];
}

void ib_histogram_add(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    if (!o->count) {
        o->bin_lo = lo;
        o->bin_width = hi > lo ? (hi - lo) * (1.0f + 1e-5f) / IB_BINS : 1e-6f;
    }
    for (int tries = 0; hi >= o->bin_lo + IB_BINS * o->bin_width && tries < 200; tries++)
        widen(o, 1);
    for (int tries = 0; lo < o->bin_lo && tries < 200; tries++)
        widen(o, 0);
    for (int64_t i = 0; i < n; i++) {
        const int b = (int)((x[i] - o->bin_lo) / o->bin_width);
        o->bins[b < 0 ? 0 : b >= IB_BINS ? IB_BINS - 1 : b]++;
    }
    o->lo = !o->count || lo < o->lo ? lo : o->lo;
    o->hi = !o->count || hi > o->hi ? hi : o->hi;
}

static float centre(const ib_observer *o, int i)
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
        const float x = centre(o, i), v = rintf(x / t.scale) + (float)t.zero;
        const float c = v < (float)t.qmin ? (float)t.qmin : v > (float)t.qmax ? (float)t.qmax : v;
        const double d = x - (double)t.scale * (c - (float)t.zero);
        error += o->bins[i] * (d * d + o->bin_width * o->bin_width / 12.0);
    }
    return error;
}

/* As torch's HistogramObserver: cut off quantiles in steps of 1e-5, at the side that skips more bins, until the error
 * grows. */
static void histogram_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    const double sum = total(o), step = 1e-5;
    double alpha = 0, beta = 1, best = INFINITY;
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
        const float a = o->bin_lo + (float)first * o->bin_width, b = o->bin_lo + (float)(last + 1) * o->bin_width;
        const double error = squared_error(o, q, symmetric, a, b);
        if (error > best)
            return;
        best = error;
        *lo = a > o->lo ? a : o->lo;
        *hi = b < o->hi ? b : o->hi;
    }
}

/* Leaves out 100 - p percent of the values, half of them at each end (all at the top if nothing is negative). */
static void percentile_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    (void)q, (void)symmetric;
    const double out = (100.0 - (o->percentile > 0 ? o->percentile : 99.99f)) / 100.0 * total(o) / (o->lo < 0 ? 2 : 1);
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

/* KL(P || Q) of the first `cut` bins of |x|: P has the clipped mass in its last bin, Q is P's shape at `levels` steps
 * (S. Migacz, "8-bit inference with TensorRT", GTC 2017). */
static double divergence(const double *p, int cut, double outside, int levels)
{
    double kl = 0, sum_p = outside, sum_q = 0;
    static _Thread_local double qd[IB_BINS];
    for (int level = 0; level < levels; level++) {
        const int from = (int)((int64_t)level * cut / levels), to = (int)((int64_t)(level + 1) * cut / levels);
        double mass = 0;
        int used = 0;
        for (int i = from; i < to; i++) {
            mass += p[i];
            used += p[i] > 0;
        }
        for (int i = from; i < to; i++)
            qd[i] = p[i] > 0 ? mass / used : 0;
    }
    for (int i = 0; i < cut; i++) {
        sum_p += p[i];
        sum_q += qd[i];
    }
    for (int i = 0; i < cut; i++) {
        const double pi = (p[i] + (i == cut - 1 ? outside : 0)) / sum_p, qi = sum_q > 0 ? qd[i] / sum_q : 0;
        if (pi > 0)
            kl += pi * log(pi / (qi > 1e-12 ? qi : 1e-12));
    }
    return kl;
}

static void kl_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    static _Thread_local double p[IB_BINS];
    const float top = -o->lo > o->hi ? -o->lo : o->hi;
    const int levels = o->lo < 0 || symmetric ? q->qmax : q->qmax - q->qmin; /* of |x| */
    double all = 0, inside = 0, best = INFINITY;
    int cut = IB_BINS;
    memset(p, 0, sizeof p);
    for (int i = 0; i < IB_BINS && top > 0; i++) {
        const int b = (int)(fabsf(centre(o, i)) / top * IB_BINS);
        p[b < IB_BINS ? b : IB_BINS - 1] += o->bins[i];
        all += o->bins[i];
    }
    p[0] = p[1]; /* the spike at zero says nothing about where to clip */
    const int start = levels < 128 ? (levels > 16 ? levels : 16) : levels;
    for (int i = 0; i < start - 1; i++)
        inside += p[i];
    all = inside;
    for (int i = start - 1; i < IB_BINS; i++)
        all += p[i];
    for (int i = start; i <= IB_BINS; i++) {
        inside += p[i - 1];
        const double kl = divergence(p, i, all - inside, levels < 2 ? 2 : levels);
        if (kl < best) {
            best = kl;
            cut = i;
        }
    }
    const float t = top * (float)cut / IB_BINS;
    *lo = o->lo < -t ? -t : o->lo;
    *hi = o->hi > t ? t : o->hi;
}

const ib_observer_class ib_observer_histogram = {"histogram", 0, ib_histogram_add, histogram_range};
const ib_observer_class ib_observer_percentile = {"percentile", 0, ib_histogram_add, percentile_range};
const ib_observer_class ib_observer_mse = {"mse", 0, ib_histogram_add, mse_range};
const ib_observer_class ib_observer_kl = {"kl", 0, ib_histogram_add, kl_range};
