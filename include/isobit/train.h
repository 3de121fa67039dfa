/* train.h - training a network: the loop, how good the network is, and the checkpoints that a training goes on from.
 *
 *     ib_training t = {.at.seed = 1};
 *     const ib_train_opts o = {.epochs = 12, .lr = 2e-3f, .qat = &int8, .qat_from = 6, .test = test, .out = "net.h5"};
 *     if (ib_train(net, g, opt, fit, &o, &t)) ...
 *     printf("accuracy %.2f %%\n", 100 * t.score);
 *     ib_training_release(&t);
 *
 * A network that trains on text has a loop of its own: finetune.h. */
#ifndef ISOBIT_TRAIN_H
#define ISOBIT_TRAIN_H

#include <isobit/api.h>
#include <isobit/optim.h>
#include <isobit/qat.h>

IB_BEGIN_API

/* ---- checkpoints ---- */
enum { IB_HISTORY = 4 };  /* epoch, training loss, test accuracy, learning rate */
enum { IB_MEASURES = 2 }; /* training accuracy, test loss; NAN: not known */

typedef struct ib_checkpoint {
    char model[64];   /* ends in a 0; "" for a network of your own */
    char notes[1024]; /* ends in a 0; free text: the command's settings */
    char data[2048];  /* ends in a 0; what it was trained on, as options of the command in JSON; "": not known */
    uint64_t seed;
    int64_t epoch, step; /* next epoch, and next batch in it */
    int64_t total_steps; /* optimizer steps taken */
    double best;         /* best accuracy so far */
    double loss_sum;     /* of the epoch under way */
    double state[8];     /* ib_train's; of a loop of your own yours */
    float *history; /* [n_history][IB_HISTORY], NULL without; ib_checkpoint_release frees what the library made, and
                            arrays of your own are not for it */
    int64_t n_history;
    float *measures; /* [n_history][IB_MEASURES], likewise; NULL: none, as in older files */
    int64_t right;   /* training samples of the epoch under way that were classified rightly; -1: not known */
} ib_checkpoint;

/* Everything that resuming bit for bit needs: parameters, optimizer (may be NULL), observers, scales, phase and c.
 * Written to a temporary file beside `path`, synced and renamed, so that `path` always holds a whole checkpoint. The
 * file is HDF5 with a checksum behind its end. */
ib_status ib_checkpoint_save(const char *path, const ib_layer *net, const ib_optim *opt, const ib_checkpoint *c);

/* Reads the header alone. */
ib_status ib_checkpoint_peek(const char *path, ib_checkpoint *c);
/* Restores into a network of the same shape (prepared as the file says, if it is not yet) and into opt (may be
 * NULL). */
ib_status ib_checkpoint_restore(const char *path, ib_layer *net, ib_graph *g, ib_optim *opt, ib_checkpoint *c);
/* Builds the ready network that the file names and restores it; NULL on failure. */
ib_layer *ib_checkpoint_open(const char *path, ib_graph *g, ib_checkpoint *c);
void ib_checkpoint_release(ib_checkpoint *c);

/* ---- how good a network is ---- */

/* Of one number to learn, in the units of its table: root of the mean squared error, mean absolute error, and
 * R^2 = 1 - sum (y - t)^2 / sum (t - mean t)^2 (of values that are all the same 1 without an error, else 0). */
typedef struct ib_target_score {
    const char *name; /* of the data's schema, and as long as it is there; "" without one */
    double rmse, mae, r2;
} ib_target_score;

typedef struct ib_evaluation {
    int64_t samples;
    double score;  /* accuracy: the share of samples whose largest output is their class's, of several that are
                                 as large the first; of data with numbers to learn R^2, the mean over them */
    double loss;   /* mean cross entropy; mean squared error of what the network gives */
    int n_targets; /* of data with numbers to learn, else 0 */
    ib_target_score *targets; /* [n_targets], gone with ib_evaluation_release */
} ib_evaluation;

typedef struct ib_evaluate_opts {
    int batch;                                                 /* 0 means 200 */
    int in_float;                                              /* the fp32 network, whether or not it was quantized */
    void (*progress)(void *user, int64_t done, int64_t total); /* samples, before the first batch and after each; or
                                                                  NULL */
    void *user;
} ib_evaluate_opts;

/* Runs the network over all of the data, whose labels must be its classes or as many numbers as it gives; o may be
 * NULL. Nothing about the network changes. */
ib_status ib_evaluate(ib_layer *net, ib_graph *g, const ib_dataset *data, const ib_evaluate_opts *o,
                      ib_evaluation *out);
void ib_evaluation_release(ib_evaluation *e);

/* ---- the loop ---- */

