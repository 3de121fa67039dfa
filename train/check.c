/* check.c - what ib_train cannot use. */
#include <math.h>

#include "base/argument.h"
#include "data/dataset.h"
#include "train/loop.h"

static ib_status check_qat(const ib_train_run *r, const char *function)
{
    const ib_train_opts *o = r->o;
    const int64_t most = o->qat ? r->epochs : 0, quantized = r->epochs - o->qat_from;
    IB_TAKE_FOR(function, o->qat_from, o->qat_from >= 0 && o->qat_from <= most, IB_EINVAL, "is %lld: %lld epochs%s",
                (long long)o->qat_from, (long long)r->epochs, o->qat ? "" : " without o->qat");
    IB_TAKE_FOR(function, o->freeze, o->freeze >= 0 && o->freeze <= (o->qat ? quantized : 0), IB_EINVAL,
                "is %lld of %lld quantized epochs", (long long)o->freeze, (long long)(o->qat ? quantized : 0));
    IB_TAKE_FOR(function, o->calibrate, o->calibrate >= 0, IB_EINVAL, "is %lld", (long long)o->calibrate);
    IB_TAKE_FOR(function, o->reestimate, o->reestimate >= 0, IB_EINVAL, "is %lld", (long long)o->reestimate);
    return IB_OK;
}

static ib_status check_rates(const ib_train_opts *o, const char *function)
{
    IB_TAKE_FOR(function, o->schedule, o->schedule >= IB_CONSTANT && o->schedule <= IB_PLATEAU, IB_EINVAL,
                "is %d, which is no ib_schedule_kind", (int)o->schedule);
    IB_TAKE_FOR(function, o->lr, o->lr >= 0 && isfinite(o->lr), IB_EINVAL, "is %g", o->lr);
    IB_TAKE_FOR(function, o->qat_lr, o->qat_lr >= 0 && isfinite(o->qat_lr), IB_EINVAL, "is %g", o->qat_lr);
    IB_TAKE_FOR(function, o->warmup, o->warmup >= -1, IB_EINVAL, "is %lld", (long long)o->warmup);
    return IB_OK;
}

/* Counts that a file or the caller gives, to which a training adds. */
static ib_status check_counts(const ib_checkpoint *at, int64_t samples, const char *function)
{
    const int64_t most = (int64_t)1 << 50;
    IB_TAKE_FOR(function, t->at.total_steps, at->total_steps >= 0 && at->total_steps <= most, IB_EINVAL,
                "is %lld, 0 to 2^50 are possible", (long long)at->total_steps);
    IB_TAKE_FOR(function, t->at.right, at->right >= -1 && at->right <= samples, IB_EINVAL, "is %lld of %lld samples",
                (long long)at->right, (long long)samples);
    IB_TAKE_FOR(function, t->at.n_history,
                at->n_history >= 0 && at->n_history <= most && (!at->n_history || at->history), IB_EINVAL, "is %lld%s",
                (long long)at->n_history, at->history ? "" : " without t->at.history");
    return IB_OK;
}

ib_status ib_train_check(const ib_train_run *r, const char *function)
{
    const ib_train_opts *o = r->o;
    const ib_checkpoint *at = &r->t->at;
    IB_TAKE_FOR(function, o->epochs, o->epochs >= 0 && o->epochs <= 1000000, IB_EINVAL, "is %lld",
                (long long)o->epochs);
    IB_TAKE_FOR(function, o->smoothing, o->smoothing >= 0 && o->smoothing < 1, IB_EINVAL, "is %g", o->smoothing);
    IB_TAKE_FOR(function, o->clip, o->clip >= 0 && isfinite(o->clip), IB_EINVAL, "is %g", o->clip);
    IB_TAKE_FOR(function, o->best, !o->best || o->test, IB_EINVAL, "is %s without o->test", o->best);
    IB_TAKE_FOR(function, t->at.epoch, at->epoch >= 0 && at->epoch <= r->epochs, IB_EINVAL, "is %lld of %lld epochs",
                (long long)at->epoch, (long long)r->epochs);
    IB_TAKE_FOR(function, t->at.step, at->step >= 0 && at->step <= ib_loader_batches(r->fit), IB_EINVAL,
                "is %lld of %lld batches", (long long)at->step, (long long)ib_loader_batches(r->fit));
    if (ib_train_check_schedules(at->state)) {
        ib_error_prefix("%s: t->at.state", function);
        return ib_error_status();
    }
    return check_counts(at, ib_loader_samples(r->fit), function) || check_qat(r, function) || check_rates(o, function)
               ? IB_EINVAL
               : IB_OK;
}
