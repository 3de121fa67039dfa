/* train_refusals.c - what `isobit train` does not take together. */
#include <string.h>

#include "cli/train/train_keys.h"

int train_has_idle(const train_options *o)
{
    static const int quantized[] = {K_QAT_FROM, K_QAT_LR,     K_FREEZE,    K_CALIBRATE,       K_PROFILE,
                                    K_OBSERVER, K_PERCENTILE, K_AVERAGING, K_WEIGHT_OBSERVER, K_GRANULARITY,
                                    K_RULES,    K_INPUT_BITS, K_SYMMETRIC, K_REESTIMATE,      0};
    const char *observer = o->quant.observer ? o->quant.observer : "auto";
    const int by_percentile = !strcmp(observer, "percentile"),
              averages = !strcmp(observer, "auto") || !strcmp(observer, "ema") || !strcmp(observer, "pact");
    return (!strcmp(o->qat, "none") && refuse_idle(train_argp_options, o->given, quantized, "--qat")) ||
           (!by_percentile &&
            refuse_idle(train_argp_options, o->given, (int[]){K_PERCENTILE, 0}, "--observer percentile")) ||
           (!averages && refuse_idle(train_argp_options, o->given, (int[]){K_AVERAGING, 0}, "--observer ema")) ||
           (strcmp(o->optimizer, "sgd") &&
            refuse_idle(train_argp_options, o->given, (int[]){K_MOMENTUM, 0}, "--optim sgd")) ||
           (o->common.table.task && refuse_idle(train_argp_options, o->given, (int[]){K_SMOOTHING, K_CLASS_WEIGHTS, 0},
                                                "classes, which --task regression has not")) ||
           (o->init && refuse_idle(train_argp_options, o->given, (int[]){K_MODEL, K_HIDDEN, K_TASK, 0},
                                   "a network of its own: --init brings one"));
}

int train_has_fold_misfit(const train_options *o)
{
    if (!o->folds)
        return 0;
    const common *c = &o->common;
    return refuse_idle(train_argp_options, o->given, (int[]){K_BEST, K_RESUME, K_PLOT, 0},
                       "one training: --folds makes several") ||
           refuse_alone("test-share", c->table.test_share > 0 ? c : NULL,
                        "one test part: --folds tests every row once") ||
           refuse_alone("limit", c->limit ? c : NULL, "one test part: --folds tests every row once") ||
           refuse_alone("init", o->init, "one training: it may have seen the rows that --folds tests") ||
           refuse_passing("folds", "reads the data once for each", c->data);
}

int train_writes_over(const train_options *o)
{
    const struct {
        const char *option, *file, *what;
    } files[] = {
        {"-o", o->out, "the file of -o"}, {"--best", o->best, "the file of --best"}, {"--plot", o->plot, NULL}};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < i; k++)
            if (refuse_onto(files[i].option, files[i].file, files[k].what, files[k].file))
                return 1;
        if (refuse_onto(files[i].option, files[i].file, "the file of --init", o->init) ||
            refuse_onto(files[i].option, files[i].file, "the file of --class-weights", o->class_weights))
            return 1;
    }
    return 0;
}

int train_options_onto_data(const train_options *o)
{
    return refuse_onto_data("-o", o->out, o->common.data) || refuse_onto_data("--best", o->best, o->common.data) ||
           refuse_onto_data("--plot", o->plot, o->common.data);
}

int train_options_exceed(const train_options *o, int64_t samples, int64_t batches)
{
    return (o->given & option_bit(K_BATCH) && refuse_more("batch", o->batch, "training samples", samples)) ||
           (o->given & option_bit(K_CALIBRATE) &&
            refuse_more("calibrate", o->calibrate, "batches of training samples", batches));
}
