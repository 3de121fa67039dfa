/* scored_rows.h - what a model says of the tokens of a window that are scored. */
#ifndef IB_LM_RUN_SCORED_ROWS_H
#define IB_LM_RUN_SCORED_ROWS_H

#include "lm/run/text_windows.h"

/* Rows whose logits are in memory at once: a large vocabulary is much. */
enum { IB_SCORED_AT_ONCE = 64 };

typedef struct ib_scored_rows {
    ib_lm *m;
    ib_graph *g;
    const ib_text_windows *t;
    int32_t *pos;  /* [2][context] positions, and the row where each token's sequence begins */
    float *hidden; /* [context, width] of the window */
    float *logits; /* [IB_SCORED_AT_ONCE, vocabulary] of the last rows asked for */
} ib_scored_rows;

ib_status ib_scored_rows_open(ib_scored_rows *s, ib_lm *m, ib_graph *g, const ib_text_windows *t);
void ib_scored_rows_close(ib_scored_rows *s);
/* Runs a window, row [context]; begins steps of g. */
ib_status ib_scored_rows_run(ib_scored_rows *s, const int32_t *row);
/* Logits of n of its scored rows, from the one `from` on. */
ib_status ib_scored_rows_logits(ib_scored_rows *s, int64_t from, int64_t n);

/* log of the sum of exp(x), in double, and the first of the largest of n. */
double ib_log_of_sum(const float *x, int64_t n, int64_t *top);

#endif
