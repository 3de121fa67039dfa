/* train_open.c - what a run of `isobit train` begins with: data, a network, a checkpoint that it goes on from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/train/class_weights.h"
#include "cli/train/training.h"
#include "lm/train/settings.h"

/* Both parts, for the network that training begins with or, net NULL, one that is to be made. How long a table is
 * trained depends on it. */
static int open_data(training *t, const ib_layer *net)
{
    if (t->s.train) /* rows that were brought along */
        return 0;
    int status = recall_data(&t->s, &t->o.common, t->o.init, "digits");
    if (!status)
        status = train_options_onto_data(&t->o) ? 2
                 : t->o.whole                   ? session_whole(&t->s, &t->o.common)
                                                : session_parts(&t->s, &t->o.common, net ? ib_layer_input(net) : NULL,
                                              net ? ib_layer_schema(net) : NULL);
    if (!status)
        status = train_options_complete(&t->o, train_is_table(t) ? ib_dataset_count(t->s.train) : 0);
    return !status && t->o.decay_epochs ? train_choose_decay(t) : status;
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
    if (train_check_classes(t, in.classes))
        return 1;
    if (o->class_weights && !(t->weights = class_weights(o->class_weights, s->train, in.classes)))
        return 1;
    t->opt = !strcmp(o->optimizer, "sgd")
                 ? ib_sgd_new(s->net, s->dev,
                              &(ib_sgd_opts){(float)o->lr, (float)o->momentum, (float)o->decay, o->momentum > 0})
                 : ib_adamw_new(s->net, s->dev, &(ib_adamw_opts){.lr = (float)o->lr, .weight_decay = (float)o->decay});
    t->loader = ib_loader_new(s->train, &in,
                              &(ib_loader_opts){.batch = (int)o->batch,
                                                .shuffle = 1,
                                                .seed = (uint64_t)o->seed,
                                                .drop_last = ib_dataset_count(s->train) > o->batch,
                                                .shift = (float)o->shift,
                                                .rotate = (float)o->rotate,
                                                .flip = o->flip});
    return t->opt && t->loader ? train_options_exceed(o, ib_dataset_count(s->train), ib_loader_batches(t->loader))
                               : complain();
}

/* Behind the settings stand the data: older checkpoints do not know theirs. */
static int same_settings(const training *t, const char *text)
{
    ib_checkpoint c;
    char was[sizeof c.notes + 96], now[sizeof c.notes + 96];
    if (ib_checkpoint_peek(t->o.out, &c))
        return !complain();
    snprintf(was, sizeof was, "model=%s seed=%llu %s", c.model, (unsigned long long)c.seed, c.notes);
    snprintf(now, sizeof now, "model=%s seed=%llu %s", t->model, (unsigned long long)t->o.seed, text);
    ib_checkpoint_release(&c);
    char *data = strstr(was, " samples="), *data_now = strstr(now, " samples=");
    const int other = data && data_now && strcmp(data, data_now);
    if (data)
        *data = 0;
    if (data_now)
        *data_now = 0;
    if (ib_settings_same(t->o.out, was, now))
        return !complain();
    if (other)
        fprintf(stderr,
                "isobit: %s: was trained on other data than %s holds now: %lld training samples then, %lld now\n",
                t->o.out, t->o.common.data, strtoll(data + sizeof " samples=" - 1, NULL, 10),
                (long long)ib_dataset_count(t->s.train));
    return !other;
}

/* A table that has become another one since gives other means, classes or categories. */
static int same_table(const training *t, const ib_schema *now)
{
    const ib_schema *was = ib_layer_schema(t->s.net);
    char *a = was ? ib_schema_text(was) : NULL, *b = now ? ib_schema_text(now) : NULL;
    const int same = !a == !b && (!a || !strcmp(a, b));
    ib_free(a);
    ib_free(b);
    return same ? 0
                : fprintf(stderr, "isobit: %s: was trained on another table than %s is now\n", t->o.out,
                          t->o.common.data) > 0;
}

/* Goes on from a checkpoint, if there is one. */
static int open_checkpoint(training *t)
{
    ib_checkpoint *c = &t->state.at;
    char text[sizeof c->notes];
    if (train_options_text(&t->o, t->weights, ib_layer_input(t->s.net)->classes, text, sizeof text) ||
        train_add_data(&t->s, text, sizeof text))
        return 1;
    if (t->o.resume && !access(t->o.out, F_OK)) {
        if (!same_settings(t, text))
            return 1;
        ib_schema *now = ib_schema_hold(ib_layer_schema(t->s.net));
        const int bad =
            ib_train_resume(t->o.out, t->s.net, t->s.g, t->opt, &t->state) ? complain() : same_table(t, now);
        ib_schema_free(now);
        if (bad)
            return 1;
    } else {
        snprintf(c->model, sizeof c->model, "%s", t->model);
        memcpy(c->notes, text, sizeof text);
        c->seed = (uint64_t)t->o.seed;
        if (t->o.out && remember_data(c, &t->o.common))
            return 1;
    }
    t->first_step = c->total_steps;
    return 0;
}

int train_open(training *t)
{
    int status = session_open(&t->s, &t->o.common) ? 1 : open_network(t);
    if (status)
        return status;
    if ((status = open_checkpoint(t)))
        return status;
    session_tell(&t->s, t->s.train);
    return 0;
}

void train_close(training *t)
{
    free(t->weights);
    ib_training_release(&t->state);
    ib_loader_free(t->loader);
    ib_optim_free(t->opt);
    session_close(&t->s);
}
