/* generate.c - one token after the other: a step over the cache of keys and values, sampling. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/lm.h"

ib_status ib_lm_step(ib_lm *m, ib_graph *g, ib_kv *kv, const int32_t *ids, int64_t n, float *logits)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(kv);
    IB_NEED(ids);
    IB_NEED(logits);
    if (n < 1 || n > kv->context - kv->length)
        return ib_fail(IB_EINVAL, "ib_lm_step: n: %lld tokens behind %d do not fit a context of %d", (long long)n,
                       kv->length, kv->context);
    IB_TAKE(kv, kv->n_layers == m->c.layers && kv->groups == m->c.groups && kv->dim == m->c.dim,
            "is of another model: %d layers of %d keys of %d", kv->n_layers, kv->groups, kv->dim);
    for (int64_t i = 0; i < n; i++)
        IB_TAKE(ids, ids[i] >= 0 && ids[i] < m->c.vocabulary, "holds token %d at %lld, of %d", ids[i], (long long)i,
                m->c.vocabulary);
    if (ib_kv_place(kv, g->dev))
        return ib_error_status();
    ib_graph_begin(g, IB_EVAL);
    int32_t *pos = ib_graph_alloc(g, (size_t)n * 2 * sizeof *pos);
    if (!pos)
        return IB_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        pos[i] = (int32_t)(kv->length + i);
        pos[n + i] = 0;
    }
    const ib_lm_batch b = {n, ids, pos, pos + n};
    ib_block_run run = ib_lm_run(m, g, &b, kv);
    ib_tensor *x = run.pos ? ib_lm_embed(m, g, &b) : NULL;
    for (int i = 0; x && i < m->c.layers; i++) {
        const ib_mark mark = ib_graph_mark(g); /* a layer's values are gone when the next begins */
        run.layer = i;
        ib_tensor *y = ib_lm_block(g, &run, x);
        if (y)
            V(g)->copy(g->dev, x->data, y->data, (size_t)x->size * sizeof(float));
        x = y ? x : NULL;
        ib_graph_release(g, mark);
    }
    if (!x)
        return ib_error_status();
    ib_tensor *last = ib_graph_tensor(g, 2, (int64_t[]){1, m->c.width});
    if (!last)
        return IB_ENOMEM;
    V(g)->copy(g->dev, last->data, ib_f32(x) + (n - 1) * m->c.width, (size_t)m->c.width * sizeof(float));
    ib_tensor *y = ib_lm_logits(m, g, ib_rms_norm(g, last, m->norm, m->c.eps));
    if (!y || ib_tensor_read(y, logits))
        return ib_error_status();
    kv->length += (int)n;
    return isfinite(logits[0]) ? IB_OK : ib_fail(IB_ENUMERIC, "the logits behind token %d are not finite", kv->length);
}

/* ---- sampling ---- */

typedef struct choice {
    float logit;
    int32_t id;
} choice;

static int by_logit(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    return x->logit < y->logit ? 1 : x->logit > y->logit ? -1 : x->id - y->id;
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
    choice *c = ib_alloc((size_t)vocabulary * sizeof *c);
    if (!c)
        return -1;
    int k = 0;
    const float top = logits[best], reach = top - 30 * s->temperature; /* below it the probability is under 1e-13 */
    for (int i = 0; i < vocabulary; i++)
        if (logits[i] >= reach)
            c[k++] = (choice){logits[i], i};
    qsort(c, (size_t)k, sizeof *c, by_logit);
    k = s->top_k > 0 && s->top_k < k ? s->top_k : k;
    double total = 0, sum = 0;
    for (int i = 0; i < k; i++)
        total += exp(((double)c[i].logit - top) / s->temperature);
    const double floor = s->min_p > 0 ? s->min_p : 0, most = s->top_p > 0 ? s->top_p * total : total;
    int kept = 0;
    for (; kept < k && (!kept || (sum < most && exp(((double)c[kept].logit - top) / s->temperature) >= floor)); kept++)
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
