/* schedules.c - the learning rates of a training: one schedule for its float epochs, one for its quantized ones. */
#include "train/loop.h"
#include "base/error.h"

enum { BEST, BAD, DROPS, KEPT }; /* of each schedule in state */

void ib_train_open_schedules(ib_train_run *r)
{
    const ib_train_opts *o = r->o;
    const int64_t steps = ib_loader_batches(r->fit), split = o->qat ? o->qat_from : r->epochs;
    const float lr = o->lr > 0 ? o->lr : ib_optim_lr(r->opt), qat_lr = o->qat_lr > 0 ? o->qat_lr : lr / 2;
    for (int i = 0; i < 2; i++) {
        const int64_t all = (i ? r->epochs - split : split) * steps;
        const double *state = r->t->at.state + KEPT * i;
        r->schedule[i] = (ib_schedule){.kind = o->schedule,
                                       .lr = i ? qat_lr : lr,
                                       .total = all,
                                       .warmup = o->warmup        ? (o->warmup > 0 ? o->warmup : 0)
                                                 : all / 20 < 200 ? all / 20
                                                                  : 200,
                                       .final = i ? 0.01f : 0.05f,
                                       .every = o->schedule == IB_PLATEAU ? 3 : all / 3 + 1,
                                       .best = state[BEST],
                                       .bad = (int64_t)state[BAD],
                                       .drops = (int64_t)state[DROPS]};
    }
}

void ib_train_keep_schedules(ib_train_run *r)
{
    for (int i = 0; i < 2; i++) {
        double *state = r->t->at.state + KEPT * i;
        state[BEST] = r->schedule[i].best;
        state[BAD] = (double)r->schedule[i].bad;
        state[DROPS] = (double)r->schedule[i].drops;
    }
}

ib_status ib_train_check_schedules(const double state[8])
{
    for (int i = 0; i < 2; i++) {
        const double bad = state[KEPT * i + BAD], drops = state[KEPT * i + DROPS];
        if (!(bad >= 0 && bad < 1e15 && drops >= 0 && drops < 1e15))
            return ib_fail(IB_EFORMAT, "its schedule counts %g steps and %g drops", bad, drops);
    }
    return IB_OK;
}
