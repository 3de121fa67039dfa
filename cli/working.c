/* working.c - work that does not say how far it is: a thread shows on a terminal for how long it goes on. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static struct {
    const char *what, *file;
    double start;
    int on, over, drawn;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void *show(void *unused)
{
    (void)unused;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    pthread_mutex_lock(&work.lock);
    while (!work.over) {
        until.tv_sec++;
        while (!work.over && pthread_cond_timedwait(&work.change, &work.lock, &until) != ETIMEDOUT)
            ;
        if (!work.over) {
            const int s = (int)(seconds() - work.start);
            fprintf(stderr, "\r\033[K%s %s  %d:%02d", work.what, work.file, s / 60, s % 60);
            work.drawn = 1;
        }
    }
    pthread_mutex_unlock(&work.lock);
    return NULL;
}

void working_start(const char *what, const char *file)
{
    sigset_t all, before;
    if (work.on || !isatty(STDERR_FILENO))
        return;
    work.what = what;
    work.file = file;
    work.start = seconds();
    work.over = work.drawn = 0;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    work.on = !pthread_create(&work.thread, NULL, show, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void working_end(void)
{
    if (!work.on)
        return;
    pthread_mutex_lock(&work.lock);
    work.over = 1;
    pthread_cond_signal(&work.change);
    pthread_mutex_unlock(&work.lock);
    pthread_join(work.thread, NULL);
    work.on = 0;
    if (work.drawn)
        fprintf(stderr, "\r\033[K");
}
