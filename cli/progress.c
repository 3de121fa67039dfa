/* progress.c - how far work is, with rate and time left; Ctrl-C. */
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
    *p = (progress){.what = what, .start = seconds(), .first = first, .on = isatty(STDERR_FILENO)};
}

static void put(progress *p, int64_t done, int64_t total, const char *text)
{
    const double now = seconds(), elapsed = now - p->start;
    const double rate = elapsed > 0 ? (double)(done - p->first) / elapsed : 0;
    const int left = rate > 0 ? (int)((double)(total - done) / rate) : 0, filled = (int)(24 * done / total);
    char bar[] = "[........................] ";
    memset(bar + 1, '#', (size_t)filled);
    p->shown = now;
    fprintf(stderr, "%s%s %s%lld/%lld  %.*f/s  %d:%02d left  %s", p->on ? "\r\033[K" : "", p->what, p->on ? bar : "",
            (long long)done, (long long)total, rate < 10 ? 2 : 0, rate, left / 60, left % 60, text ? text : "");
}

void progress_show(progress *p, int64_t done, int64_t total, const char *text)
{
    const double now = seconds();
    if (total < 1 || now - p->start < 1 || (p->on && now - p->shown < 0.1 && done < total))
        return;
    if (p->on) {
        put(p, done, total, text);
        p->drawn = 1;
    } else if (p->every > 0 && now - (p->shown > 0 ? p->shown : p->start) > p->every) {
        progress_line(p, done, total, text);
    }
}

void progress_line(progress *p, int64_t done, int64_t total, const char *text)
{
    if (total < 1)
        return;
    put(p, done, total, text);
    fputc('\n', stderr);
    p->drawn = 0;
}

void progress_end(progress *p)
{
    if (p->drawn)
        fprintf(stderr, "\r\033[K");
    p->drawn = 0;
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

void release_interrupt(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (interrupted) /* it came after the last look */
        raise(interrupted);
}
