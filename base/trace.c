/* trace.c - see trace.h */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/number.h"
#include "base/trace.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static FILE *lines; /* written in open_lines alone; NULL: no trace */

static void open_lines(void)
{
    const char *to = getenv("ISOBIT_TRACE");
    if (!to || !*to || !strcmp(to, "0"))
        return;
    lines = strcmp(to, "1") ? fopen(to, "w") : stderr;
    if (!lines) {
        lines = stderr;
        fprintf(lines, "ISOBIT_TRACE: %s: %s: the trace follows here\n", to, strerror(errno));
    } else if (lines != stderr) {
        setvbuf(lines, NULL, _IOLBF, BUFSIZ); /* what crashes has told its last line */
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec + 1e-9;
}

double ib_trace_begin(void)
{
    pthread_once(&once, open_lines);
    return lines ? now() : 0;
}

void ib_trace_end(const ib_trace_line *l)
{
    char text[768], layer[128];
    const double ms = 1e3 * (now() - l->began);
    ib_snprintf(layer, sizeof layer, "%s", l->layer && *l->layer ? l->layer : "-");
    for (char *c = layer; *c; c++)
        *c = (unsigned char)*c < ' ' ? ' ' : *c; /* a line stays one */
    ib_snprintf(text, sizeof text, "%-8s %-18s %-24s %s  %llu bytes  %.3f ms  %08x\n", l->what, l->op, layer, l->shapes,
                (unsigned long long)l->bytes, ms, (unsigned)l->sum);
    fputs(text, lines); /* one call a line, so that lines of several threads do not mix */
}

void ib_trace_note(const char *line)
{
    char text[768];
    pthread_once(&once, open_lines);
    ib_snprintf(text, sizeof text, "%s\n", line);
    fputs(text, lines ? lines : stderr);
}

uint32_t ib_trace_sum(uint32_t sum, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(sum, bytes, n);
}
