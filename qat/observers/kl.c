/* kl.c - the clipping level whose quantized distribution is nearest to the observed one. */
#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "qat/observer.h"

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
            kl += pi * ib_log_double(pi / (qi > 1e-12 ? qi : 1e-12));
    }
    return kl;
}

static void kl_range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    static _Thread_local double p[IB_BINS];
    const float top = -o->lo > o->hi ? -o->lo : o->hi;
    const int levels = o->lo < 0 || symmetric ? q->qmax : q->qmax - q->qmin; /* of |x| */
    double all = 0, outside = 0, best = INFINITY;
    int cut = IB_BINS;
    memset(p, 0, sizeof p);
    for (int i = 0; i < IB_BINS && top > 0; i++) {
        const float b = fabsf(ib_bin_centre(o, i)) / top * IB_BINS;
        p[b < IB_BINS ? (int)b : IB_BINS - 1] += o->bins[i];
    }
    p[0] = p[1]; /* the spike at zero says nothing about where to clip */
    for (int i = 0; i < IB_BINS; i++)
        all += p[i];
    /* A bin that holds a hundredth of the values is no tail: where a cut leaves one spike inside, the clipped ones
     * would be counted into it, and the divergence be 0. */
    int least = levels > 16 ? levels : 16;
    for (int i = least; i < IB_BINS; i++)
        least = 100 * p[i] >= all ? i + 1 : least;
    for (int i = IB_BINS; i >= least; i--) { /* of equal divergence (but for rounding) the widest */
        const double kl = divergence(p, i, outside, levels < 2 ? 2 : levels);
        if (kl < best - 1e-12) {
            best = kl;
            cut = i;
        }
        outside += p[i - 1];
    }
    const float t = top * (float)cut / IB_BINS;
    *lo = o->lo < -t ? -t : o->lo;
    *hi = o->hi > t ? t : o->hi;
}

const ib_observer_class ib_observer_kl = {"kl", IB_STANDS_STILL, ib_bins_add, kl_range};
