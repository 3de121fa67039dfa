/* training.c - one run of `isobit train`: steps, epochs, phases, what is written between them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/train/training.h"

int train_save(training *t, const char *path)
{
    ib_checkpoint *c = &t->s.c;
    if (!path)
        return 0;
    for (int i = 0; i < 2; i++) {
        c->state[3 * i] = t->schedule[i].best;
        c->state[3 * i + 1] = (double)t->schedule[i].bad;
        c->state[3 * i + 2] = (double)t->schedule[i].drops;
    }
    c->state[6] = t->float_accuracy;
    c->state[7] = t->accuracy;
    return ib_checkpoint_save(path, t->s.net, t->opt, c) ? complain() : 0;
}

static int not_finite(const training *t, const char *what, double value)
{
    const char *left = !t->o.out                       ? "nothing was written"
                       : t->s.c.epoch || t->first_step ? "the last good checkpoint is "
                                                       : "no epoch was finished, so nothing was written to ";
    fprintf(stderr, "isobit: epoch %lld, step %lld: the %s is %g: training stops; %s%s\n", (long long)t->s.c.epoch + 1,
            (long long)t->s.c.step + 1, what, value, left, t->o.out ? t->o.out : "");
    return 1;
}

static int step(training *t, const ib_batch *b)
{
    session *s = &t->s;
    ib_checkpoint *c = &s->c;
    const int quantized = train_is_quantized(t) && c->epoch >= t->o.qat_from;
    const int64_t before = quantized ? t->o.qat_from * ib_loader_batches(t->loader) : 0;
    if (ib_optim_set_lr(t->opt, ib_schedule_lr(&t->schedule[quantized], c->total_steps - before)))
        return complain();
    ib_graph_seed(s->g, c->seed, (uint64_t)c->total_steps);
    ib_graph_begin(s->g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(s->g, s->net, ib_input(s->g, 4, b->shape, b->x));
    ib_tensor *loss = b->targets   ? ib_mse(s->g, y, ib_input(s->g, 2, (int64_t[]){b->n, b->n_targets}, b->targets))
                      : t->weights ? ib_weighted_cross_entropy(s->g, y, b->y, t->weights, (float)t->o.smoothing)
                                   : ib_cross_entropy(s->g, y, b->y, (float)t->o.smoothing);
    if (!loss)
        return complain();
    const double value = ib_tensor_f32(loss)[0];
    if (!isfinite(value))
        return not_finite(t, "loss", value);
    if (ib_backward(s->g, loss))
        return complain();
    const double norm = ib_optim_clip(t->opt, t->o.clip > 0 ? t->o.clip : 1e300);
    if (norm < 0)
        return not_finite(t, "gradient's norm", INFINITY);
    if (ib_optim_step(t->opt))
        return complain();
    c->loss_sum += value;
    c->right += c->right < 0 || !b->y ? 0 : count_right(ib_tensor_f32(y), ib_tensor_shape(y)[1], b);
    c->total_steps++;
    c->step++;
    return 0;
}

/* What happens between epochs: quantization begins, scales freeze. */
static int change_phase(training *t)
{
    char score[40];
    session *s = &t->s;
    const int64_t epoch = s->c.epoch;
    if (!train_is_quantized(t))
        return 0;
    if (ib_qat_phase(s->net) == IB_FLOAT && epoch >= t->o.qat_from) {
        if (t->o.qat_from && evaluate(s, s->test, 1, &t->float_accuracy, &t->loss))
            return 1;
        if (ib_qat_prepare(s->net, s->g, &t->o.quant) || ib_qat_calibrate(s->net, s->g, t->loader, t->o.calibrate) ||
            ib_qat_set_phase(s->net, s->g, IB_LEARN))
            return complain();
        warn_lost_channels(s->net);
        s->c.best = train_worst(t);
        if (evaluate(s, s->test, 0, &t->accuracy, &t->loss))
            return 1;
        if (!*t->part)
            fprintf(report_stream(&t->o.common), "quantized to %s, profile %s: %s\n", t->o.qat,
                    ib_profile_name(t->o.quant.profile), train_score(t, "accuracy ", t->accuracy, score));
    }
    if (ib_qat_phase(s->net) == IB_LEARN && t->o.freeze && epoch >= t->o.epochs - t->o.freeze)
        return ib_qat_set_phase(s->net, s->g, IB_FROZEN) ? complain() : 0;
    return 0;
}

static int add_history(ib_checkpoint *c, const float history[IB_HISTORY], const float measures[IB_MEASURES])
{
    const int64_t n = c->n_history;
    const int had_none = !c->measures;
    float *h = realloc(c->history, (size_t)(n + 1) * IB_HISTORY * sizeof *h);
    c->history = h ? h : c->history;
    float *m = realloc(c->measures, (size_t)(n + 1) * IB_MEASURES * sizeof *m);
    c->measures = m ? m : c->measures;
    if (!h || !m)
        return fprintf(stderr, "isobit: out of memory\n"), 1;
    for (int64_t i = 0; had_none && i < n * IB_MEASURES; i++) /* the epochs of an older checkpoint */
        m[i] = NAN;
    memcpy(h + n * IB_HISTORY, history, IB_HISTORY * sizeof *h);
    memcpy(m + n * IB_MEASURES, measures, IB_MEASURES * sizeof *m);
    c->n_history++;
    return 0;
}

