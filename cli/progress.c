/* progress.c - a bar with rate and time left on a terminal; Ctrl-C. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, const char *what, int64_t first)
{
    *p = (progress){what, seconds(), 0, first, isatty(STDERR_FILENO)};
}

void progress_show(progress *p, int64_t done, int64_t total, const char *text)
{
    const double now = seconds(), elapsed = now - p->start;
    if (!p->on || total < 1 || (now - p->shown < 0.1 && done < total))
        return;
    const double rate = elapsed > 0 ? (double)(done - p->first) / elapsed : 0;
    const int left = rate > 0 ? (int)((double)(total - done) / rate) : 0, filled = (int)(24 * done / total);
    char bar[25];
    memset(bar, '.', 24);
    memset(bar, '#', (size_t)filled);
    bar[24] = 0;
    p->shown = now;
    fprintf(stderr, "\r\033[K%s [%s] %lld/%lld  %.0f/s  %d:%02d left  %s", p->what, bar, (long long)done, (long long)total, rate, left / 60,
            left % 60, text ? text : "");
}

void progress_end(progress *p)
{
    if (p->on)
        fprintf(stderr, "\r\033[K");
}

FILE *report_stream(const common *o)
{
    return o->json ? stderr : stdout;
}

volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    if (interrupted) /* a second Ctrl-C ends at once */
        _exit(128 + signal_number);
    interrupted = signal_number;
}

void catch_interrupt(void)
{
    struct sigaction a = {0};
    a.sa_handler = on_signal;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}
