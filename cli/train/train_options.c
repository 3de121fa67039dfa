/* train_options.c - see train_options.h */
#include "cli/train/train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cli/plots/plot.h"

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

static const struct argp_option options[] = {
    {"model", K_MODEL, "NAME", 0, "mlp, tfc, sfc, lenet, resnet8, dscnn (default mlp)", 1},
    {"task", K_TASK, "TASK", 0,
     "of a table: classification (default), or regression: numbers as labels (--label A,B: several), squared error", 1},
    {"hidden", K_HIDDEN, "SIZES", 0,
     "sizes of the mlp's hidden layers, with commas between (default 256,128; for tables 64)", 1},
    {"init", K_INIT, "FILE", 0, "begin with this float checkpoint's network and weights (isobit import)", 1},
    {"folds", K_FOLDS, "N", 0,
     "of a table: N networks, each tested on another part of every class's rows; with -o then one is trained on all "
     "rows and written",
     1},
    {"output", 'o', "FILE", 0, "checkpoint to write (HDF5); required without --folds", 1},
    {"best", K_BEST, "FILE", 0,
     "also keep the epoch of best test accuracy (of the quantized network, if it is quantized) there", 1},
    {"resume", K_RESUME, NULL, 0, "go on from FILE if it is there", 1},
    {"epochs", K_EPOCHS, "N", 0, "default 12", 2},
    {"batch", K_BATCH, "N", 0, "default 64", 2},
    {"lr", K_LR, "X", 0, "highest learning rate (default 2e-3, for tables 5e-3; sgd 0.05)", 2},
    {"optim", K_OPTIM, "NAME", 0, "adamw (default) or sgd", 2},
    {"momentum", K_MOMENTUM, "X", 0, "of sgd, Nesterov's (default 0.9)", 2},
    {"weight-decay", K_DECAY, "X", 0,
     "default 0.01 (adamw; for tables 500 / rows, at most 1, or up to four times more or less), 0 (sgd)", 2},
    {"schedule", K_SCHEDULE, "NAME", 0,
     "cosine (default), linear, step, constant, plateau; float and quantized epochs each have their own", 2},
    {"label-smoothing", K_SMOOTHING, "X", 0, "default 0", 2},
    {"class-weights", K_CLASS_WEIGHTS, "W", OPTION_IS_LIST,
     "auto (rare classes count as much as frequent ones), NAME=WEIGHT,... or a file of such lines", 2},
    {"clip", K_CLIP, "X", 0, "largest norm of the gradient (default 0: any)", 2},
    {"augment", K_AUGMENT, "LIST", OPTION_IS_LIST, "shift=PIXELS,rotate=DEGREES,flip", 2},
    {"seed", K_SEED, "N", 0, "default 1", 2},
    {"qat", K_QAT, "WxAy", 0, "none (default), w8a8, w4a8, w2a8, w4a4, w2a2: bits of weights and activations", 3},
    {"qat-from", K_QAT_FROM, "E", 0,
     "first quantized epoch (default: half of the epochs); = epochs is post-training quantization", 3},
    {"qat-lr", K_QAT_LR, "X", 0, "highest learning rate of the quantized epochs (default lr / 2)", 3},
    {"freeze", K_FREEZE, "N", 0, "last epochs with scales fixed (default 0: fixed when training ends)", 3},
    {"calibrate", K_CALIBRATE, "N", 0,
     "batches shown to the observers before quantizing (default 20, or all if there are fewer)", 3},
    {"profile", K_PROFILE, "P", 0, "rounding: tflite_double (default), tflite_single, fp32_rne, xnnpack", 3},
    {"observer", K_OBSERVER, "O", 0,
     "activations: auto (default; of tables in 8 bits minmax, unless with --rules), minmax, ema, histogram, "
     "percentile, mse, kl, lsq, pact",
     3},
    {"percentile", K_PERCENTILE, "P", 0, "of the observer percentile (default 99.99)", 3},
    {"averaging-constant", K_AVERAGING, "C", 0, "of the observer ema, x += C (new - x) (default 0.01)", 3},
    {"weight-observer", K_WEIGHT_OBSERVER, "O", 0, "weights: auto, absmax, mse, lsq", 3},
    {"granularity", K_GRANULARITY, "G", 0, "weight scales: channel (default), tensor, group:N", 3},
    {"rules", K_RULES, "LIST", 0, "exceptions by layer name, \"conv1*=w8a8 fc2=float\"", 3},
    {"input-bits", K_INPUT_BITS, "N", 0, "bits of the input's codes (default: the activations')", 3},
    {"symmetric", K_SYMMETRIC, NULL, 0, "activations with zero point 0", 3},
    {"reestimate-bn", K_REESTIMATE, NULL, 0, "move batch-norm statistics towards the integer network's between epochs",
     3},
    {"plot", K_PLOT, "FILE", 0, "training curves as .svg or .png, or - for the terminal", 4},
    {0},
};

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

