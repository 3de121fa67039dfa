/* training.h - one run of `isobit train`. */
#ifndef IB_CLI_TRAIN_TRAINING_H
#define IB_CLI_TRAIN_TRAINING_H

#include "cli/train/train_options.h"

typedef struct training {
    train_options o;
    session s;
    ib_optim *opt;
    ib_loader *loader;
    float *weights; /* of the classes, or NULL */
    ib_training state;
    double started;
    int64_t first_step; /* of this run */
    char model[64];     /* "": a network that the checkpoint describes */
    char part[64];      /* "fold 2/5", of several, of which no epoch has a line; "": the only one */
} training;

/* Opens the data, the network and what trains it, from where a checkpoint stands if it is to be resumed. 0, or the exit
 * status. */
int train_open(training *t);
/* All epochs, to the checkpoint of -o (NULL: none is written). 0, 1 on failure, 130 when interrupted. */
int train_run(training *t);
int train_save(const training *t, const char *path);
void train_close(training *t);
/* Sets the weight decay to the one of some around the usual one that suits the training rows. 0, or the exit status. */
int train_choose_decay(training *t);
/* --folds: a network for each, what they reach, and with -o one that is trained on all rows. */
int train_folds(const train_options *o);

/* ---- train_data.c ---- */
/* 1 after telling that the training samples are of one class alone; notes about classes without samples. */
int train_check_classes(const training *t, int classes);
/* Adds to the settings how the data are recognized. 1 after telling that there is no room. */
int train_add_data(const session *s, char *notes, size_t size);

int train_is_table(const training *t);
int train_is_regression(const training *t);
int train_is_quantized(const training *t);
/* What is trained on what; text. */
void train_print_start(const training *t);
/* `before` ("accuracy ") and "97.22 %", or "R^2 0.4521", into text. */
const char *train_score(const training *t, const char *before, double score, char text[40]);
int train_has_float(const training *t); /* whether float epochs came before quantized ones */
/* What came out, as text or JSON. */
void train_report(const training *t);

#endif
