/* sampling.c - the next token from logits: repeat penalty, temperature, top-k, min-p, top-p. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/lm.h"

typedef struct choice {
    float logit;
    int32_t id;
} choice;

static int by_logit(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    return x->logit < y->logit ? 1 : x->logit > y->logit ? -1 : x->id - y->id;
}

/* Heap of which the least likely is the root: sinks what lies at i of n. */
static void sink(choice *c, int n, int i)
{
    for (int child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && by_logit(&c[child], &c[child + 1]) < 0;
        if (by_logit(&c[i], &c[child]) >= 0)
            return;
        const choice up = c[child];
        c[child] = c[i];
        c[i] = up;
    }
}

/* The `most` likeliest, at least 1, of those that reach, in no order: their number. A whole vocabulary is not sorted
 * for a few. */
static int likeliest(const float *logits, int vocabulary, float reach, choice *c, int most)
{
    int k = 0;
    for (int i = 0; i < vocabulary; i++) {
        if (!(logits[i] >= reach))
            continue;
        const choice x = {logits[i], i};
        if (k < most) {
            c[k++] = x;
            for (int j = k / 2 - 1; k == most && j >= 0; j--)
                sink(c, k, j);
        } else if (by_logit(&x, &c[0]) < 0) {
            c[0] = x;
            sink(c, k, 0);
        }
    }
    return k;
}

int32_t ib_sample_token(const ib_sampling *s, float *logits, int vocabulary, const int32_t *history, int64_t n,
                        uint64_t step)
{
    IB_NEED_OR(s, -1);
    IB_NEED_OR(logits, -1);
    if (n > 0)
        IB_NEED_OR(history, -1);
    IB_TAKE_OR(vocabulary, vocabulary > 0, -1, "is %d", vocabulary);
    IB_TAKE_OR(n, n >= 0, -1, "is %lld", (long long)n);
    IB_TAKE_OR(s->temperature, s->temperature >= 0 && isfinite(s->temperature), -1, "is %g", s->temperature);
    IB_TAKE_OR(s->top_k, s->top_k >= 0, -1, "is %d", s->top_k);
    IB_TAKE_OR(s->top_p, s->top_p >= 0 && s->top_p <= 1, -1, "is %g, which is not in [0, 1]", s->top_p);
    IB_TAKE_OR(s->min_p, s->min_p >= 0 && s->min_p <= 1, -1, "is %g, which is not in [0, 1]", s->min_p);
    IB_TAKE_OR(s->repeat_penalty, s->repeat_penalty >= 0 && isfinite(s->repeat_penalty), -1, "is %g",
               s->repeat_penalty);
    for (int64_t i = 0; i < n; i++)
        IB_TAKE_OR(history, history[i] >= 0 && history[i] < vocabulary, -1, "holds token %d, of %d", history[i],
                   vocabulary);
    enum { LAST = 64 };
    const float penalty = s->repeat_penalty > 0 ? s->repeat_penalty : 1;
    for (int64_t i = n > LAST ? n - LAST : 0; i < n && penalty != 1; i++) {
        int seen = 0;
        for (int64_t j = n > LAST ? n - LAST : 0; j < i; j++)
            seen |= history[j] == history[i];
        float *x = &logits[history[i]];
        if (!seen)
            *x = *x > 0 ? *x / penalty : *x * penalty;
    }
    int32_t best = 0;
    for (int i = 0; i < vocabulary; i++) {
        IB_TAKE_OR(logits, !isnan(logits[i]), -1, "holds nan for token %d", i);
        best = logits[i] > logits[best] ? i : best;
    }
    if (!(s->temperature > 0))
        return best;
    const int most_likely = s->top_k > 0 && s->top_k < vocabulary ? s->top_k : vocabulary;
    choice *c = ib_alloc((size_t)most_likely * sizeof *c);
    if (!c)
        return -1;
    const float top = logits[best], reach = top - 30 * s->temperature; /* below it the probability is under 1e-13 */
    const double floor = s->min_p > 0 ? s->min_p : 0;
    const int k = likeliest(logits, vocabulary, reach, c, most_likely);
    double total = 0, sum = 0;
    int likely = 0, kept = 0;
    for (int i = 0; i < k; i++) {
        const double p = exp(((double)c[i].logit - top) / s->temperature);
        total += p;
        if (p >= floor)
            c[likely++] = c[i];
    }
    qsort(c, (size_t)likely, sizeof *c, by_logit);
    const double most = s->top_p > 0 ? s->top_p * total : total;
    for (; kept < likely && (!kept || sum < most); kept++)
        sum += exp(((double)c[kept].logit - top) / s->temperature);
    double u = ib_rng_uniform((ib_rng){s->seed, 0x5a}, step) * sum;
    int i = 0;
    for (; i + 1 < kept; i++) {
        u -= exp(((double)c[i].logit - top) / s->temperature);
        if (u < 0)
            break;
    }
    best = c[i].id;
    ib_free(c);
    return best;
}
