/* training.h - one run of `isobit train`. */
#ifndef IB_CLI_TRAINING_H
#define IB_CLI_TRAINING_H

#include "cli/train_options.h"

typedef struct training {
    train_options o;
    session s;
    ib_optim *opt;
    ib_loader *loader;
    ib_schedule schedule[2]; /* float, quantized epochs */
    float *weights;          /* of the classes, or NULL */
    double started;
    int64_t first_step; /* of this run */
    double float_accuracy, accuracy, loss;
    char model[64]; /* "": a network that the checkpoint describes */
} training;

int train_is_table(const training *t);
int train_is_regression(const training *t);
int train_is_quantized(const training *t);
/* What is trained on what; text. */
void train_print_start(const training *t);
/* `before` ("accuracy ") and "97.22 %", or "R^2 0.4521", into text. */
const char *train_score(const training *t, const char *before, double score, char text[40]);
double train_worst(const training *t); /* no score is below it */
/* What came out, as text or JSON. */
void train_report(const training *t);

#endif
