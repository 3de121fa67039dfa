/* loop.h - inside train/: one call of ib_train. */
#ifndef IB_TRAIN_LOOP_H
#define IB_TRAIN_LOOP_H

#include <isobit/train.h>

#include "backends/kernels.h"

typedef struct ib_train_run {
    ib_layer *net;
    ib_graph *g;
    ib_optim *opt;
    ib_loader *fit;
    const ib_train_opts *o;
    ib_training *t;
    int64_t epochs;          /* in all */
    ib_schedule schedule[2]; /* float, quantized epochs */
    int64_t first_step;      /* steps taken before this call */
    int stop;                /* progress has asked for it */
    ib_tally *tally;         /* device memory: of the epoch under way */
    int64_t counted;         /* steps whose losses t->at.loss_sum is of */
} ib_train_run;

/* ---- schedules.c: what t->at.state holds of them is where they go on ---- */
void ib_train_open_schedules(ib_train_run *r);
void ib_train_keep_schedules(ib_train_run *r);
/* "schedule" of state that no training writes. */
ib_status ib_train_check_schedules(const double state[8]);

/* ---- check.c: IB_EINVAL for what `function` cannot use ---- */
ib_status ib_train_check(const ib_train_run *r, const char *function);

/* ---- tally.c: losses and right answers of the epoch under way, which are summed on the device ---- */
ib_status ib_train_open_tally(ib_train_run *r);
void ib_train_close_tally(ib_train_run *r);
/* It begins with what t->at holds. */
void ib_train_begin_tally(ib_train_run *r);
/* Into t->at: of all steps, which waits for them; else of those that are known to be done. */
void ib_train_read_tally(ib_train_run *r, int wait);
/* Whether a network's result lies on its graph's device, where it is counted. */
ib_status ib_check_at_home(const ib_graph *g, const ib_tensor *y);

/* ---- step.c ---- */
ib_status ib_train_step(ib_train_run *r, const ib_batch *b);
/* Waits for the steps that were begun, reads the tally, and says what a device that computes late has found in them:
 * the training stops then, before a checkpoint is written. */
ib_status ib_train_settle(ib_train_run *r);

/* ---- phases.c ---- */
/* Whether the epoch that comes, or is under way, is one of the quantized ones. */
int ib_train_in_integers(const ib_train_run *r);
double ib_train_worst(const ib_train_run *r); /* no score is below it */
/* Before an epoch: quantization begins, scales freeze. */
ib_status ib_train_change_phase(ib_train_run *r);
/* Behind the last one: quantization after training, fixed scales, the last test. */
ib_status ib_train_finish(ib_train_run *r);

/* ---- loop.c ---- */
/* Score and loss of the network, in float or as it is, into t. */
ib_status ib_train_test(ib_train_run *r, int in_float);
ib_status ib_train_save(ib_train_run *r, const char *path);  /* NULL: nothing */
void ib_train_tell(ib_train_run *r, ib_train_moment moment); /* not IB_TESTED */

/* ---- history.c: a line behind the others ---- */
ib_status ib_train_add_history(ib_checkpoint *c, const float history[IB_HISTORY], const float measures[IB_MEASURES]);

#endif
