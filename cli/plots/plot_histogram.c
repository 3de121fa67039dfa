/* plot_histogram.c - how values lie between the codes that they become. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plots/plot.h"

enum { BINS = 80, MOST_BINS = 2048, MOST_LINES = 32 };

/* Bars of equal width from lo; with levels so that codes are whole numbers of bars. */
typedef struct bars {
    double lo, width;
    int n;
    int64_t count[MOST_BINS], most;
} bars;

static void count(bars *b, const float *x, int64_t n, const levels *l)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    if (l) { /* a code stands for the values within half a step of it */
        const double first = l->step * (l->least - l->zero - 0.5), last = l->step * (l->most - l->zero + 0.5);
        const int each = l->most - l->least < 64 ? 8 : 1,
                  before = lo < first ? (int)fmin(ceil((first - lo) / l->step), 256) : 0,
                  behind = hi > last ? (int)fmin(ceil((hi - last) / l->step), 256) : 0;
        b->lo = first - before * l->step;
        b->width = l->step / each;
        b->n = (before + l->most - l->least + 1 + behind) * each;
        b->n = b->n < MOST_BINS ? b->n : MOST_BINS;
    } else {
        b->lo = lo;
        b->width = hi > lo ? (hi - lo) / BINS : 1;
        b->n = BINS;
    }
    for (int64_t i = 0; i < n; i++) { /* what is far outside is in the bars at the ends */
        const double at = floor((x[i] - b->lo) / b->width);
        int64_t *bar = &b->count[at < 0 ? 0 : at < b->n ? (int)at : b->n - 1];
        ++*bar;
        b->most = *bar > b->most ? *bar : b->most;
    }
}

int plot_histogram(const char *path, const char *title, const char *unit, const float *x, int64_t n, const levels *l)
{
    const double first = l ? l->step * (l->least - l->zero - 0.5) : 0,
                 last = l ? l->step * (l->most - l->zero + 0.5) : 0;
    char text[400];
    int64_t clipped = 0;
    bars *b = calloc(1, sizeof *b);
    if (!b)
        return fprintf(stderr, "isobit: out of memory\n") > 0;
    count(b, x, n, l);
    for (int64_t i = 0; l && i < n; i++)
        clipped += x[i] < first || x[i] > last;
    FILE *p = plot_open(path);
    if (!p) {
        free(b);
        return 1;
    }
    if (l)
        snprintf(text, sizeof text, "%s: %d levels, %.3g %% of %lld values clipped", title, l->most - l->least + 1,
                 100 * (double)clipped / (double)n, (long long)n);
    else
        snprintf(text, sizeof text, "%s: %lld values", title, (long long)n);
    fprintf(p, "set title ");
    plot_text(p, text);
    fprintf(p, "\nset xlabel ");
    plot_text(p, unit);
    const int steep = b->most > n / 4; /* one bar would hide the others */
    fprintf(p, "\nset ylabel '%s'\nset boxwidth %g\nset xrange [%g:%g]\n%sset key outside top center horizontal\n",
            steep ? "values (logarithmic)" : "values", b->width, b->lo, b->lo + b->n * b->width,
            steep ? "set logscale y\nset yrange [0.5:*]\n" : "");
    for (int c = 0; l && l->most - l->least < MOST_LINES && c <= l->most - l->least; c++) {
        const double at = l->step * (l->least + c - l->zero);
        fprintf(p, "set arrow from %g, graph 0 to %g, graph 1 nohead linecolor rgb '" PLOT_BLACK "' dashtype 3\n", at,
                at);
    }
    for (int end = 0; l && end < 2; end++)
        fprintf(p, "set arrow from %g, graph 0 to %g, graph 1 nohead linewidth 2 linecolor rgb '" PLOT_BLACK "'\n",
                end ? last : first, end ? last : first);
    fprintf(p, "$bars << END\n");
    for (int i = 0; i < b->n; i++)
        fprintf(p, "%g %lld\n", b->lo + (i + 0.5) * b->width, (long long)b->count[i]);
    fprintf(p, "END\n");
    if (l)
        fprintf(p,
                "plot $bars using 1:($1 > %.9g && $1 < %.9g ? $2 : 1/0) with boxes linecolor rgb '" PLOT_BLUE
                "' title 'within the codes', "
                "$bars using 1:($1 > %.9g && $1 < %.9g ? 1/0 : $2) with boxes linecolor rgb '" PLOT_VERMILLION
                "' title 'clipped', "
                "1/0 with lines linewidth 2 linecolor rgb '" PLOT_BLACK "' title 'range'%s\n",
                first, last, first, last,
                l->most - l->least < MOST_LINES ? ", 1/0 with lines dashtype 3 linecolor rgb '" PLOT_BLACK
                                                  "' title 'levels'"
                                                : "");
    else
        fprintf(p, "plot $bars using 1:2 with boxes linecolor rgb '" PLOT_BLUE "' notitle\n");
    free(b);
    return plot_close(p, path);
}
