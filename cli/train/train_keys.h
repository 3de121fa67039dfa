/* train_keys.h - the options of `isobit train`: their keys and their table. */
#ifndef IB_CLI_TRAIN_TRAIN_KEYS_H
#define IB_CLI_TRAIN_TRAIN_KEYS_H

#include "cli/train/train_options.h"

enum {
    K_MODEL = LONG_OPTION,
    K_INIT,
    K_QAT,
    K_PROFILE,
    K_OBSERVER,
    K_WEIGHT_OBSERVER,
    K_EPOCHS,
    K_QAT_FROM,
    K_BATCH,
    K_LR,
    K_QAT_LR,
    K_SEED,
    K_RESUME,
    K_BEST,
    K_OPTIM,
    K_DECAY,
    K_MOMENTUM,
    K_SMOOTHING,
    K_CLIP,
    K_AUGMENT,
    K_SCHEDULE,
    K_GRANULARITY,
    K_RULES,
    K_SYMMETRIC,
    K_INPUT_BITS,
    K_FREEZE,
    K_CALIBRATE,
    K_REESTIMATE,
    K_PLOT,
    K_PERCENTILE,
    K_AVERAGING,
    K_HIDDEN,
    K_CLASS_WEIGHTS,
    K_TASK,
    K_FOLDS,
    K_END
};

extern const struct argp_option train_argp_options[];
extern const char train_doc[];

/* ---- train_refusals.c: 1 after telling ---- */
/* An option that the others leave without effect. */
int train_has_idle(const train_options *o);
/* What has no meaning, or would be no test, where several networks are trained on parts of one table. */
int train_has_fold_misfit(const train_options *o);
/* A file that would be written over another. */
int train_writes_over(const train_options *o);

#endif
