/* bench_turns.c - isobit bench: things are timed in turns, so that what slows the machine down slows all of them. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *v, int64_t n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n & 1 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

double bench_median(const double *v, int64_t n)
{
    double copy[MOST_REPEATS];
    memcpy(copy, v, (size_t)n * sizeof *v);
    return middle(copy, n);
}

double bench_paired(const double *a, const double *b, int64_t n)
{
    double ratio[MOST_REPEATS];
    for (int64_t i = 0; i < n; i++)
        ratio[i] = a[i] / b[i];
    return middle(ratio, n);
}

int take_turns(const turns *t, double *out)
{
    enum { WARM = 3 };
    int64_t *inner = malloc((size_t)t->n * sizeof *inner);
    int failed = !inner ? fprintf(stderr, "isobit: out of memory\n") > 0 : 0;
    progress p;
    progress_start(&p, t->what, 0);
    for (int i = 0; i < t->n && !failed; i++) {
        double once = 0, all = 0;
        for (int j = 0; j < WARM && all < 0.5 && !failed; j++) {
            once = seconds();
            failed = t->run(t->user, i) && complain();
            once = seconds() - once;
            all += once;
        }
        inner[i] = once >= t->least ? 1 : (int64_t)(t->least / (once > 1e-7 ? once : 1e-7)) + 1;
    }
    for (int64_t r = 0; r < t->repeats && !failed; r++)
        for (int i = 0; i < t->n && !failed; i++) {
            const double start = seconds();
            for (int64_t j = 0; j < inner[i] && !failed; j++)
                failed = t->run(t->user, i) && complain();
            out[i * t->repeats + r] = (seconds() - start) / (double)inner[i];
            progress_show(&p, r * t->n + i + 1, t->repeats * t->n, "");
        }
    progress_end(&p);
    free(inner);
    return failed;
}
