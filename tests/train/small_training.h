/* small_training.h - a small network, data for it, and all that trains it. */
#ifndef IB_TESTS_TRAIN_SMALL_TRAINING_H
#define IB_TESTS_TRAIN_SMALL_TRAINING_H

#include "tests/check.h"

#include <unistd.h>

static ib_device *dev;
static ib_graph *g;
static char dir[64], path[128], other[128];

typedef struct small {
    ib_layer *net;
    ib_optim *opt;
    ib_loader *fit;
    ib_training t;
} small;

static inline void begin(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    snprintf(dir, sizeof dir, "/tmp/isobit-test-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/a.h5", dir);
    snprintf(other, sizeof other, "%s/b.h5", dir);
}

static inline void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
    ib_graph_free(g);
    ib_device_close(dev);
}

static inline void small_free(small *s)
{
    ib_training_release(&s->t);
    ib_loader_free(s->fit);
    ib_optim_free(s->opt);
    ib_layer_free(s->net);
    *s = (small){0};
}

/* 0, or 1 where something of it could not be made; what could is freed with small_free() */
static inline int small_open(small *s, ib_layer *net, const ib_dataset *data, int batch)
{
    *s = (small){.net = net, .t.at.seed = 5};
    if (!net || ib_layer_init(net, 5))
        return 1;
    const ib_input_info info = ib_dataset_info(data);
    if (ib_layer_set_input(net, &info))
        return 1;
    s->opt = ib_adamw_new(net, dev, NULL);
    s->fit = s->opt ? ib_loader_new(data, &info, &(ib_loader_opts){.batch = batch, .shuffle = 1, .seed = 5}) : NULL;
    return !s->fit;
}

/* Stops at a step of the whole training; 0: never. Counts what it is told. */
typedef struct watch {
    int64_t stop_at;
    int steps, tested, quantized, epochs;
    ib_train_event last;
} watch;

static inline int watch_training(void *user, const ib_train_event *e)
{
    watch *w = user;
    w->steps += e->moment == IB_TRAINED_STEP;
    w->tested += e->moment == IB_TESTED && e->done == e->total;
    w->quantized += e->moment == IB_QUANTIZED;
    w->epochs += e->moment == IB_TRAINED_EPOCH;
    if (e->moment == IB_TRAINED_EPOCH)
        w->last = *e;
    return w->stop_at && e->moment == IB_TRAINED_STEP && e->done >= w->stop_at;
}

#endif
