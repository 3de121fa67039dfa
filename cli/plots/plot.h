/* plot.h - pictures through a gnuplot that is fed by a pipe. Their colours can be told apart by eyes of all kinds: M.
 * Okabe and K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/. */
#ifndef IB_CLI_PLOTS_PLOT_H
#define IB_CLI_PLOTS_PLOT_H

#include <isobit/isobit.h>
#include <stdio.h>

#define PLOT_BLUE "#0072B2"
#define PLOT_VERMILLION "#D55E00"
#define PLOT_GREEN "#009E73"
#define PLOT_PURPLE "#CC79A7"
#define PLOT_ORANGE "#E69F00"
#define PLOT_SKY "#56B4E9"
#define PLOT_BLACK "#000000"

/* 1 after telling that there will be no picture: `path` ends in .svg or .png, or is "-" for the terminal, and gnuplot
 * is there. To be asked first; NULL: none is wanted. */
int refuse_picture(const char *option, const char *path);
/* A pipe, or NULL after telling. */
FILE *plot_open(const char *path);
/* 0, or 1 after telling. */
int plot_close(FILE *p, const char *path);
/* Text within single quotes of gnuplot. */
void plot_text(FILE *p, const char *text);

/* What one training left behind. */
typedef struct run {
    const char *name;
    const ib_checkpoint *c;
} run;
enum { PLOT_RUNS = 7 }; /* as many as there are colours */
/* Loss and accuracy (R^2 where numbers are learned) of up to PLOT_RUNS runs over their epochs, in training and in test,
 * and where quantization began; 0, or 1 after telling. */
int plot_curves(const char *path, const run *runs, int n);

/* What values become: codes from least to most, real = step * (code - zero). */
typedef struct levels {
    double step;
    int zero, least, most;
} levels;
/* Histogram of n values, with the range of their codes and what lies outside (levels NULL: none); `unit` is under
 * the axis. */
int plot_histogram(const char *path, const char *title, const char *unit, const float *x, int64_t n, const levels *l);

#endif
