/* command_train.c - isobit train. */
#include "cli/plots/plot.h"
#include "cli/train/training.h"

int command_train(int argc, char **argv)
{
    training t = {0};
    int status = train_options_parse(&t.o, argc, argv);
    if (status)
        return status;
    if (t.o.folds)
        return train_folds(&t.o);
    status = train_open(&t);
    if (!status)
        status = train_run(&t);
    if (!status) {
        train_report(&t);
        status = t.o.plot ? plot_curves(t.o.plot, &(run){t.o.out, &t.state.at}, 1) : 0;
    }
    train_close(&t);
    return status;
}
