/* divergence.c - a model against another on the same tokens. */
#include "lm/run/divergence.h"

#include <math.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/run/saved_logits.h"
#include "lm/run/scored_rows.h"

/* The model, and the base: a model too, or a file. */
typedef struct comparison {
    ib_scored_rows model, base;
    const ib_saved_logits *saved;
    float *logs; /* [IB_SCORED_AT_ONCE, vocabulary] of the file's */
} comparison;

/* A row of what the base says: log b = x - log_sum; least: what is below has no part. */
typedef struct base_row {
    const float *x;
    double log_sum, least;
    int64_t top;
} base_row;

/* sum b log(b / p) = sum b ((x_b - log_sum_b) - (x_p - log_sum_p)) */
static void compare(const float *p, const base_row *b, int64_t vocabulary, int32_t token, ib_token_score *out)
{
    int64_t top;
    const double log_sum = ib_log_of_sum(p, vocabulary, &top);
    double sum = 0;
    for (int64_t i = 0; i < vocabulary; i++) {
        const double log_b = (double)b->x[i] - b->log_sum;
        if (log_b > b->least)
            sum += exp(log_b) * (log_b - ((double)p[i] - log_sum));
    }
    out->nll = log_sum - (double)p[token];
    out->base_nll = b->log_sum - (double)b->x[token];
    out->divergence = sum;
    out->change = exp(-out->nll) - exp(-out->base_nll);
    out->same_top = top == b->top;
}

static ib_status base_rows(comparison *c, int64_t w, int64_t from, int64_t n)
{
    ib_status status = IB_OK;
    if (!c->saved)
        return ib_scored_rows_logits(&c->base, from, n);
    for (int64_t i = 0; i < n && !status; i++)
        status = ib_saved_logits_row(c->saved, w, from + i, c->logs + i * c->saved->vocabulary);
    return status;
}

/* The scores of the rows of window w, out [scored]. */
static ib_status compare_window(comparison *c, int64_t w, const int32_t *row, ib_token_score *out)
{
    const ib_text_windows *t = c->model.t;
    const int64_t vocabulary = c->model.m->c.vocabulary;
    ib_status status = ib_scored_rows_run(&c->model, row);
    if (!status && !c->saved)
        status = ib_scored_rows_run(&c->base, row);
    for (int64_t from = 0; from < t->scored && !status; from += IB_SCORED_AT_ONCE) {
        const int64_t left = t->scored - from, n = left < IB_SCORED_AT_ONCE ? left : IB_SCORED_AT_ONCE;
        if ((status = base_rows(c, w, from, n)) || (status = ib_scored_rows_logits(&c->model, from, n)))
            break;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            base_row b = {.x = (c->saved ? c->logs : c->base.logits) + i * vocabulary, .least = -INFINITY};
            const double log_sum = ib_log_of_sum(b.x, vocabulary, &b.top);
            if (c->saved)
                b.least = -16; /* codes reach no further; their logarithms are taken as they are */
            else
                b.log_sum = log_sum;
            compare(c->model.logits + i * vocabulary, &b, vocabulary, row[t->first + from + i + 1], &out[from + i]);
        }
        for (int64_t i = from; i < from + n; i++)
            if (!isfinite(out[i].divergence) || !isfinite(out[i].nll) || !isfinite(out[i].base_nll))
                return ib_fail(IB_ENUMERIC, "token %lld: losses of %g, and of the base %g, and a divergence of %g",
                               (long long)(t->first + i + 1), out[i].nll, out[i].base_nll, out[i].divergence);
    }
    return status;
}

/* All windows. A file's hold its own tokens, but for the BOS in the place of their first. */
static ib_status run(comparison *c, const ib_perplexity_opts *o, ib_divergence *out)
{
    const ib_text_windows *t = c->model.t;
    int32_t *row = ib_alloc((size_t)t->context * sizeof *row), *own = ib_alloc((size_t)t->context * sizeof *own);
    ib_token_score *score = ib_alloc_raw((size_t)(t->windows * t->scored) * sizeof *score);
    ib_status status = row && own && score ? IB_OK : IB_ENOMEM;
    double sum = 0;
    for (int64_t w = 0; w < t->windows && !status; w++) {
        if (t->ids)
            ib_text_windows_row(t, w, row);
        if (c->saved)
            ib_saved_logits_tokens(c->saved, w, own);
        if (c->saved && t->bos >= 0)
            own[0] = t->bos;
        for (int64_t i = 0; i < t->context && c->saved && t->ids && !status; i++)
            if (row[i] != own[i])
                status = ib_fail(IB_EINVAL, "token %lld is %d in the text, but %d in the saved logits", (long long)i,
                                 row[i], own[i]);
        if (!status)
            status = compare_window(c, w, c->saved ? own : row, score + w * t->scored);
        for (int64_t i = w * t->scored; i < (w + 1) * t->scored && !status; i++)
            sum += score[i].divergence;
        if (status)
            ib_error_prefix("window %lld", (long long)w + 1);
        else
            status = ib_text_windows_tell(o, w + 1, t->windows, sum / (double)((w + 1) * t->scored));
    }
    if (!status) {
        *out = (ib_divergence){.windows = t->windows};
        ib_divergence_figures(score, t->windows * t->scored, out);
    }
    ib_free(row);
    ib_free(own);
    ib_free(score);
    return status;
}

