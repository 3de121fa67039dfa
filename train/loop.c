/* loop.c - epochs from where a training stands to its end, and what is written between them. */
#include "train/loop.h"

#include <math.h>

#include "base/argument.h"
#include "data/dataset.h"
#include "optim/optim.h"

enum { FLOAT_SCORE = 6, SCORE = 7 }; /* in state, behind the schedules' */

static int64_t all_steps(const ib_train_run *r)
{
    return r->epochs * ib_loader_batches(r->fit);
}

static void tell(ib_train_run *r, ib_train_moment moment, int64_t done, int64_t total)
{
    const ib_checkpoint *c = &r->t->at;
    if (r->o->progress && moment == IB_TRAINED_STEP)
        ib_train_read_tally(r, 0);
    const ib_train_event event = {.moment = moment,
                                  .done = done,
                                  .total = total,
                                  .epoch = c->epoch + 1,
                                  .epochs = r->epochs,
                                  .loss = c->step && r->counted ? c->loss_sum / (double)r->counted : 0,
                                  .score = r->t->score,
                                  .test_loss = r->t->loss,
                                  .lr = ib_optim_lr(r->opt),
                                  .phase = ib_qat_phase(r->net)};
    if (r->o->progress && r->o->progress(r->o->user, &event))
        r->stop = 1;
}

void ib_train_tell(ib_train_run *r, ib_train_moment moment)
{
    tell(r, moment, r->t->at.total_steps, all_steps(r));
}

static void tell_tested(void *user, int64_t done, int64_t total)
{
    tell(user, IB_TESTED, done, total);
}

ib_status ib_train_test(ib_train_run *r, int in_float)
{
    ib_evaluation e = {.score = NAN, .loss = NAN};
    const ib_evaluate_opts o = {.in_float = in_float, .progress = tell_tested, .user = r};
    if (r->o->test && ib_evaluate(r->net, r->g, r->o->test, &o, &e))
        return ib_error_status();
    r->t->score = e.score;
    r->t->loss = e.loss;
    ib_evaluation_release(&e);
    return IB_OK;
}

/* What a checkpoint keeps besides: at any time t->at is one. */
static ib_status keep(ib_train_run *r)
{
    ib_train_keep_schedules(r);
    r->t->at.state[FLOAT_SCORE] = r->t->float_score;
    r->t->at.state[SCORE] = r->t->score;
    return ib_train_settle(r);
}

ib_status ib_train_save(ib_train_run *r, const char *path)
{
    return keep(r) ? ib_error_status() : path ? ib_checkpoint_save(path, r->net, r->opt, &r->t->at) : IB_OK;
}

/* Test, history and schedule behind the steps of an epoch. */
static ib_status end_epoch(ib_train_run *r)
{
    ib_checkpoint *c = &r->t->at;
    if (ib_train_settle(r))
        return ib_error_status();
    const int quantized = ib_train_in_integers(r),
              counted = c->right >= 0 && !ib_dataset_targets(ib_loader_data(r->fit));
    const double mean = c->loss_sum / (double)c->step;
    if (r->o->reestimate && ib_qat_phase(r->net) == IB_LEARN &&
        ib_qat_reestimate_bn(r->net, r->g, r->fit, r->o->reestimate))
        return ib_error_status();
    if (ib_train_test(r, 0))
        return ib_error_status();
    if (!quantized)
        r->t->float_score = r->t->score;
    const float right = counted ? (float)((double)c->right / (double)ib_loader_samples(r->fit)) : NAN;
    if (ib_train_add_history(c, (float[]){(float)c->epoch + 1, (float)mean, (float)r->t->score, ib_optim_lr(r->opt)},
                             (float[]){right, (float)r->t->loss}))
        return ib_error_status();
    ib_schedule_report(&r->schedule[quantized], mean);
    ib_train_tell(r, IB_TRAINED_EPOCH);
    c->epoch++;
    c->step = 0;
    c->loss_sum = 0;
    c->right = 0;
    ib_train_begin_tally(r);
    if (!(r->t->score > c->best && (quantized || !r->o->qat)))
        return IB_OK;
    c->best = r->t->score;
    return ib_train_save(r, r->o->best);
}

/* One epoch from where the checkpoint stands; IB_ESTOPPED within it. */
static ib_status run_epoch(ib_train_run *r)
{
    const ib_checkpoint *c = &r->t->at;
    ib_batch b;
    if ((!c->step && ib_train_change_phase(r)) || ib_loader_start(r->fit, c->epoch, c->step))
        return ib_error_status();
    while (ib_loader_next(r->fit, &b)) {
        if (ib_train_step(r, &b))
            return ib_error_status();
        ib_train_tell(r, IB_TRAINED_STEP);
        if (r->stop && c->step < ib_loader_batches(r->fit))
            return IB_ESTOPPED;
    }
    return ib_loader_status(r->fit) ? ib_error_status() : end_epoch(r);
}

static ib_status stopped(ib_train_run *r)
{
    const ib_checkpoint *c = &r->t->at;
    if (ib_train_save(r, r->o->out))
        return ib_error_status();
    return ib_fail(IB_ESTOPPED, "stopped in epoch %lld at step %lld", (long long)c->epoch + 1, (long long)c->step);
}

static ib_status run(ib_train_run *r)
{
    const ib_checkpoint *c = &r->t->at;
    ib_status status = IB_OK;
    while (c->epoch < r->epochs && !status) {
        status = run_epoch(r);
        if (!status && c->epoch < r->epochs)
            status = r->stop ? IB_ESTOPPED : ib_train_save(r, r->o->out);
    }
    if (status)
        return status == IB_ESTOPPED ? stopped(r) : status;
    return ib_train_finish(r) || ib_train_save(r, r->o->out) ? ib_error_status() : IB_OK;
}

ib_status ib_train(ib_layer *net, ib_graph *g, ib_optim *opt, ib_loader *fit, const ib_train_opts *o, ib_training *t)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(opt);
    IB_NEED(fit);
    IB_NEED(o);
    IB_NEED(t);
    IB_TAKE(opt, opt->net == net, "is %s", "of another network");
    ib_train_run r = {.net = net, .g = g, .opt = opt, .fit = fit, .o = o, .t = t, .epochs = o->epochs ? o->epochs : 12};
    if (ib_train_check(&r, __func__))
        return ib_error_status();
    ib_train_open_schedules(&r);
    r.first_step = t->at.total_steps;
    if (!r.first_step)
        t->at.best = ib_train_worst(&r);
    if (ib_train_open_tally(&r))
        return ib_error_status();
    const ib_status status = run(&r);
    if (status)
        ib_train_read_tally(&r, 1); /* up to where it ends */
    ib_train_close_tally(&r);
    return status;
}

ib_status ib_train_resume(const char *path, ib_layer *net, ib_graph *g, ib_optim *opt, ib_training *t)
{
    IB_NEED(path);
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(opt);
    IB_NEED(t);
    ib_checkpoint c;
    if (ib_checkpoint_restore(path, net, g, opt, &c))
        return ib_error_status();
    if (ib_train_check_schedules(c.state)) {
        ib_checkpoint_release(&c);
        ib_error_prefix("%s", path);
        return ib_error_status();
    }
    ib_training_release(t);
    *t = (ib_training){.at = c, .float_score = c.state[FLOAT_SCORE], .score = c.state[SCORE]};
    return IB_OK;
}

void ib_training_release(ib_training *t)
{
    if (t)
        ib_checkpoint_release(&t->at);
}
