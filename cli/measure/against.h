/* against.h - isobit perplexity --against: a model beside another on the same tokens. */
#ifndef IB_CLI_MEASURE_AGAINST_H
#define IB_CLI_MEASURE_AGAINST_H

#include "cli/language/language_session.h"

typedef struct against {
    const char *model, *base; /* paths; the base may be a file of saved logits */
    const char *text;         /* of the tokens; NULL: those of the file */
    const char *tokenizer;    /* of both models, or NULL: each one's own, which must give the same tokens */
} against;

int is_saved_logits(const char *path);
/* ids: of the text. 0, or the exit status after telling. */
int measure_against(language *l, const against *a, const ib_ids *ids, const ib_perplexity_opts *p, ib_divergence *out);
void report_divergence(const common *o, const char *base, const ib_divergence *d, const products *made, double took);

#endif
