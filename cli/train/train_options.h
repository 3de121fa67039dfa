/* train_options.h - what `isobit train` is told. */
#ifndef IB_CLI_TRAIN_TRAIN_OPTIONS_H
#define IB_CLI_TRAIN_TRAIN_OPTIONS_H

#include "cli/cli.h"

typedef struct train_options {
    common common;
    const char *model, *init, *out, *best, *qat, *optimizer, *plot, *hidden, *class_weights, *task;
    ib_qat_opts quant;
    int64_t epochs, qat_from, batch, seed, freeze, calibrate, folds;
    double lr, qat_lr, decay, momentum, smoothing, clip, shift, rotate;
    ib_schedule_kind schedule;
    int flip, resume, reestimate;
    int whole;            /* there is no test part: all rows are for training */
    int64_t decay_epochs; /* of a training that tries a weight decay, where it is to be chosen by the rows; else 0 */
    char network[64];     /* the model's name, with the sizes of its hidden layers */
    uint64_t given;       /* option_bit of each */
} train_options;

/* Parses and, where the data are no table, completes; 0, or the exit status. */
int train_options_parse(train_options *o, int argc, char **argv);
/* 1 after telling that a file to be written is one of the data's. */
int train_options_onto_data(const train_options *o);
/* 1 after telling that a batch or the calibration is to have more than the data hold: so many samples, so many
 * batches. */
int train_options_exceed(const train_options *o, int64_t samples, int64_t batches);
/* Fills in what was not given: for a table of `rows` training rows, or (0) pictures. 0, or the exit status. */
int train_options_complete(train_options *o, int64_t rows);
/* The settings that decide the result, in one line: what a resumed run must share; with the weights of so many classes,
 * if there are (else NULL). 1 after telling that they are too long. */
int train_options_text(const train_options *o, const float *weights, int classes, char *text, size_t size);

#endif
