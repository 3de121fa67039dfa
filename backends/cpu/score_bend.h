/* score_bend.h - what becomes of attention's scores before they are weighed: a soft cap, and ALiBi's bias. */
#ifndef IB_BACKENDS_CPU_SCORE_BEND_H
#define IB_BACKENDS_CPU_SCORE_BEND_H

#include "arithmetic/real.h"
#include "backends/operands.h"

/* ALiBi (arXiv:2108.12409): with n the largest power of two up to `heads`, head h < n has 2^(-most (h + 1) / n); those
 * behind take every second slope of 2 n heads, 2^(-most (2 (h - n) + 1) / (2 n)). 0 where `most` is. */
static inline float alibi_slope(int heads, int head, float most)
{
    int n = 1;
    while (2 * n <= heads)
        n *= 2;
    const double part = head < n ? (head + 1) / (double)n : (2 * (head - n) + 1) / (2.0 * n);
    return most > 0 ? (float)ib_exp_double(-0.69314718055994531 * (double)most * part) : 0.0f;
}

/* s[from .. to), scores of one query by keys or of one key by queries, key less query of number j being apart + step j;
 * chain, or NULL, is multiplied by ds'/ds. */
static inline void bend_scores(const ib_score_bend *b, float slope, int64_t apart, int step, int from, int to, float *s,
                               float *chain)
{
    const float cap = b->cap;
    for (int j = from; cap > 0 && j < to; j++) {
        const float t = ib_tanh_of(s[j] / cap);
        s[j] = cap * t;
        if (chain)
            chain[j] *= 1.0f - t * t;
    }
    for (int j = from; slope > 0 && j < to; j++)
        s[j] += slope * (float)((int)apart + step * j);
}

#endif