static ib_status same_vocabulary(const ib_lm *m, int64_t other, const char *what)
{
    return m->c.vocabulary == other
               ? IB_OK
               : ib_fail(IB_EINVAL,
                         "the model has a vocabulary of %d tokens, %s one of %lld: no token of one is the other's",
                         m->c.vocabulary, what, (long long)other);
}

ib_status ib_lm_divergence(ib_lm *m, ib_lm *base, ib_graph *g, const int32_t *ids, int64_t n,
                           const ib_perplexity_opts *o, ib_divergence *out)
{
    IB_NEED(m);
    IB_NEED(base);
    IB_NEED(g);
    IB_NEED(ids);
    IB_NEED(out);
    ib_text_windows t;
    ib_status status = ib_text_windows_of(m, ids, n, o, __func__, &t);
    if (status || (status = same_vocabulary(m, base->c.vocabulary, "the base")))
        return status;
    comparison c = {0};
    status = ib_scored_rows_open(&c.model, m, g, &t);
    if (!status)
        status = ib_scored_rows_open(&c.base, base, g, &t);
    if (!status)
        status = run(&c, o, out);
    ib_scored_rows_close(&c.model);
    ib_scored_rows_close(&c.base);
    return status;
}

/* The windows of a file: side by side, with the BOS in the place of each one's first token. */
static ib_status file_windows(const ib_saved_logits *f, const ib_perplexity_opts *o, const char *function,
                              ib_text_windows *t)
{
    if (o->context && o->context != f->context)
        return ib_fail(IB_EINVAL, "%s: windows of %d tokens are asked for, those of the saved logits have %lld",
                       function, o->context, (long long)f->context);
    if (o->stride)
        return ib_fail(IB_EINVAL, "%s: windows of saved logits do not slide: no stride of %lld", function,
                       (long long)o->stride);
    if (o->windows > f->windows)
        return ib_fail(IB_EINVAL, "%s: %lld windows are asked for, the saved logits have %lld", function,
                       (long long)o->windows, (long long)f->windows);
    *t = (ib_text_windows){.bos = o->bos,
                           .bos_each = o->bos >= 0,
                           .windows = o->windows ? o->windows : f->windows,
                           .context = f->context,
                           .step = f->context,
                           .first = f->context / 2,
                           .scored = f->scored};
    return IB_OK;
}

ib_status ib_lm_divergence_saved(ib_lm *m, const char *path, ib_graph *g, const int32_t *ids, int64_t n,
                                 const ib_perplexity_opts *o, ib_divergence *out)
{
    IB_NEED(m);
    IB_NEED(path);
    IB_NEED(g);
    IB_NEED(out);
    ib_perplexity_opts own = o ? *o : (ib_perplexity_opts){.bos = -1};
    ib_saved_logits f;
    ib_text_windows t;
    ib_status status = ib_saved_logits_open(path, &f);
    if (status)
        return status;
    if (!(status = same_vocabulary(m, f.vocabulary, "the saved logits")))
        status = file_windows(&f, &own, __func__, &t);
    if (!status) { /* the text has as many; bos is checked */
        own.context = (int)f.context;
        own.windows = t.windows;
        ib_text_windows of_text;
        static const int32_t none[1] = {0};
        status = ib_text_windows_of(m, ids ? ids : none, ids ? n : t.windows * f.context, &own, __func__, &of_text);
        if (!status && of_text.windows != t.windows)
            status = ib_fail(IB_EINVAL, "%s: the text has %lld windows of %lld tokens, the saved logits %lld", __func__,
                             (long long)of_text.windows, (long long)f.context, (long long)t.windows);
        if (!status && ids)
            t = of_text;
    }
    comparison c = {.saved = &f};
    if (!status)
        status = ib_scored_rows_open(&c.model, m, g, &t);
    if (!status) {
        c.logs = ib_alloc_raw((size_t)IB_SCORED_AT_ONCE * (size_t)f.vocabulary * sizeof *c.logs);
        status = c.logs ? run(&c, &own, out) : IB_ENOMEM;
    }
    ib_free(c.logs);
    ib_scored_rows_close(&c.model);
    ib_saved_logits_close(&f);
    return status;
}
