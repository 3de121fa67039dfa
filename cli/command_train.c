/* command_train.c - isobit train. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/class_weights.h"
#include "cli/plot.h"
#include "cli/training.h"
#include "lm/settings.h"

/* Both parts, for the network that training begins with or, net NULL, one that is to be made. How long a table is trained depends on it. */
static int open_data(training *t, const ib_layer *net)
{
    int status = recall_data(&t->s, &t->o.common, t->o.init, "digits");
    if (!status)
        status = train_options_onto_data(&t->o) ? 2 : session_parts(&t->s, &t->o.common, net ? ib_layer_input(net) : NULL, net ? ib_layer_schema(net) : NULL);
    return status ? status : train_options_complete(&t->o, train_is_table(t) ? ib_dataset_count(t->s.train) : 0);
}

static int open_network(training *t)
{
    session *s = &t->s;
    const train_options *o = &t->o;
    ib_input_info in;
    int status;
    if (o->init) {
        if (!(s->net = ib_checkpoint_open(o->init, s->g, &s->c)))
            return complain();
        if (ib_qat_phase(s->net) != IB_FLOAT)
            return fprintf(stderr, "isobit: %s: is quantized already: begin with the float checkpoint\n", o->init), 1;
        if ((status = open_data(t, s->net)))
            return status;
        session_settle(s, s->train);
        in = *ib_layer_input(s->net);
        if (ib_dataset_check_labels(s->train, &in))
            return complain();
        snprintf(t->model, sizeof t->model, "%s", s->c.model);
        ib_checkpoint_release(&s->c);
        s->c = (ib_checkpoint){0};
    } else {
        if ((status = open_data(t, NULL)))
            return status;
        snprintf(t->model, sizeof t->model, "%s", o->network);
        in = ib_dataset_info(s->train);
        if (ib_dataset_check_labels(s->train, &in))
            return complain();
        if (!(s->net = ib_model_new(o->network, in.c, in.h, in.w, in.classes)) ||
            ib_layer_init(s->net, (uint64_t)o->seed))
            return complain();
        ib_layer_set_input(s->net, &in);
    }
    if (ib_dataset_schema(s->train) && ib_layer_set_schema(s->net, ib_dataset_schema(s->train)))
        return complain();
    if (ib_dataset_check_labels(s->test, &in) || (train_is_quantized(t) && ib_qat_check(s->net, s->g, &o->quant)))
        return complain();
    if (o->class_weights && !(t->weights = class_weights(o->class_weights, s->train, in.classes)))
        return 1;
    t->opt = !strcmp(o->optimizer, "sgd")
                 ? ib_sgd_new(s->net, s->dev, &(ib_sgd_opts){(float)o->lr, (float)o->momentum, (float)o->decay, o->momentum > 0})
                 : ib_adamw_new(s->net, s->dev, &(ib_adamw_opts){.lr = (float)o->lr, .weight_decay = (float)o->decay});
    t->loader = ib_loader_new(s->train, &in, &(ib_loader_opts){.batch = (int)o->batch, .shuffle = 1, .seed = (uint64_t)o->seed,
                                                              .drop_last = ib_dataset_count(s->train) > o->batch,
                                                              .shift = (float)o->shift, .rotate = (float)o->rotate, .flip = o->flip});
    return t->opt && t->loader ? train_options_exceed(o, ib_dataset_count(s->train), ib_loader_batches(t->loader)) : complain();
}

static void open_schedules(training *t)
{
    const int64_t steps = ib_loader_batches(t->loader), split = train_is_quantized(t) ? t->o.qat_from : t->o.epochs;
    for (int i = 0; i < 2; i++) {
        const int64_t epochs = i ? t->o.epochs - split : split;
        t->schedule[i] = (ib_schedule){.kind = t->o.schedule, .lr = (float)(i ? t->o.qat_lr : t->o.lr), .total = epochs * steps,
                                       .warmup = epochs * steps / 20 < 200 ? epochs * steps / 20 : 200, .final = i ? 0.01f : 0.05f,
                                       .every = t->o.schedule == IB_PLATEAU ? 3 : epochs * steps / 3 + 1};
    }
}

static int same_settings(const training *t, const char *text)
{
    ib_checkpoint c;
    char was[sizeof c.notes + 96], now[sizeof c.notes + 96];
    if (ib_checkpoint_peek(t->o.out, &c))
        return !complain();
    snprintf(was, sizeof was, "model=%s seed=%llu %s", c.model, (unsigned long long)c.seed, c.notes);
    snprintf(now, sizeof now, "model=%s seed=%llu %s", t->model, (unsigned long long)t->o.seed, text);
    ib_checkpoint_release(&c);
    return ib_settings_same(t->o.out, was, now) ? !complain() : 1;
}

/* A table that has become another one since gives other means, classes or categories. */
static int same_table(const training *t, const ib_schema *now)
{
    const ib_schema *was = ib_layer_schema(t->s.net);
    char *a = was ? ib_schema_text(was) : NULL, *b = now ? ib_schema_text(now) : NULL;
    const int same = !a == !b && (!a || !strcmp(a, b));
    free(a);
    free(b);
    return same ? 0 : fprintf(stderr, "isobit: %s: was trained on another table than %s is now\n", t->o.out, t->o.common.data) > 0;
}

