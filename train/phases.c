/* phases.c - from a float network to one in integers, between the epochs of a training. */
#include <math.h>

#include "data/dataset.h"
#include "train/loop.h"

int ib_train_in_integers(const ib_train_run *r)
{
    return r->o->qat && r->t->at.epoch >= r->o->qat_from;
}

double ib_train_worst(const ib_train_run *r)
{
    return ib_dataset_targets(ib_loader_data(r->fit)) ? -INFINITY : 0;
}

static ib_status quantize(ib_train_run *r)
{
    const ib_train_opts *o = r->o;
    if (o->qat_from) {
        if (ib_train_test(r, 1))
            return ib_error_status();
        r->t->float_score = r->t->score;
    }
    if (ib_qat_prepare(r->net, r->g, o->qat) ||
        ib_qat_calibrate(r->net, r->g, r->fit, o->calibrate ? o->calibrate : 20) ||
        ib_qat_set_phase(r->net, r->g, IB_LEARN))
        return ib_error_status();
    r->t->at.best = ib_train_worst(r);
    if (ib_train_test(r, 0))
        return ib_error_status();
    ib_train_tell(r, IB_QUANTIZED);
    return IB_OK;
}

ib_status ib_train_change_phase(ib_train_run *r)
{
    if (!ib_train_in_integers(r))
        return IB_OK;
    if (ib_qat_phase(r->net) == IB_FLOAT && quantize(r))
        return ib_error_status();
    const int frozen = r->o->freeze && r->t->at.epoch >= r->epochs - r->o->freeze;
    return frozen && ib_qat_phase(r->net) == IB_LEARN ? ib_qat_set_phase(r->net, r->g, IB_FROZEN) : IB_OK;
}

ib_status ib_train_finish(ib_train_run *r)
{
    if (!r->o->qat)
        return IB_OK;
    if (ib_train_change_phase(r) || (ib_qat_phase(r->net) == IB_LEARN && ib_qat_set_phase(r->net, r->g, IB_FROZEN)) ||
        ib_train_test(r, 0))
        return ib_error_status();
    if (!(r->t->score > r->t->at.best))
        return IB_OK;
    r->t->at.best = r->t->score;
    return ib_train_save(r, r->o->best);
}
