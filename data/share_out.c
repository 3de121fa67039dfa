/* share_out.c - see share_out.h. Threads of the moment: a child process after fork() needs none of its parent's. */
#include "data/share_out.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/number.h"

#include <isobit/device.h>

#include "base/error.h"

enum { MOST_THREADS = 64 };

typedef struct work {
    ib_piece *piece;
    void *context;
    atomic_int_fast64_t next;
    pthread_mutex_t lock;
    int64_t n; /* pieces from here on are not begun: the end, or the first failure */
    ib_status status;
    char message[512]; /* error.c */
} work;

/* Pieces are begun in their order, so all below a failure are done by somebody. */
static void *do_pieces(void *arg)
{
    work *w = arg;
    for (;;) {
        const int64_t i = atomic_fetch_add(&w->next, 1);
        pthread_mutex_lock(&w->lock);
        const int over = i >= w->n;
        pthread_mutex_unlock(&w->lock);
        if (over)
            return NULL;
        const ib_status status = w->piece(w->context, i);
        if (!status)
            continue;
        pthread_mutex_lock(&w->lock);
        if (i < w->n) {
            w->n = i;
            w->status = status;
            ib_snprintf(w->message, sizeof w->message, "%s", ib_error());
        }
        pthread_mutex_unlock(&w->lock);
    }
}

ib_status ib_share_out(int64_t n, ib_piece *piece, void *context)
{
    work w = {.piece = piece, .context = context, .n = n};
    pthread_t threads[MOST_THREADS];
    int started = 0, wanted = ib_threads() < MOST_THREADS ? ib_threads() : MOST_THREADS;
    wanted = wanted < n ? wanted : (int)n;
    pthread_mutex_init(&w.lock, NULL);
    while (started < wanted - 1 && !pthread_create(&threads[started], NULL, do_pieces, &w))
        started++;
    do_pieces(&w); /* the caller is one of them, and all of them if there can be no other */
    while (started > 0)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&w.lock);
    return w.status ? ib_fail(w.status, "%s", w.message) : IB_OK;
}
