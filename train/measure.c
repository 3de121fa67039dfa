/* measure.c - see measure.h */
#include "train/measure.h"

#include <math.h>

#include "base/alloc.h"

int64_t ib_best_class(const float *y, int64_t classes)
{
    int64_t best = 0;
    for (int64_t j = 1; j < classes; j++)
        best = y[j] > y[best] ? j : best;
    return best;
}

ib_status ib_measure_open(ib_measure *m, int n, const ib_schema *schema)
{
    const ib_schema_opts *o = schema ? ib_schema_of(schema) : NULL;
    *m = (ib_measure){.n = n, .schema = o && o->task == IB_REGRESSION && o->n_targets == n ? o : NULL};
    m->sums = ib_alloc((size_t)n * sizeof *m->sums);
    return m->sums ? IB_OK : IB_ENOMEM;
}

void ib_measure_add(ib_measure *m, const ib_batch *b, const float *y)
{
    for (int64_t i = 0; i < (int64_t)b->n * m->n; i++) {
        const int64_t k = i % m->n;
        const double std = m->schema ? m->schema->targets[k].std : 1;
        const double off = (double)y[i] - b->targets[i], value = b->targets[i] * std;
        ib_target_sums *s = &m->sums[k];
        if (m->seen == 0 && i < m->n)
            s->first = value;
        s->error2 += off * std * off * std;
        s->error1 += fabs(off) * std;
        s->sum += value - s->first;
        s->square += (value - s->first) * (value - s->first);
        m->loss += off * off;
    }
    m->seen += b->n;
}

ib_status ib_measure_score(const ib_measure *m, ib_evaluation *out)
{
    const double n = (double)m->seen;
    *out = (ib_evaluation){.samples = m->seen, .n_targets = m->n, .loss = m->loss / (n * m->n)};
    out->targets = ib_alloc((size_t)m->n * sizeof *out->targets);
    if (!out->targets)
        return IB_ENOMEM;
    for (int k = 0; k < m->n; k++) {
        const ib_target_sums *s = &m->sums[k];
        const double spread = s->square - s->sum * s->sum / n;
        out->targets[k] = (ib_target_score){.name = m->schema ? m->schema->targets[k].name : "",
                                            .rmse = sqrt(s->error2 / n),
                                            .mae = s->error1 / n,
                                            .r2 = spread > 0      ? 1 - s->error2 / spread
                                                  : s->error2 > 0 ? 0
                                                                  : 1};
        out->score += out->targets[k].r2 / m->n;
    }
    return IB_OK;
}

void ib_measure_close(ib_measure *m)
{
    ib_free(m->sums);
    m->sums = NULL;
}