static int parse_granularity(ib_qat_opts *q, const char *text)
{
    int64_t n = 0;
    q->granularity = !strcmp(text, "tensor")       ? IB_PER_TENSOR
                     : !strncmp(text, "group:", 6) ? IB_PER_GROUP
                                                   : IB_PER_CHANNEL;
    if (q->granularity == IB_PER_CHANNEL && strcmp(text, "channel"))
        return fprintf(stderr, "isobit: --granularity '%s': channel, tensor and group:N are possible\n", text), 1;
    if (q->granularity == IB_PER_GROUP && parse_int(text + 6, "--granularity group", 4, 1 << 20, &n))
        return 1;
    q->group_size = (int)n;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    train_options *o = state->input;
    int64_t n;
    double x;
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
    case K_PERCENTILE:
        bad = parse_float(arg, "--percentile", 50, 100, &x);
        o->quant.percentile = (float)x;
        break;
    case K_AVERAGING:
        bad = parse_float(arg, "--averaging-constant", 1e-6, 1, &x);
        o->quant.averaging_constant = (float)x;
        break;
    case K_INPUT_BITS:
        bad = parse_int(arg, "--input-bits", 2, 8, &n);
        o->quant.input_bits = (int)n;
        break;
    case K_AUGMENT: bad = parse_augment(o, arg); break;
    case K_GRANULARITY: bad = parse_granularity(&o->quant, arg); break;
    case K_PROFILE: bad = ib_profile_parse(arg, &o->quant.profile) && complain(); break;
    case K_SCHEDULE: bad = ib_schedule_parse(arg, &o->schedule) && complain(); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (bad)
        exit(2);
    return 0;
}

static const char doc[] =
    "Trains a network on the training part of the data and measures it on the test part after each epoch. A checkpoint "
    "is written after each "
    "epoch and on Ctrl-C; --resume goes on from it to the same result.\v"
    "Examples:\n"
    "  isobit train --model mlp --qat w8a8 -o mlp.h5\n"
    "  isobit train --model lenet --data idx:data/mnist --qat w4a8 --epochs 20 --augment shift=2,rotate=10 -o "
    "lenet.h5\n"
    "  isobit train --model resnet8 --qat w4a4 --rules \"stem.conv=w8a8 fc=w8a8\" -o r.h5\n"
    "  isobit train --model mlp --qat w8a8 --qat-from 12 --epochs 12 --observer kl -o ptq.h5\n"
    "  isobit train --data csv:iris.csv --folds 5 --qat w8a8 -o iris.h5\n"
    "JSON keys: model, qat, profile, accuracy, float_accuracy, loss, best_accuracy, epochs, seconds, checkpoint; of "
    "regression r2, float_r2 and best_r2. With --folds accuracy and float_accuracy (null: no float epochs) are the "
    "means, with accuracy_standard_error and float_accuracy_standard_error, and folds[]: rows, accuracy, "
    "float_accuracy, "
    "loss; there is no best.";

