/* train_table.c - see train_keys.h */
#include "cli/train/train_keys.h"

static const char observers[] = "activations: auto (default; of tables in 8 bits minmax, unless with --rules)"
#define OBSERVER(name) ", " #name
#define LEARNED(name, ...) OBSERVER(name)
#include "qat/observers.def"
#undef OBSERVER
#undef LEARNED
    ;

const struct argp_option train_argp_options[] = {
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
    {"observer", K_OBSERVER, "O", 0, observers, 3},
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

const char train_doc[] =
    "Trains a network on the training part of the data and measures it on the test part after each epoch. A checkpoint "
    "is written after each "
    "epoch and on Ctrl-C; --resume goes on from it to the same result.\v"
    "Examples:\n"
    "  isobit train --model mlp --qat w8a8 -o mlp.h5\n"
    "  isobit train --model lenet --data idx:data/mnist --qat w4a8 --epochs 20 \\\n"
    "    --augment shift=2,rotate=10 -o lenet.h5\n"
    "  isobit train --model resnet8 --qat w4a4 \\\n"
    "    --rules \"stem.conv=w8a8 fc=w8a8\" -o r.h5\n"
    "  isobit train --qat w8a8 --qat-from 12 --epochs 12 --observer kl -o ptq.h5\n"
    "  isobit train --data csv:iris.csv --folds 5 --qat w8a8 -o iris.h5\n"
    "JSON keys: model, qat, profile, accuracy, float_accuracy, loss, best_accuracy, epochs, seconds, checkpoint; of "
    "regression r2, float_r2 and best_r2. With --folds accuracy and float_accuracy (null: no float epochs) are the "
    "means, with accuracy_standard_error and float_accuracy_standard_error, and folds[]: rows, accuracy, "
    "float_accuracy, "
    "loss; there is no best.";
