/* weight_decay.c - how strongly a small table holds the weights back, chosen by its training rows.
 *
 * No rule of the number of rows alone says it: noise asks for a strong decay, curved borders for a weak one. So a few
 * are tried as cross-validation does: trained in float on all parts of the training rows but one, and measured on that
 * one by its loss, which tells more of few rows than accuracy. The usual decay gives way where the best of the others
 * is better by more than the standard error of the difference over the parts. Test rows have no say. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/train/training.h"
#include "data/dataset.h"

enum { PARTS = 4, DECAYS = 5, USUAL = 2 };
static const double times_usual[DECAYS] = {0.25, 0.5, 1, 2, 4};

/* The rows of the part that is tested, or the others. */
static ib_dataset *pick(const ib_dataset *d, const uint8_t *tested, int wanted, uint32_t *at)
{
    int64_t n = 0;
    for (int64_t i = 0; i < ib_dataset_count(d); i++)
        if (tested[i] == wanted)
            at[n++] = (uint32_t)i;
    return ib_dataset_rows(d, n, at);
}

/* The loss over the part that is tested. */
static int try_decay(const training *t, double decay, const uint8_t *tested, uint32_t *at, double *loss)
{
    training inner = {.o = t->o, .part = "weight decay"};
    inner.o.decay = decay;
    inner.o.qat = "none";
    inner.o.out = inner.o.best = NULL;
    inner.o.epochs = t->o.decay_epochs;
    inner.o.decay_epochs = inner.o.resume = 0;
    inner.o.given = 0; /* the batch was checked against all training rows */
    inner.s.train = pick(t->s.train, tested, 0, at);
    inner.s.test = pick(t->s.train, tested, 1, at);
    int status = inner.s.train && inner.s.test ? train_open(&inner) : complain();
    if (!status)
        status = train_run(&inner);
    *loss = inner.state.loss;
    train_close(&inner);
    return status;
}

/* losses[DECAYS][PARTS]; the index of the decay to take. */
static int choose(double losses[DECAYS][PARTS])
{
    double sums[DECAYS] = {0}, square = 0;
    int best = 0;
    for (int k = 0; k < DECAYS; k++) {
        for (int part = 0; part < PARTS; part++)
            sums[k] += losses[k][part];
        best = sums[k] < sums[best] ? k : best;
    }
    const double mean = (sums[best] - sums[USUAL]) / PARTS;
    for (int part = 0; part < PARTS; part++) {
        const double off = losses[best][part] - losses[USUAL][part] - mean;
        square += off * off;
    }
    return mean + sqrt(square / (PARTS - 1) / PARTS) < 0 ? best : USUAL;
}

/* A training that goes on has chosen already: the decay that its settings tell, if it is one of these. */
static int is_chosen(training *t)
{
    ib_checkpoint c;
    char setting[64];
    int found = 0;
    if (!t->o.resume || access(t->o.out, F_OK) || ib_checkpoint_peek(t->o.out, &c))
        return 0;
    for (int k = 0; k < DECAYS && !found; k++) {
        snprintf(setting, sizeof setting, " decay=%g ", t->o.decay * times_usual[k]);
        if ((found = strstr(c.notes, setting) != NULL))
            t->o.decay *= times_usual[k];
    }
    ib_checkpoint_release(&c);
    return found;
}

int train_choose_decay(training *t)
{
    if (is_chosen(t))
        return 0;
    const ib_dataset *d = t->s.train;
    const int64_t n = ib_dataset_count(d);
    double losses[DECAYS][PARTS];
    int32_t *y = ib_dataset_labelled(d) ? malloc((size_t)n * sizeof *y) : NULL;
    uint32_t *at = malloc((size_t)n * sizeof *at);
    uint8_t *tested = malloc((size_t)n);
    int status = at && tested && (y || !ib_dataset_labelled(d)) ? 0 : fprintf(stderr, "isobit: out of memory\n") > 0;
    for (int64_t i = 0; y && i < n; i++)
        y[i] = ib_dataset_label(d, i);
    for (int part = 0; part < PARTS && !status; part++) {
        status = ib_stratify_fold(n, y, PARTS, part, (uint64_t)t->o.seed, tested) ? complain() : 0;
        for (int k = 0; k < DECAYS && !status; k++)
            status = try_decay(t, t->o.decay * times_usual[k], tested, at, &losses[k][part]);
    }
    if (!status)
        t->o.decay *= times_usual[choose(losses)];
    free(y);
    free(at);
    free(tested);
    return status;
}