/* 1 after naming an option that the others leave without effect. */
static int has_idle(const train_options *o)
{
    static const int quantized[] = {K_QAT_FROM, K_QAT_LR,     K_FREEZE,    K_CALIBRATE,       K_PROFILE,
                                    K_OBSERVER, K_PERCENTILE, K_AVERAGING, K_WEIGHT_OBSERVER, K_GRANULARITY,
                                    K_RULES,    K_INPUT_BITS, K_SYMMETRIC, K_REESTIMATE,      0};
    const char *observer = o->quant.observer ? o->quant.observer : "auto";
    const int by_percentile = !strcmp(observer, "percentile"),
              averages = !strcmp(observer, "auto") || !strcmp(observer, "ema") || !strcmp(observer, "pact");
    return (!strcmp(o->qat, "none") && refuse_idle(options, o->given, quantized, "--qat")) ||
           (!by_percentile && refuse_idle(options, o->given, (int[]){K_PERCENTILE, 0}, "--observer percentile")) ||
           (!averages && refuse_idle(options, o->given, (int[]){K_AVERAGING, 0}, "--observer ema")) ||
           (strcmp(o->optimizer, "sgd") && refuse_idle(options, o->given, (int[]){K_MOMENTUM, 0}, "--optim sgd")) ||
           (o->common.table.task && refuse_idle(options, o->given, (int[]){K_SMOOTHING, K_CLASS_WEIGHTS, 0},
                                                "classes, which --task regression has not")) ||
           (o->init && refuse_idle(options, o->given, (int[]){K_MODEL, K_HIDDEN, K_TASK, 0},
                                   "a network of its own: --init brings one"));
}

/* 1 after telling of what has no meaning, or would be no test, where several networks are trained on parts of one
 * table. */
static int has_fold_misfit(const train_options *o)
{
    if (!o->folds)
        return 0;
    const common *c = &o->common;
    return refuse_idle(options, o->given, (int[]){K_BEST, K_RESUME, K_PLOT, 0},
                       "one training: --folds makes several") ||
           refuse_alone("test-share", c->table.test_share > 0 ? c : NULL,
                        "one test part: --folds tests every row once") ||
           refuse_alone("limit", c->limit ? c : NULL, "one test part: --folds tests every row once") ||
           refuse_alone("init", o->init, "one training: it may have seen the rows that --folds tests") ||
           refuse_passing("folds", "reads the data once for each", c->data);
}

/* 1 after telling of a file that would be written over another. */
static int writes_over(const train_options *o)
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
    const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
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
    if (writes_over(o) || refuse_repeated("--rules", o->quant.rules, " ,"))
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
    if (has_idle(o) || has_fold_misfit(o) || name_network(o))
        return 2;
    return o->common.data && !may_be_table(o->common.data) ? train_options_complete(o, 0) : 0;
}

/* What suits small tables: as many steps as it takes, whatever the number of rows, one small hidden layer, and a decay
 * that gives way to the data as they become more. */
static void fill_in(train_options *o, int64_t rows)
{
    enum { DECAY_ROWS = 500, LEAST_TRIED = 40, MOST_TRIED = 2000 };
    const int sgd = !strcmp(o->optimizer, "sgd");
    const double decay = rows > DECAY_ROWS ? (double)DECAY_ROWS / (double)rows : 1;
    const int64_t batch = !rows || rows >= 4096 ? 64 : rows >= 1024 ? 32 : 16;
    o->batch = o->batch ? o->batch : batch;
    const int64_t steps = rows > o->batch ? rows / o->batch : 1, epochs = rows ? 1500 / steps : 0;
    const int64_t usual = epochs < 12 ? 12 : epochs > 150 ? 150 : epochs;
    o->epochs = o->epochs ? o->epochs : usual;
    if (rows && !o->init && !strcmp(o->network, "mlp"))
        strcpy(o->network, "mlp:64");
    o->lr = o->lr > 0 ? o->lr : sgd ? 0.05 : rows ? 5e-3 : 2e-3;
    const int tries = o->decay < 0 && !sgd && rows >= LEAST_TRIED && rows <= MOST_TRIED && !o->init;
    o->decay_epochs = tries && !strncmp(o->network, "mlp:", 4) ? o->epochs < usual ? o->epochs : usual : 0;
    o->decay = o->decay >= 0 ? o->decay : sgd ? 0 : rows && decay > 0.01 ? decay : 0.01;
    const ib_qat_opts *q = &o->quant;
    if (rows && !q->observer && !q->rules && !(q->averaging_constant > 0) && q->act_bits == 8)
        o->quant.observer = "minmax"; /* averages over batches of few rows clip what is rare and counts most */
}