/* Goes on from a checkpoint, if there is one. */
static int open_checkpoint(training *t)
{
    ib_checkpoint *c = &t->s.c;
    char text[sizeof c->notes];
    if (train_options_text(&t->o, t->weights, ib_layer_input(t->s.net)->classes, text, sizeof text))
        return 1;
    if (t->o.resume && !access(t->o.out, F_OK)) {
        if (!same_settings(t, text))
            return 1;
        ib_schema *now = ib_schema_hold(ib_layer_schema(t->s.net));
        const int bad = ib_checkpoint_restore(t->o.out, t->s.net, t->s.g, t->opt, c) ? complain() : same_table(t, now);
        ib_schema_free(now);
        if (bad)
            return 1;
        for (int i = 0; i < 2; i++) {
            t->schedule[i].best = c->state[3 * i];
            t->schedule[i].bad = (int64_t)c->state[3 * i + 1];
            t->schedule[i].drops = (int64_t)c->state[3 * i + 2];
        }
        t->float_accuracy = c->state[6];
        t->accuracy = c->state[7];
    } else {
        snprintf(c->model, sizeof c->model, "%s", t->model);
        memcpy(c->notes, text, sizeof text);
        c->seed = (uint64_t)t->o.seed;
        c->best = train_worst(t);
        if (remember_data(c, &t->o.common))
            return 1;
    }
    t->first_step = c->total_steps;
    return 0;
}

static int save(training *t, const char *path)
{
    ib_checkpoint *c = &t->s.c;
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
    fprintf(stderr, "isobit: epoch %lld, step %lld: the %s is %g: training stops; %s %s\n", (long long)t->s.c.epoch + 1, (long long)t->s.c.step + 1,
            what, value, t->s.c.epoch || t->first_step ? "the last good checkpoint is" : "no epoch was finished, so nothing was written to", t->o.out);
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
    ib_tensor *loss = b->targets ? ib_mse(s->g, y, ib_input(s->g, 2, (int64_t[]){b->n, b->n_targets}, b->targets))
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
        snprintf(text, sizeof text, "epoch %lld/%lld  loss %.4f  %s", (long long)c->epoch + 1, (long long)t->o.epochs, c->loss_sum / (double)c->step,
                 ib_phase_name(ib_qat_phase(s->net)));
        progress_show(p, c->total_steps, t->o.epochs * steps, text);
        if (interrupted && c->step < steps)
            return -1;
    }
    if (ib_loader_status(t->loader) || (t->o.reestimate && ib_qat_phase(s->net) == IB_LEARN &&
                                        ib_qat_reestimate_bn(s->net, s->g, t->loader, 20)))
        return complain();
    if (evaluate(s, s->test, 0, &t->accuracy, &t->loss))
        return 1;
    if (!train_is_quantized(t) || c->epoch < t->o.qat_from)
        t->float_accuracy = t->accuracy;
    const double mean = c->loss_sum / (double)c->step;
    const int best = t->accuracy > c->best && (!train_is_quantized(t) || c->epoch >= t->o.qat_from);
    const int64_t all = steps * t->o.batch, seen = all < ib_dataset_count(s->train) ? all : ib_dataset_count(s->train);
    const float right = c->right < 0 || train_is_regression(t) ? NAN : (float)((double)c->right / (double)seen);
    if (add_history(c, (float[]){(float)c->epoch + 1, (float)mean, (float)t->accuracy, ib_optim_lr(t->opt)}, (float[]){right, (float)t->loss}))
        return 1;
    ib_schedule_report(&t->schedule[train_is_quantized(t) && c->epoch >= t->o.qat_from], mean);
    c->epoch++;
    c->step = 0;
    c->loss_sum = 0;
    c->right = 0;
    if (best)
        c->best = t->accuracy;
    progress_end(p);
    fprintf(report_stream(&t->o.common), "epoch %3lld/%lld  loss %.4f  %s  %-5s  lr %.2g  %.0f samples/s\n",
            (long long)c->epoch, (long long)t->o.epochs, mean, train_score(t, "accuracy ", t->accuracy, score),
            ib_phase_name(ib_qat_phase(s->net)), ib_optim_lr(t->opt),
            (double)((c->total_steps - t->first_step) * t->o.batch) / (seconds() - t->started));
    fflush(stdout);
    if (best && t->o.best && save(t, t->o.best))
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
    return better && t->o.best ? save(t, t->o.best) : 0;
}

static int train(training *t)
{
    progress p;
    int status = 0;
    progress_start(&p, "train", t->s.c.total_steps);
    t->started = seconds();
    train_print_start(t);
    while (t->s.c.epoch < t->o.epochs && !status) {
        status = run_epoch(t, &p);
        if (!status && t->s.c.epoch < t->o.epochs)
            status = interrupted ? -1 : save(t, t->o.out);
    }
    progress_end(&p);
    if (status < 0) {
        if (save(t, t->o.out))
            return 1;
        fprintf(stderr, "isobit: interrupted in epoch %lld at step %lld; --resume goes on from %s\n", (long long)t->s.c.epoch + 1,
                (long long)t->s.c.step, t->o.out);
        return 130;
    }
    return status ? status : finish(t) || save(t, t->o.out);
}

int command_train(int argc, char **argv)
{
    training t = {0};
    int status = train_options_parse(&t.o, argc, argv);
    if (status)
        return status;
    status = session_open(&t.s, &t.o.common) ? 1 : open_network(&t);
    if (!status) {
        open_schedules(&t);
        status = open_checkpoint(&t);
    }
    catch_interrupt();
    if (!status)
        status = train(&t);
    if (!status) {
        train_report(&t);
        status = t.o.plot ? plot_curves(t.o.plot, &(run){t.o.out, &t.s.c}, 1) : 0;
    }
    free(t.weights);
    ib_loader_free(t.loader);
    ib_optim_free(t.opt);
    session_close(&t.s);
    return status;
}
