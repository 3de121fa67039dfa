/* saved_logits.c - see saved_logits.h */
#include "lm/run/saved_logits.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/run/scored_rows.h"

enum { HEAD = 8 + 3 * 4, SCALES = 2 * sizeof(float) };
/* what is below the likeliest by more has no code */
static const float REACH = 16;

static size_t row_bytes(int64_t vocabulary)
{
    return SCALES + (size_t)(vocabulary + vocabulary % 2) * sizeof(uint16_t);
}

static const uint8_t *row_at(const ib_saved_logits *s, int64_t w, int64_t i)
{
    return s->file.data + HEAD + (size_t)(s->windows * s->context) * 4 + (size_t)(w * s->scored + i) * s->row;
}

/* ---- reading ---- */

static ib_status check(ib_saved_logits *s)
{
    int32_t head[3];
    if (s->file.size < HEAD || memcmp(s->file.data, "_logits_", 8))
        return ib_fail(IB_EFORMAT, "is no file of saved logits: it does not begin with \"_logits_\"");
    memcpy(head, s->file.data + 8, sizeof head);
    if (head[0] < 4 || head[0] > 1 << 20 || head[1] < 1 || head[1] > 1 << 28 || head[2] < 1)
        return ib_fail(IB_EFORMAT, "%d windows of %d tokens over a vocabulary of %d are no saved logits", head[2],
                       head[0], head[1]);
    s->context = head[0];
    s->vocabulary = head[1];
    s->windows = head[2];
    s->scored = s->context - 1 - s->context / 2;
    s->row = row_bytes(s->vocabulary);
    /* of at most 2^20 tokens and 2^49 bytes each */
    const double one = 4.0 * (double)s->context + (double)s->scored * (double)s->row,
                 whole = HEAD + (double)s->windows * one;
    if ((double)s->file.size != whole)
        return ib_fail(IB_EFORMAT,
                       "has %zu bytes, but %lld windows of %lld tokens over a vocabulary of %lld take %.0f: it is %s",
                       s->file.size, (long long)s->windows, (long long)s->context, (long long)s->vocabulary, whole,
                       (double)s->file.size < whole ? "cut short" : "too long");
    for (int64_t i = 0; i < s->windows * s->context; i++) {
        int32_t id;
        memcpy(&id, s->file.data + HEAD + 4 * i, 4);
        if (id < 0 || id >= s->vocabulary)
            return ib_fail(IB_EFORMAT, "token %lld of window %lld is %d, but the vocabulary has %lld",
                           (long long)(i % s->context), (long long)(i / s->context + 1), id, (long long)s->vocabulary);
    }
    return IB_OK;
}

ib_status ib_saved_logits_open(const char *path, ib_saved_logits *out)
{
    *out = (ib_saved_logits){0};
    ib_status status = ib_file_map(path, &out->file);
    if (status)
        return status;
    status = check(out);
    if (status) {
        ib_error_prefix("%s", path);
        ib_saved_logits_close(out);
    }
    return status;
}

void ib_saved_logits_close(ib_saved_logits *s)
{
    ib_file_unmap(&s->file);
    *s = (ib_saved_logits){0};
}

void ib_saved_logits_tokens(const ib_saved_logits *s, int64_t w, int32_t *row)
{
    memcpy(row, s->file.data + HEAD + (size_t)(w * s->context) * 4, (size_t)s->context * 4);
}

ib_status ib_saved_logits_row(const ib_saved_logits *s, int64_t w, int64_t i, float *logs)
{
    float scale[2];
    const uint8_t *from = row_at(s, w, i);
    memcpy(scale, from, sizeof scale);
    if (!(isfinite(scale[0]) && scale[0] >= 0 && isfinite(scale[1])))
        return ib_fail(IB_EFORMAT, "window %lld, row %lld: %g and %g are no scale and least of logarithms",
                       (long long)w + 1, (long long)i, (double)scale[0], (double)scale[1]);
    for (int64_t j = 0; j < s->vocabulary; j++) {
        uint16_t code;
        memcpy(&code, from + SCALES + 2 * (size_t)j, sizeof code);
        logs[j] = scale[0] * (float)code + scale[1];
    }
    return IB_OK;
}

/* ---- writing ---- */