int train_options_complete(train_options *o, int64_t rows)
{
    fill_in(o, rows);
    o->qat_lr = o->qat_lr > 0 ? o->qat_lr : o->lr / 2;
    o->qat_from = o->qat_from >= 0 ? o->qat_from : o->epochs / 2;
    if (o->qat_from > o->epochs)
        return fprintf(stderr, "isobit: --qat-from %lld is behind the last of %lld epochs\n", (long long)o->qat_from,
                       (long long)o->epochs),
               2;
    if (o->freeze > o->epochs - o->qat_from)
        return fprintf(stderr, "isobit: --freeze %lld: only %lld of the %lld epochs are quantized\n",
                       (long long)o->freeze, (long long)(o->epochs - o->qat_from > 0 ? o->epochs - o->qat_from : 0),
                       (long long)o->epochs),
               2;
    return 0;
}

int train_options_exceed(const train_options *o, int64_t samples, int64_t batches)
{
    return (o->given & option_bit(K_BATCH) && refuse_more("batch", o->batch, "training samples", samples)) ||
           (o->given & option_bit(K_CALIBRATE) &&
            refuse_more("calibrate", o->calibrate, "batches of training samples", batches));
}

int train_options_text(const train_options *o, const float *weights, int classes, char *text, size_t size)
{
    const ib_qat_opts *q = &o->quant;
    char averaging[32] = ""; /* what older checkpoints do not name has its default */
    if (q->averaging_constant > 0)
        snprintf(averaging, sizeof averaging, " averaging=%g", q->averaging_constant);
    char table[256] = ""; /* and what they do not tell of tables is the default */
    const ib_data_opts *d = &o->common.table;
    const int said = d->task || d->label || d->drop || d->categorical || d->fill_missing || d->split_seed ||
                     d->test_share > 0 || o->whole;
    if (said &&
        snprintf(table, sizeof table, "%s%s label=%s drop=%s%s%s missing=%d split=%llu test=%g",
                 d->task ? " task=regression" : "", o->whole ? " rows=all" : "", d->label ? d->label : "",
                 d->drop ? d->drop : "", d->categorical ? " categorical=" : "", d->categorical ? d->categorical : "",
                 d->fill_missing, (unsigned long long)d->split_seed, d->test_share) >= (int)sizeof table)
        return fprintf(stderr, "isobit: --label, --drop and --categorical take more than a checkpoint keeps: columns "
                               "have numbers too\n"),
               1;
    if (d->input[0])
        snprintf(table, sizeof table, " pictures=%dx%dx%d", d->input[0], d->input[1], d->input[2]);
    char weighted[32] = "";
    if (weights)
        snprintf(weighted, sizeof weighted, " class_weights=%08lx",
                 crc32(0, (const Bytef *)weights, (uInt)((size_t)classes * sizeof *weights)));
    const int length =
        snprintf(text, size,
                 "data=%s epochs=%lld batch=%lld lr=%g optim=%s momentum=%g decay=%g schedule=%d smoothing=%g clip=%g "
                 "shift=%g rotate=%g flip=%d "
                 "qat=%s from=%lld qat_lr=%g freeze=%lld calibrate=%lld profile=%s observer=%s weights=%s "
                 "granularity=%d:%d rules=%s input=%d "
                 "symmetric=%d percentile=%g reestimate=%d limit=%lld%s%s%s",
                 o->common.data, (long long)o->epochs, (long long)o->batch, o->lr, o->optimizer, o->momentum, o->decay,
                 (int)o->schedule, o->smoothing, o->clip, o->shift, o->rotate, o->flip, o->qat, (long long)o->qat_from,
                 o->qat_lr, (long long)o->freeze, (long long)o->calibrate, ib_profile_name(q->profile),
                 q->observer ? q->observer : "auto", q->weight_observer ? q->weight_observer : "auto",
                 (int)q->granularity, q->group_size, q->rules ? q->rules : "", q->input_bits, q->symmetric,
                 q->percentile, o->reestimate, (long long)o->common.limit, averaging, table, weighted);
    if (length >= 0 && (size_t)length < size)
        return 0;
    fprintf(stderr, "isobit: the settings take %d characters, a checkpoint keeps %zu: shorten --rules or --data\n",
            length, size - 1);
    return 1;
}
