/* loader.c - batches: order, augmentation and normalization, prepared one ahead by a thread.
 * Everything about a batch follows from (seed, epoch, index), so a loader can start anywhere. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <math.h>
#include <unistd.h>

#include "base/argument.h"
#include "base/assert.h"
#include "base/number.h"
#include "data/augment.h"
#include "data/dataset.h"

struct ib_loader {
    ib_dataset *d; /* held: it lives as long as this */
    int64_t n;     /* of its samples */
    int64_t shown; /* of these, in an epoch */
    pid_t process; /* the thread's: a child process after fork() has none */
    ib_loader_opts opts;
    float mean, std;
    int64_t batches;
    int64_t epoch, next; /* the batch that ib_loader_next gives next */
    uint32_t *order;     /* [n], of order_epoch */
    int64_t order_epoch;
    float *plain; /* [batch,c,h,w] before augmentation, of samples that are not in memory */
    struct slot {
        float *x;
        int32_t *y;
        float *targets; /* [batch, n_targets], or NULL */
        int n;
        int64_t epoch, index; /* what it holds; -1: nothing */
        ib_status status;     /* IB_OK, or why it holds no batch, with the message */
        char message[512];    /* error.c */
    } slot[2];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t want_epoch, want_index; /* what the thread shall prepare into slot want_slot; index -1: nothing */
    int want_slot, stop, threaded;
    const struct slot *failed; /* what ib_loader_next gave nothing for, or NULL */
};

static void shuffle(ib_loader *l, int64_t epoch)
{
    if (l->order_epoch == epoch)
        return;
    const ib_rng rng = {l->opts.seed, 0x5348554646ULL << 20 | (uint64_t)epoch};
    for (int64_t i = 0; i < l->n; i++)
        l->order[i] = (uint32_t)i;
    for (int64_t i = l->n - 1; l->opts.shuffle && i > 0; i--) { /* Fisher-Yates */
        const uint32_t j = ib_rng_below(rng, (uint64_t)i, (uint32_t)i + 1), t = l->order[i];
        l->order[i] = l->order[j];
        l->order[j] = t;
    }
    l->order_epoch = epoch;
}

static void prepare(ib_loader *l, struct slot *s, int64_t epoch, int64_t index)
{
    const ib_dataset *d = l->d;
    const int64_t size = (int64_t)d->c * d->h * d->w, first = index * l->opts.batch;
    const int augmented = l->opts.shift > 0 || l->opts.rotate > 0 || l->opts.flip;
    const ib_rng rng = {l->opts.seed, 0x415547ULL << 32 | (uint64_t)epoch};
    const float inverse = 1.0f / l->std;
    IB_ASSERT(index >= 0 && index < l->batches, "a batch is one of the epoch's");
    shuffle(l, epoch);
    s->n = (int)(l->shown - first < l->opts.batch ? l->shown - first : l->opts.batch);
    float *plain = l->plain ? l->plain : s->x;
    s->status = d->x && augmented ? IB_OK : ib_dataset_read(d, s->n, l->order + first, plain);
    if (s->status)
        ib_snprintf(s->message, sizeof s->message, "%s", ib_error());
    for (int i = 0; i < s->n && !s->status; i++) {
        const uint32_t at = l->order[first + i];
        IB_ASSERT(at < l->n, "a batch is made of the data set's samples");
        float *x = s->x + i * size;
        if (augmented)
            ib_augment(&l->opts, rng, at, d->x ? d->x + at * size : plain + i * size, d->c, d->h, d->w, x);
        for (int64_t j = 0; j < size; j++)
            x[j] = (x[j] - l->mean) * inverse;
        if (d->y)
            s->y[i] = d->y[at];
        if (d->targets)
            memcpy(s->targets + (int64_t)i * d->n_targets, d->targets + (int64_t)at * d->n_targets,
                   (size_t)d->n_targets * sizeof *d->targets);
    }
    s->epoch = epoch;
    s->index = index;
}

