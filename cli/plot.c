/* plot.c - pictures through a gnuplot that is fed by a pipe; a plain message where there is none. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int ends(const char *path, const char *ending)
{
    const size_t n = strlen(path), k = strlen(ending);
    return n > k && !strcmp(path + n - k, ending);
}

int refuse_picture(const char *option, const char *path)
{
    if (!path)
        return 0;
    if (strcmp(path, "-") && !ends(path, ".svg") && !ends(path, ".png"))
        return fprintf(stderr, "isobit: %s '%s': pictures are .svg or .png, or - for the terminal\n", option, path) > 0;
    if (strpbrk(path, "\"\\\n")) /* it stands in a text of gnuplot's */
        return fprintf(stderr, "isobit: %s '%s': has a quote or backslash, which gnuplot does not take\n", option, path) > 0;
    if (system("command -v gnuplot >/dev/null 2>&1"))
        return fprintf(stderr, "isobit: %s needs gnuplot, which is not installed (apt-get install gnuplot-nox)\n", option) > 0;
    return refuse_nowhere(option, path);
}

static FILE *open_gnuplot(const char *path)
{
    FILE *p = popen("gnuplot", "w");
    if (!p)
        fprintf(stderr, "isobit: gnuplot cannot be started: %m\n");
    else if (!strcmp(path, "-"))
        fprintf(p, "set terminal dumb 100 28\n");
    else
        fprintf(p, "set terminal %s size 900,540\nset output \"%s\"\n", ends(path, ".png") ? "png" : "svg background 'white'", path);
    return p;
}

static int close_gnuplot(FILE *p, const char *path)
{
    if (pclose(p)) {
        fprintf(stderr, "isobit: %s: gnuplot failed\n", path);
        return 1;
    }
    return 0;
}

int plot_curves(const char *path, const float *h, int64_t n)
{
    FILE *p = open_gnuplot(path);
    if (!p)
        return 1;
    fprintf(p, "set title 'training'\nset xlabel 'epoch'\nset ylabel 'loss'\nset y2label 'accuracy, %%'\nset ytics nomirror\nset y2tics\nset key center right\n"
               "plot '-' using 1:2 with linespoints title 'training loss', '-' using 1:2 axes x1y2 with linespoints title 'test accuracy'\n");
    for (int column = 1; column <= 2; column++) {
        for (int64_t i = 0; i < n; i++)
            fprintf(p, "%g %g\n", h[i * IB_HISTORY], column == 2 ? 100 * h[i * IB_HISTORY + 2] : h[i * IB_HISTORY + 1]);
        fprintf(p, "e\n");
    }
    return close_gnuplot(p, path);
}

int plot_histogram(const char *path, const char *title, const float *x, int64_t n)
{
    enum { BINS = 80 };
    int64_t count[BINS] = {0};
    float lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    const float width = hi > lo ? (hi - lo) / BINS : 1;
    for (int64_t i = 0; i < n; i++) {
        const int b = (int)((x[i] - lo) / width);
        count[b < BINS ? b : BINS - 1]++;
    }
    FILE *p = open_gnuplot(path);
    if (!p)
        return 1;
    fprintf(p, "set title \"%s\" noenhanced\nset style fill solid 0.5\nset ylabel 'values'\nplot '-' using 1:2 with boxes notitle\n", title);
    for (int b = 0; b < BINS; b++)
        fprintf(p, "%g %lld\n", lo + (b + 0.5f) * width, (long long)count[b]);
    fprintf(p, "e\n");
    return close_gnuplot(p, path);
}
