/* training.c - one run of `isobit train`: the library's loop, told of as it goes. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/train/training.h"

/* What the loop's events are told with. */
typedef struct watch {
    training *t;
    progress steps, test;
} watch;

static void show_step(watch *w, const ib_train_event *e)
{
    char text[96];
    snprintf(text, sizeof text, "epoch %lld/%lld  loss %.4f  %s", (long long)e->epoch, (long long)e->epochs, e->loss,
             ib_phase_name(e->phase));
    progress_show(&w->steps, e->done, e->total, text);
}

static void show_test(watch *w, const ib_train_event *e)
{
    if (!e->done)
        progress_start(&w->test, "test", 0);
    else if (e->done < e->total)
        progress_show(&w->test, e->done, e->total, "samples");
    else
        progress_end(&w->test);
}

static void tell_quantized(const training *t, const ib_train_event *e)
{
    char score[40];
    warn_lost_channels(t->s.net);
    if (!*t->part)
        fprintf(report_stream(&t->o.common), "quantized to %s, profile %s: %s\n", t->o.qat,
                ib_profile_name(t->o.quant.profile), train_score(t, "accuracy ", e->score, score));
}

static void tell_epoch(watch *w, const ib_train_event *e)
{
    const training *t = w->t;
    char score[40];
    progress_end(&w->steps);
    if (!*t->part)
        fprintf(report_stream(&t->o.common), "epoch %3lld/%lld  loss %.4f  %s  %-5s  lr %.2g  %.0f samples/s\n",
                (long long)e->epoch, (long long)e->epochs, e->loss, train_score(t, "accuracy ", e->score, score),
                ib_phase_name(e->phase), e->lr,
                (double)((e->done - t->first_step) * t->o.batch) / (seconds() - t->started));
    fflush(stdout);
}

static int watch_training(void *user, const ib_train_event *e)
{
    watch *w = user;
    switch (e->moment) {
    case IB_TRAINED_STEP: show_step(w, e); break;
    case IB_TESTED: show_test(w, e); break;
    case IB_QUANTIZED: tell_quantized(w->t, e); break;
    case IB_TRAINED_EPOCH: tell_epoch(w, e); break;
    }
    return interrupted;
}

static ib_train_opts options_of(const training *t, watch *w)
{
    const train_options *o = &t->o;
    return (ib_train_opts){.epochs = o->epochs,
                           .schedule = o->schedule,
                           .lr = (float)o->lr,
                           .qat_lr = (float)o->qat_lr,
                           .smoothing = (float)o->smoothing,
                           .class_weights = t->weights,
                           .clip = o->clip,
                           .qat = train_is_quantized(t) ? &o->quant : NULL,
                           .qat_from = train_is_quantized(t) ? o->qat_from : 0,
                           .calibrate = o->calibrate,
                           .freeze = train_is_quantized(t) ? o->freeze : 0,
                           .reestimate = o->reestimate ? 20 : 0,
                           .test = t->s.test,
                           .out = o->out,
                           .best = o->best,
                           .progress = watch_training,
                           .user = w};
}

static int tell_interrupted(const training *t)
{
    const ib_checkpoint *c = &t->state.at;
    if (t->o.out)
        fprintf(stderr, "isobit: interrupted in epoch %lld at step %lld; --resume goes on from %s\n",
                (long long)c->epoch + 1, (long long)c->step, t->o.out);
    else
        fprintf(stderr, "isobit: interrupted: nothing was written\n");
    return 130;
}

int train_run(training *t)
{
    watch w = {.t = t};
    const ib_train_opts o = options_of(t, &w);
    catch_interrupt();
    progress_start(&w.steps, *t->part ? t->part : "train", t->state.at.total_steps);
    t->started = seconds();
    if (!*t->part)
        train_print_start(t);
    const ib_status status = ib_train(t->s.net, t->s.g, t->opt, t->loader, &o, &t->state);
    progress_end(&w.steps);
    return status == IB_ESTOPPED ? tell_interrupted(t) : status ? complain() : 0;
}

int train_save(const training *t, const char *path)
{
    return ib_checkpoint_save(path, t->s.net, t->opt, &t->state.at) ? complain() : 0;
}