/* What has just been done. */
typedef enum ib_train_moment {
    IB_TRAINED_STEP,  /* a step of the optimizer */
    IB_TESTED,        /* some samples of the test data (0 before the first batch) */
    IB_QUANTIZED,     /* the network was calibrated and is in IB_LEARN; score and test_loss are its */
    IB_TRAINED_EPOCH, /* an epoch, and its test */
} ib_train_moment;

typedef struct ib_train_event {
    ib_train_moment moment;
    int64_t done, total;   /* steps of the whole training; with IB_TESTED samples of the test data */
    int64_t epoch, epochs; /* the one under way or just done, from 1; in all */
    double loss;           /* mean over the steps of this epoch; with IB_TRAINED_STEP of those that the device is known
                                to have done, which is not waited for: as t->at.loss_sum then */
    double score, test_loss; /* the last that were measured (ib_evaluation) */
    float lr;                /* of the last step */
    ib_phase phase;
} ib_train_event;

typedef struct ib_train_opts {
    int64_t epochs; /* 0 means 12 */

    /* The rate rises over the first steps and then follows the schedule (optim.h), once for the float epochs and once
     * for the quantized ones: cosine and linear down to a twentieth of lr and a hundredth of qat_lr, step by a tenth
     * after each third of its epochs, plateau by a tenth after 3 epochs whose training loss was no smaller. */
    ib_schedule_kind schedule;
    float lr, qat_lr; /* highest rates; 0 means the optimizer's as it is, and half of lr */
    int64_t warmup;   /* steps; 0 means a twentieth of its steps, at most 200; -1: none */

    /* The loss: cross entropy of data with classes, mean squared error of data with numbers to learn. */
    float smoothing;            /* of labels, in [0, 1) */
    const float *class_weights; /* a weight for each output, as ib_weighted_cross_entropy has it; NULL: none */
    double clip;                /* largest norm of the gradient; 0: any */

    /* Quantization, as ib_qat_prepare() has it; NULL: in the phase that the network is in, throughout. */
    const ib_qat_opts *qat;
    int64_t qat_from;   /* the first epoch, from 0, in integers; = epochs is quantization after training */
    int64_t calibrate;  /* batches that are shown to the observers; 0 means 20 */
    int64_t freeze;     /* last epochs with fixed scales; 0: they are fixed behind the last epoch */
    int64_t reestimate; /* batches after each epoch in IB_LEARN for ib_qat_reestimate_bn(); 0: none */

    const ib_dataset *test; /* measured after each epoch and at the end; NULL: none, scores are NAN */
    const char *out;        /* checkpoint after each epoch, at the end and when stopped; NULL: none */
    const char *best;       /* checkpoint of the best score so far, of a quantized training of the quantized network;
                               needs test; NULL: none */

    int (*progress)(void *user, const ib_train_event *e); /* not 0: stop; or NULL */
    void *user;
} ib_train_opts;

/* Where a training stands, and what it has reached. All zeros is the beginning. */
typedef struct ib_training {
    ib_checkpoint at;   /* model, notes, data and the seed are yours: the seed decides what is drawn in the network
                           (dropout), as the loader's decides order and augmentation */
    double score;       /* the last that was measured with the test data (ib_evaluation) */
    double float_score; /* the last of the float network */
    double loss;        /* the test loss that goes with score; of a training that was resumed 0 until the next test */
} ib_training;

/* Trains from where `t` stands to the end of the last epoch; the network is then in IB_FROZEN, if o->qat says that it
 * is to be quantized, and t->at.history and t->at.measures have a line for each epoch. Same network, data, options and
 * seeds: the same bits, at any number of threads and however often it was stopped and resumed.
 *
 * IB_ESTOPPED: progress asked for it. The checkpoint is written, if there is one, and t stands behind the last step;
 * one that asks at the last step of an epoch gets its test too, and behind the last epoch there is nothing to stop.
 * IB_ENUMERIC: the loss or the gradient is not finite, at the step that ib_error() names; the last checkpoint stays as
 * it is. IB_EINVAL: t is beyond the last epoch, or an option is none. */
ib_status ib_train(ib_layer *net, ib_graph *g, ib_optim *opt, ib_loader *fit, const ib_train_opts *o, ib_training *t);
/* Sets network, optimizer and t to where the training stood that wrote `path`. Its options, data and loader must be
 * given again as they were: t->at.notes and t->at.data hold what the caller noted of them. IB_EFORMAT: it is no
 * checkpoint, or one of another network or optimizer, which leaves these as they were. */
ib_status ib_train_resume(const char *path, ib_layer *net, ib_graph *g, ib_optim *opt, ib_training *t);
void ib_training_release(ib_training *t);

IB_END_API
#endif
