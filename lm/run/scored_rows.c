/* scored_rows.c - see scored_rows.h */
#include "lm/run/scored_rows.h"

#include <math.h>

#include "base/alloc.h"

ib_status ib_scored_rows_open(ib_scored_rows *s, ib_lm *m, ib_graph *g, const ib_text_windows *t)
{
    const size_t context = (size_t)t->context;
    *s = (ib_scored_rows){.m = m, .g = g, .t = t};
    s->pos = ib_alloc(context * 2 * sizeof *s->pos);
    s->hidden = ib_alloc_raw(context * (size_t)m->c.width * sizeof(float));
    s->logits = ib_alloc_raw((size_t)IB_SCORED_AT_ONCE * (size_t)m->c.vocabulary * sizeof(float));
    if (!s->pos || !s->hidden || !s->logits) {
        ib_scored_rows_close(s);
        return IB_ENOMEM;
    }
    for (int64_t i = 0; i < t->context; i++)
        s->pos[i] = (int32_t)i;
    return IB_OK;
}

void ib_scored_rows_close(ib_scored_rows *s)
{
    ib_free(s->pos);
    ib_free(s->hidden);
    ib_free(s->logits);
    *s = (ib_scored_rows){0};
}

ib_status ib_scored_rows_run(ib_scored_rows *s, const int32_t *row)
{
    ib_graph_begin(s->g, IB_EVAL);
    const ib_lm_batch b = {s->t->context, row, s->pos, s->pos + s->t->context};
    ib_tensor *x = ib_lm_hidden(s->m, s->g, &b, 0);
    return x ? ib_tensor_read(x, s->hidden) : ib_error_status();
}

ib_status ib_scored_rows_logits(ib_scored_rows *s, int64_t from, int64_t n)
{
    const int64_t width = s->m->c.width;
    ib_graph_begin(s->g, IB_EVAL);
    ib_tensor *x = ib_input(s->g, 2, (int64_t[]){n, width}, s->hidden + (s->t->first + from) * width);
    x = ib_lm_logits(s->m, s->g, x);
    return x ? ib_tensor_read(x, s->logits) : ib_error_status();
}

double ib_log_of_sum(const float *x, int64_t n, int64_t *top)
{
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        at = x[i] > x[at] ? i : at;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - (double)x[at]);
    *top = at;
    return (double)x[at] + log(sum);
}
