/* plot_curves.c - what checkpoints remember of their training. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plots/plot.h"

enum { TRAIN_LOSS, TEST_LOSS, TRAIN_ACCURACY, TEST_ACCURACY, N_CURVES };
static const char *const curve_name[] = {"training", "test", "training", "test"};

/* The word behind " key=" in the settings, or "". */
static void setting(const ib_checkpoint *c, const char *key, char *word, size_t size)
{
    const size_t n = strlen(key);
    const char *at = c->notes;
    while ((at = strstr(at, key)) && (at[n] != '=' || (at > c->notes && at[-1] != ' ')))
        at += n;
    snprintf(word, size, "%.*s", at ? (int)strcspn(at + n + 1, " ") : 0, at ? at + n + 1 : "");
}

/* A training whose score is R^2; else it is an accuracy, here in percent. */
static int learns_numbers(const ib_checkpoint *c)
{
    char task[32];
    setting(c, "task", task, sizeof task);
    return !strcmp(task, "regression");
}

/* NAN where an older checkpoint does not hold it */
static double value(const ib_checkpoint *c, int64_t epoch, int curve)
{
    const float *h = c->history + epoch * IB_HISTORY, *m = c->measures ? c->measures + epoch * IB_MEASURES : NULL;
    const double unit = learns_numbers(c) ? 1 : 100;
    switch (curve) {
    case TRAIN_LOSS: return h[1];
    case TEST_ACCURACY: return unit * (double)h[2];
    case TEST_LOSS: return m ? m[1] : NAN;
    default: return m ? unit * (double)m[0] : NAN;
    }
}

static int is_known(const ib_checkpoint *c, int curve)
{
    int known = 0;
    for (int64_t i = 0; i < c->n_history; i++)
        known |= isfinite(value(c, i, curve));
    return known;
}

/* Epochs before the first quantized one; 0 where there is no change to see. */
static long long float_epochs(const ib_checkpoint *c)
{
    char word[64];
    setting(c, "qat", word, sizeof word);
    if (!*word || !strcmp(word, "none"))
        return 0;
    setting(c, "from", word, sizeof word);
    const long long n = atoll(word);
    return n > 0 && n < c->n_history ? n : 0;
}

static void write_title(FILE *p, const run *runs, int n)
{
    const ib_checkpoint *c = runs->c;
    char text[400], data[200], bits[32];
    if (n > 1) {
        snprintf(text, sizeof text, "%d trainings", n);
    } else {
        setting(c, "data", data, sizeof data);
        setting(c, "qat", bits, sizeof bits);
        snprintf(text, sizeof text, "%s%s%s%s%s", *c->model ? c->model : runs->name,
                 *bits && strcmp(bits, "none") ? " in " : "", strcmp(bits, "none") ? bits : "", *data ? " on " : "",
                 data);
    }
    plot_text(p, text);
}

static void panel(FILE *p, const run *runs, int n, int curve)
{
    static const char *const colours[PLOT_RUNS] = {PLOT_BLUE,   PLOT_VERMILLION, PLOT_GREEN, PLOT_PURPLE,
                                                   PLOT_ORANGE, PLOT_SKY,        PLOT_BLACK};
    int lines = 0, marks = 0;
    fprintf(p, "unset arrow\n");
    for (int r = 0; r < n; r++)
        if (float_epochs(runs[r].c)) {
            const double x = (double)float_epochs(runs[r].c) + 0.5;
            fprintf(p, "set arrow from %g, graph 0 to %g, graph 1 nohead dashtype 3 linewidth 2 linecolor rgb '%s'\n",
                    x, x, n > 1 ? colours[r] : PLOT_BLACK);
            marks++;
        }
    fprintf(p, "plot ");
    for (int r = 0; r < n; r++)
        for (int k = curve; k < curve + 2; k++) {
            const int training = k == curve;
            char title[300];
            if (!is_known(runs[r].c, k))
                continue;
            snprintf(title, sizeof title, "%s%s%s", n > 1 ? runs[r].name : "", n > 1 ? ", " : "", curve_name[k]);
            fprintf(p,
                    "%s$run%d using 1:%d with linespoints linewidth 2 dashtype %d pointtype %d pointsize 0.6 linecolor "
                    "rgb '%s' title ",
                    lines++ ? ", " : "", r, k + 2, training ? 2 : 1, 2 * r + 6 + training,
                    colours[n > 1 ? r : training]);
            plot_text(p, title);
        }
    if (marks)
        fprintf(p,
                ", 1/0 with lines dashtype 3 linewidth 2 linecolor rgb '" PLOT_BLACK "' title 'quantization begins'");
    fprintf(p, "\n");
}

int plot_curves(const char *path, const run *runs, int n)
{
    int64_t epochs = 0;
    for (int r = 0; r < n; r++) {
        if (!runs[r].c->n_history)
            return fprintf(stderr, "isobit: %s: holds no finished epoch to draw\n", runs[r].name) > 0;
        if (learns_numbers(runs[r].c) != learns_numbers(runs[0].c))
            return fprintf(stderr,
                           "isobit: %s learns %s, %s does not: R^2 and accuracy have no axis in common; draw them "
                           "one by one\n",
                           runs[0].name, learns_numbers(runs[0].c) ? "numbers" : "classes", runs[r].name) > 0;
        epochs = runs[r].c->n_history > epochs ? runs[r].c->n_history : epochs;
    }
    FILE *p = plot_open(path);
    if (!p)
        return 1;
    for (int r = 0; r < n; r++) {
        fprintf(p, "$run%d << END\n", r);
        for (int64_t i = 0; i < runs[r].c->n_history; i++) {
            fprintf(p, "%g", runs[r].c->history[i * IB_HISTORY]);
            for (int k = 0; k < N_CURVES; k++)
                fprintf(p, " %g", value(runs[r].c, i, k));
            fprintf(p, "\n");
        }
        fprintf(p, "END\n");
    }
    fprintf(p, "set multiplot layout 2,1 title ");
    write_title(p, runs, n);
    fprintf(p, "\nset xrange [%g:%lld]\nset xtics %lld\nset ylabel 'loss'\nset key %s\n", epochs > 1 ? 1.0 : 0.5,
            epochs > 1 ? (long long)epochs : 2, (long long)((epochs + 9) / 10),
            n > 1 ? "outside right top" : "right top");
    panel(p, runs, n, TRAIN_LOSS);
    fprintf(p, "set xlabel 'epoch'\nset ylabel '%s'\nset key %s\n", learns_numbers(runs->c) ? "R^2" : "accuracy, %",
            n > 1 ? "outside right top" : "right bottom");
    panel(p, runs, n, TRAIN_ACCURACY);
    fprintf(p, "unset multiplot\n");
    return plot_close(p, path);
}
