/* train_options.c - see train_options.h */
#include "cli/train/train_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plots/plot.h"

static int parse_augment(train_options *o, const char *list)
{
    char *copy = strdup(list), *save = NULL;
    int bad = !copy || refuse_repeated("--augment", list, ",");
    for (char *item = copy ? strtok_r(copy, ",", &save) : NULL; item && !bad; item = strtok_r(NULL, ",", &save)) {
        const int shift = !strncmp(item, "shift=", 6), rotate = !strncmp(item, "rotate=", 7);
        if (shift)
            bad = parse_float(item + 6, "--augment shift", 0, 1000, &o->shift);
        else if (rotate)
            bad = parse_float(item + 7, "--augment rotate", 0, 180, &o->rotate);
        else if (strcmp(item, "flip"))
            bad = fprintf(stderr, "isobit: --augment '%s': shift=PIXELS, rotate=DEGREES and flip are possible\n",
                          item) > 0;
        o->flip |= !shift && !rotate;
    }
    free(copy);
    return bad;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    train_options *o = state->input;
    int64_t n;
    int bad = 0;
    if (key >= LONG_OPTION && key < K_END)
        o->given |= option_bit(key);
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; break;
    case ARGP_KEY_ARG:
        fprintf(stderr, "isobit: unexpected argument '%s'\n", arg);
        bad = 1;
        break;
    case K_MODEL: o->model = arg; break;
    case K_CLASS_WEIGHTS: o->class_weights = arg; break;
    case K_TASK: o->task = arg; break;
    case K_HIDDEN: o->hidden = arg; break;
    case K_INIT: o->init = arg; break;
    case 'o': o->out = arg; break;
    case K_BEST: o->best = arg; break;
    case K_RESUME: o->resume = 1; break;
    case K_QAT: o->qat = arg; break;
    case K_OPTIM: o->optimizer = arg; break;
    case K_PLOT: o->plot = arg; break;
    case K_SYMMETRIC: o->quant.symmetric = 1; break;
    case K_REESTIMATE: o->reestimate = 1; break;
    case K_OBSERVER: o->quant.observer = arg; break;
    case K_WEIGHT_OBSERVER: o->quant.weight_observer = arg; break;
    case K_RULES: o->quant.rules = arg; break;
    case K_EPOCHS: bad = parse_int(arg, "--epochs", 1, 1000000, &o->epochs); break;
    case K_QAT_FROM: bad = parse_int(arg, "--qat-from", 0, 1000000, &o->qat_from); break;
    case K_BATCH: bad = parse_int(arg, "--batch", 1, 1 << 20, &o->batch); break;
    case K_FOLDS: bad = parse_int(arg, "--folds", 2, 1000, &o->folds); break;
    case K_SEED: bad = parse_int(arg, "--seed", 0, INT64_MAX, &o->seed); break;
    case K_FREEZE: bad = parse_int(arg, "--freeze", 0, 1000000, &o->freeze); break;
    case K_CALIBRATE: bad = parse_int(arg, "--calibrate", 1, 1000000, &o->calibrate); break;
    case K_LR: bad = parse_float(arg, "--lr", 1e-12, 1000, &o->lr); break;
    case K_QAT_LR: bad = parse_float(arg, "--qat-lr", 1e-12, 1000, &o->qat_lr); break;
    case K_DECAY: bad = parse_float(arg, "--weight-decay", 0, 1000, &o->decay); break;
    case K_MOMENTUM: bad = parse_float(arg, "--momentum", 0, 0.9999, &o->momentum); break;
    case K_SMOOTHING: bad = parse_float(arg, "--label-smoothing", 0, 0.999, &o->smoothing); break;
    case K_CLIP: bad = parse_float(arg, "--clip", 0, 1e12, &o->clip); break;
    case K_PERCENTILE: bad = parse_percentile(arg, &o->quant); break;
    case K_AVERAGING: bad = parse_averaging(arg, &o->quant); break;
    case K_INPUT_BITS:
        bad = parse_int(arg, "--input-bits", 2, 8, &n);
        o->quant.input_bits = (int)n;
        break;
    case K_AUGMENT: bad = parse_augment(o, arg); break;
    case K_GRANULARITY: bad = parse_granularity(arg, &o->quant); break;
    case K_PROFILE: bad = ib_profile_parse(arg, &o->quant.profile) && complain(); break;
    case K_SCHEDULE: bad = ib_schedule_parse(arg, &o->schedule) && complain(); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (bad)
        exit(2);
    return 0;
}

/* The network's name, "mlp:64,32". 1 after telling that there is none. */
static int name_network(train_options *o)
{
    const int length =
        snprintf(o->network, sizeof o->network, "%s%s%s", o->model, o->hidden ? ":" : "", o->hidden ? o->hidden : "");
    if (length < 0 || (size_t)length >= sizeof o->network)
        return fprintf(stderr, "isobit: --model and --hidden take %d characters, a checkpoint keeps %zu\n", length,
                       sizeof o->network - 1),
               1;
    ib_layer *probe = o->init ? NULL : ib_model_new(o->network, 1, 1, 1, 1);
    if (!o->init && !probe && o->hidden)
        return fprintf(stderr, "isobit: --hidden: %s\n", ib_error()), 1;
    ib_layer_free(probe);
    return 0;
}

/* Whether what is left out depends on what the data turn out to be. */
static int may_be_table(const char *data)
{
    static const char *const never[] = {"digits", "idx:", "images:"};
    for (int i = 0; i < 3; i++)
        if (!strncmp(data, never[i], strlen(never[i])))
            return 0;
    return 1;
}

int train_options_parse(train_options *o, int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {train_argp_options, parse, NULL, train_doc, children, NULL, NULL};
    *o = (train_options){.model = "mlp",
                         .qat = "none",
                         .optimizer = "adamw",
                         .qat_from = -1,
                         .seed = 1,
                         .calibrate = 20,
                         .momentum = 0.9,
                         .decay = -1,
                         .schedule = IB_COSINE};
    parse_options(&argp, argc, argv, o);
    if (!o->init && !o->common.data)
        o->common.data = "digits";
    if (!o->out && !o->folds)
        return fprintf(stderr, "isobit: train needs -o FILE, the checkpoint to write\n"), 2;
    if (train_writes_over(o) || refuse_repeated("--rules", o->quant.rules, " ,"))
        return 2;
    if (train_options_onto_data(o))
        return 2;
    if (refuse_not_hdf5("-o", o->out) || refuse_not_hdf5("--best", o->best) || refuse_picture("--plot", o->plot))
        return 1;
    if (strcmp(o->qat, "none") && ib_qat_bits_parse(o->qat, &o->quant))
        return complain(), 2;
    const int sgd = !strcmp(o->optimizer, "sgd");
    if (!sgd && strcmp(o->optimizer, "adamw"))
        return fprintf(stderr, "isobit: --optim '%s': adamw and sgd are possible\n", o->optimizer), 2;
    o->common.table.task = o->task && !strcmp(o->task, "regression") ? IB_REGRESSION : IB_CLASSIFICATION;
    if (o->task && !o->common.table.task && strcmp(o->task, "classification"))
        return fprintf(stderr, "isobit: --task '%s': classification and regression are possible\n", o->task), 2;
    if (train_has_idle(o) || train_has_fold_misfit(o) || name_network(o))
        return 2;
    return o->common.data && !may_be_table(o->common.data) ? train_options_complete(o, 0) : 0;
}