static void *work(void *arg)
{
    ib_loader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (l->want_index < 0) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        const int64_t epoch = l->want_epoch, index = l->want_index;
        struct slot *s = &l->slot[l->want_slot];
        pthread_mutex_unlock(&l->lock);
        prepare(l, s, epoch, index);
        pthread_mutex_lock(&l->lock);
        l->want_index = -1;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

ib_loader *ib_loader_new(const ib_dataset *d, const ib_input_info *info, const ib_loader_opts *opts)
{
    IB_NEED_OR(d, NULL);
    if (opts) {
        IB_TAKE_OR(opts->batch, opts->batch >= 0 && opts->batch <= 1 << 20, NULL, "is %d", opts->batch);
        IB_TAKE_OR(opts->samples, opts->samples >= 0 && opts->samples <= d->n, NULL, "is %lld of %lld",
                   (long long)opts->samples, (long long)d->n);
        IB_TAKE_OR(opts->shift, opts->shift >= 0 && isfinite(opts->shift), NULL, "is %g", opts->shift);
        IB_TAKE_OR(opts->rotate, opts->rotate >= 0 && opts->rotate <= 360, NULL, "is %g", opts->rotate);
    }
    if (info) {
        IB_TAKE_OR(info->mean, isfinite(info->mean), NULL, "is %g", info->mean);
        IB_TAKE_OR(info->std, info->std >= 0 && isfinite(info->std), NULL, "is %g", info->std);
    }
    ib_loader *l = ib_alloc(sizeof *l);
    if (!l)
        return NULL;
    l->d = ib_dataset_hold(d);
    l->n = d->n;
    l->process = getpid();
    l->opts = opts ? *opts : (ib_loader_opts){0};
    l->opts.batch = l->opts.batch ? l->opts.batch : 64;
    l->mean = info && info->std > 0 ? info->mean : 0.0f;
    l->std = info && info->std > 0 ? info->std : 1.0f;
    l->order_epoch = l->want_index = l->slot[0].index = l->slot[1].index = -1;
    l->shown = l->opts.samples ? l->opts.samples : d->n;
    if (l->opts.batch > l->shown)
        l->opts.batch = (int)l->shown;
    l->batches = l->opts.drop_last ? l->shown / l->opts.batch : (l->shown + l->opts.batch - 1) / l->opts.batch;
    const size_t values = (size_t)l->opts.batch * (size_t)(d->c * d->h * d->w);
    const int augmented = l->opts.shift > 0 || l->opts.rotate > 0 || l->opts.flip;
    int failed = !(l->order = ib_alloc((size_t)d->n * sizeof *l->order)) ||
                 (augmented && !d->x && !(l->plain = ib_alloc(values * sizeof(float))));
    for (int i = 0; i < 2 && !failed; i++)
        failed = !(l->slot[i].x = ib_alloc(values * sizeof(float))) ||
                 (d->y && !(l->slot[i].y = ib_alloc((size_t)l->opts.batch * sizeof(int32_t)))) ||
                 (d->targets &&
                  !(l->slot[i].targets = ib_alloc((size_t)l->opts.batch * (size_t)d->n_targets * sizeof(float))));
    if (failed) {
        ib_loader_free(l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->threaded = !pthread_create(&l->thread, NULL, work, l); /* without it, batches are made when asked for */
    return l;
}

void ib_loader_free(ib_loader *l)
{
    if (!l)
        return;
    if (l->threaded && l->process == getpid()) {
        pthread_mutex_lock(&l->lock);
        l->stop = 1;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    for (int i = 0; i < 2; i++) {
        ib_free(l->slot[i].x);
        ib_free(l->slot[i].y);
        ib_free(l->slot[i].targets);
    }
    ib_free(l->plain);
    ib_free(l->order);
    ib_dataset_free(l->d);
    ib_free(l);
}

int64_t ib_loader_batches(const ib_loader *l)
{
    IB_NEED_OR(l, 0);
    return l->batches;
}

const ib_dataset *ib_loader_data(const ib_loader *l)
{
    return l->d;
}

int64_t ib_loader_samples(const ib_loader *l)
{
    const int64_t full = l->batches * l->opts.batch;
    return full < l->shown ? full : l->shown;
}

ib_status ib_loader_start(ib_loader *l, int64_t epoch, int64_t first)
{
    IB_NEED(l);
    l->next = l->batches; /* no batch comes of a start that failed */
    IB_TAKE(epoch, epoch >= 0, "is %lld", (long long)epoch);
    IB_TAKE(first, first >= 0 && first <= l->batches, "is %lld: an epoch has %lld batches", (long long)first,
            (long long)l->batches);
    l->epoch = epoch;
    l->next = first;
    return IB_OK;
}

ib_status ib_loader_status(const ib_loader *l)
{
    IB_NEED(l);
    return l->failed ? ib_fail(l->failed->status, "%s", l->failed->message) : IB_OK;
}

/* In a child process the thread, and what it was doing, is gone. */
static void adopt(ib_loader *l)
{
    if (!l->threaded || l->process == getpid())
        return;
    l->threaded = 0;
    l->order_epoch = l->slot[0].index = l->slot[1].index = -1;
}

/* Waits until the thread is idle. */
static void settle(ib_loader *l)
{
    while (l->threaded && l->want_index >= 0)
        pthread_cond_wait(&l->changed, &l->lock);
}

int ib_loader_next(ib_loader *l, ib_batch *out)
{
    IB_NEED_OR(l, 0);
    IB_NEED_OR(out, 0);
    adopt(l);
    l->failed = NULL;
    if (l->next >= l->batches)
        return 0;
    const int at = (int)(l->next & 1);
    struct slot *s = &l->slot[at];
    if (l->threaded)
        pthread_mutex_lock(&l->lock);
    settle(l);
    if (s->index != l->next || s->epoch != l->epoch)
        prepare(l, s, l->epoch, l->next);
    if (l->threaded && !s->status && l->next + 1 < l->batches) {
        l->want_epoch = l->epoch;
        l->want_index = l->next + 1;
        l->want_slot = 1 - at;
        pthread_cond_broadcast(&l->changed);
    }
    if (l->threaded)
        pthread_mutex_unlock(&l->lock);
    if (s->status) { /* tried again if it is asked for again */
        s->index = -1;
        l->failed = s;
        ib_loader_status(l);
        return 0;
    }
    *out = (ib_batch){s->n, s->x, s->y, {s->n, l->d->c, l->d->h, l->d->w}, l->next, s->targets, l->d->n_targets};
    l->next++;
    return 1;
}
