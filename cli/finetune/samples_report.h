/* samples_report.h - what training data hold, and what of them is lost or learned too often. */
#ifndef IB_CLI_LANGUAGE_SAMPLES_REPORT_H
#define IB_CLI_LANGUAGE_SAMPLES_REPORT_H

#include <isobit/isobit.h>
#include <stdio.h>

/* What the user said, or the defaults. */
typedef struct samples_asked {
    const char *data, *prompt_template; /* NULL: none */
    int seq, context;
    int train_on_prompts, no_pack;
    int64_t batch, accumulate; /* 0: they are not trained on */
} samples_asked;

/* How many samples, rows and tokens, of which kinds, and what a prompt template has learned. */
void report_samples(FILE *f, const ib_samples *s, const samples_asked *a);
/* A line each, with the option that helps: samples that are too long, answers that are cut away, samples that are left
 * out, fewer rows than a step takes. */
void warn_of_samples(FILE *f, const ib_samples *s, const samples_asked *a);

#endif