/* A row of logits x: code = round((x - lowest) / scale) where lowest = max(min x, max x - REACH). Returns log sum. */
static double put_row(const float *x, int64_t n, uint8_t *to)
{
    int64_t top;
    const double log_sum = ib_log_of_sum(x, n, &top);
    float lowest = x[top];
    for (int64_t i = 0; i < n; i++)
        lowest = x[i] < lowest ? x[i] : lowest;
    lowest = lowest < x[top] - REACH ? x[top] - REACH : lowest;
    const float scale[2] = {(x[top] - lowest) / 65535, (float)(lowest - log_sum)};
    memcpy(to, scale, sizeof scale);
    for (int64_t i = 0; i < n; i++) {
        const float steps = scale[0] > 0 && x[i] > lowest ? (x[i] - lowest) / scale[0] : 0;
        const uint16_t code = (uint16_t)(steps < 65535 ? lrintf(steps) : 65535);
        memcpy(to + SCALES + 2 * (size_t)i, &code, sizeof code);
    }
    return log_sum;
}

/* One window: its rows to the file, its losses to nll. */
static ib_status save_window(ib_scored_rows *s, const int32_t *row, uint8_t *packed, ib_file_writer *f, double *nll)
{
    const int64_t vocabulary = s->m->c.vocabulary;
    const size_t bytes = row_bytes(vocabulary);
    ib_status status = ib_scored_rows_run(s, row);
    for (int64_t from = 0; from < s->t->scored && !status; from += IB_SCORED_AT_ONCE) {
        const int64_t left = s->t->scored - from, n = left < IB_SCORED_AT_ONCE ? left : IB_SCORED_AT_ONCE;
        double losses[IB_SCORED_AT_ONCE];
        status = ib_scored_rows_logits(s, from, n);
        if (status)
            break;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            const float *x = s->logits + i * vocabulary;
            losses[i] = put_row(x, vocabulary, packed + (size_t)i * bytes) - x[row[s->t->first + from + i + 1]];
        }
        for (int64_t i = 0; i < n; i++)
            *nll += losses[i];
        if (!isfinite(*nll))
            return ib_fail(IB_ENUMERIC, "the loss is %g", fabs(*nll));
        ib_file_write(f, packed, (size_t)n * bytes);
    }
    return status;
}

ib_status ib_lm_save_logits(ib_lm *m, ib_graph *g, const char *path, const int32_t *ids, int64_t n,
                            const ib_perplexity_opts *o, ib_perplexity_result *out)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(path);
    IB_NEED(ids);
    IB_NEED(out);
    ib_text_windows t;
    ib_status status = ib_text_windows_of(m, ids, n, o, __func__, &t);
    if (status)
        return status;
    if (o && o->stride)
        return ib_fail(IB_EINVAL, "%s: windows that slide by %lld tokens have no place in a file of saved logits",
                       __func__, (long long)o->stride);
    if (t.windows > INT32_MAX)
        return ib_fail(IB_EINVAL, "%s: a file of saved logits holds at most 2^31 - 1 windows, not %lld", __func__,
                       (long long)t.windows);
    ib_scored_rows s;
    status = ib_scored_rows_open(&s, m, g, &t);
    if (status)
        return status;
    int32_t *row = ib_alloc((size_t)t.context * sizeof *row);
    uint8_t *packed = ib_alloc(IB_SCORED_AT_ONCE * row_bytes(m->c.vocabulary));
    ib_file_writer *f = row && packed ? ib_file_writer_open(path) : NULL;
    status = f ? IB_OK : ib_error_status();
    *out = (ib_perplexity_result){0};
    if (f) {
        const int32_t head[3] = {(int32_t)t.context, m->c.vocabulary, (int32_t)t.windows};
        ib_file_write(f, "_logits_", 8);
        ib_file_write(f, head, sizeof head);
    }
    for (int64_t w = 0; w < t.windows && !status; w++) {
        ib_text_windows_row(&t, w, row);
        ib_file_write(f, row, (size_t)t.context * sizeof *row);
    }
    for (int64_t w = 0; w < t.windows && !status; w++) {
        ib_text_windows_row(&t, w, row);
        status = save_window(&s, row, packed, f, &out->nll);
        if (status)
            ib_error_prefix("window %lld", (long long)w + 1);
        out->tokens += t.scored;
        out->windows = w + 1;
        if (!status)
            status = ib_text_windows_tell(o, w + 1, t.windows, exp(out->nll / (double)out->tokens));
    }
    if (f && !status)
        status = ib_file_writer_finish(f);
    else
        ib_file_writer_drop(f);
    out->nll /= (double)(out->tokens ? out->tokens : 1);
    out->perplexity = exp(out->nll);
    ib_free(row);
    ib_free(packed);
    ib_scored_rows_close(&s);
    return status;
}