/* One epoch from where the checkpoint stands; 0, 1 on failure, -1 when interrupted. */
static int run_epoch(training *t, progress *p)
{
    char score[40];
    session *s = &t->s;
    ib_checkpoint *c = &s->c;
    const int64_t steps = ib_loader_batches(t->loader);
    ib_batch b;
    if (!c->step && change_phase(t))
        return 1;
    ib_loader_start(t->loader, c->epoch, c->step);
    while (ib_loader_next(t->loader, &b)) {
        char text[96];
        if (step(t, &b))
            return 1;
        snprintf(text, sizeof text, "epoch %lld/%lld  loss %.4f  %s", (long long)c->epoch + 1, (long long)t->o.epochs,
                 c->loss_sum / (double)c->step, ib_phase_name(ib_qat_phase(s->net)));
        progress_show(p, c->total_steps, t->o.epochs * steps, text);
        if (interrupted && c->step < steps)
            return -1;
    }
    if (ib_loader_status(t->loader) ||
        (t->o.reestimate && ib_qat_phase(s->net) == IB_LEARN && ib_qat_reestimate_bn(s->net, s->g, t->loader, 20)))
        return complain();
    if (evaluate(s, s->test, 0, &t->accuracy, &t->loss))
        return 1;
    if (!train_is_quantized(t) || c->epoch < t->o.qat_from)
        t->float_accuracy = t->accuracy;
    const double mean = c->loss_sum / (double)c->step;
    const int best = t->accuracy > c->best && (!train_is_quantized(t) || c->epoch >= t->o.qat_from);
    const int64_t all = steps * t->o.batch, seen = all < ib_dataset_count(s->train) ? all : ib_dataset_count(s->train);
    const float right = c->right < 0 || train_is_regression(t) ? NAN : (float)((double)c->right / (double)seen);
    if (add_history(c, (float[]){(float)c->epoch + 1, (float)mean, (float)t->accuracy, ib_optim_lr(t->opt)},
                    (float[]){right, (float)t->loss}))
        return 1;
    ib_schedule_report(&t->schedule[train_is_quantized(t) && c->epoch >= t->o.qat_from], mean);
    c->epoch++;
    c->step = 0;
    c->loss_sum = 0;
    c->right = 0;
    if (best)
        c->best = t->accuracy;
    progress_end(p);
    if (!*t->part)
        fprintf(report_stream(&t->o.common), "epoch %3lld/%lld  loss %.4f  %s  %-5s  lr %.2g  %.0f samples/s\n",
                (long long)c->epoch, (long long)t->o.epochs, mean, train_score(t, "accuracy ", t->accuracy, score),
                ib_phase_name(ib_qat_phase(s->net)), ib_optim_lr(t->opt),
                (double)((c->total_steps - t->first_step) * t->o.batch) / (seconds() - t->started));
    fflush(stdout);
    if (best && t->o.best && train_save(t, t->o.best))
        return 1;
    return 0;
}

/* Post-training quantization after the last epoch, and fixed scales. */
static int finish(training *t)
{
    session *s = &t->s;
    if (!train_is_quantized(t))
        return 0;
    if (change_phase(t))
        return 1;
    if (ib_qat_phase(s->net) == IB_LEARN && ib_qat_set_phase(s->net, s->g, IB_FROZEN))
        return complain();
    if (evaluate(s, s->test, 0, &t->accuracy, &t->loss))
        return 1;
    const int better = t->accuracy > s->c.best;
    if (better)
        s->c.best = t->accuracy;
    return better && t->o.best ? train_save(t, t->o.best) : 0;
}

int train_run(training *t)
{
    progress p;
    int status = 0;
    catch_interrupt();
    progress_start(&p, *t->part ? t->part : "train", t->s.c.total_steps);
    t->started = seconds();
    if (!*t->part)
        train_print_start(t);
    while (t->s.c.epoch < t->o.epochs && !status) {
        status = run_epoch(t, &p);
        if (!status && t->s.c.epoch < t->o.epochs)
            status = interrupted ? -1 : train_save(t, t->o.out);
    }
    progress_end(&p);
    if (status < 0 && !t->o.out)
        return fprintf(stderr, "isobit: interrupted: nothing was written\n"), 130;
    if (status < 0) {
        if (train_save(t, t->o.out))
            return 1;
        fprintf(stderr, "isobit: interrupted in epoch %lld at step %lld; --resume goes on from %s\n",
                (long long)t->s.c.epoch + 1, (long long)t->s.c.step, t->o.out);
        return 130;
    }
    return status ? status : finish(t) || train_save(t, t->o.out);
}
