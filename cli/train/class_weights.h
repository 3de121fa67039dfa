/* class_weights.h - what `isobit train --class-weights` says. */
#ifndef IB_CLI_TRAIN_CLASS_WEIGHTS_H
#define IB_CLI_TRAIN_CLASS_WEIGHTS_H

#include <isobit/data.h>

/* A weight a class, to be given to free(): "auto" (of the training samples; 1 for a class that has none), a list
 * "name=weight,name=weight", or a file with one "name=weight" in each line. Each class needs one above 0, by its name
 * or, where classes have none, its number. NULL after telling what is wrong. */
float *class_weights(const char *what, const ib_dataset *train, int classes);

#endif
