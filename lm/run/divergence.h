/* divergence.h - what is noted of each scored token, and the figures of all. */
#ifndef IB_LM_RUN_DIVERGENCE_H
#define IB_LM_RUN_DIVERGENCE_H

#include <isobit/lm.h>

/* Of one token t: p is the model's distribution, b the base's. */
typedef struct ib_token_score {
    double nll, base_nll;      /* -log p(t), -log b(t) */
    double divergence, change; /* sum b log(b / p); p(t) - b(t) */
    double same_top;           /* 1 or 0 */
} ib_token_score;

/* Sorts `score` [n] on the way. */
void ib_divergence_figures(ib_token_score *score, int64_t n, ib_divergence *out);

#endif
