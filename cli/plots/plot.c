/* plot.c - see plot.h */
#include "cli/plots/plot.h"

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
    if (strchr(path, '\n')) /* it stands in a line of gnuplot's */
        return fprintf(stderr, "isobit: %s '%s': has a line break, which gnuplot does not take\n", option, path) > 0;
    if (system("command -v gnuplot >/dev/null 2>&1"))
        return fprintf(stderr, "isobit: %s needs gnuplot, which is not installed (apt-get install gnuplot-nox)\n",
                       option) > 0;
    return refuse_nowhere(option, path);
}

FILE *plot_open(const char *path)
{
    FILE *p = popen("gnuplot", "w");
    if (!p)
        return fprintf(stderr, "isobit: gnuplot cannot be started: %m\n"), NULL;
    if (!strcmp(path, "-")) {
        fprintf(p, "set terminal dumb 100 36\n");
    } else {
        fprintf(p, ends(path, ".png") ? "set terminal png size 900,640\n" /* without Cairo */
                                        "if (strstrt(GPVAL_TERMINALS, 'pngcairo')) set terminal pngcairo size 900,640\n"
                                      : "set terminal svg size 900,640 background 'white'\n");
        fprintf(p, "set output ");
        plot_text(p, path);
        fputc('\n', p);
    }
    fprintf(p, "set datafile missing 'nan'\nset termoption noenhanced\nset border 3\nset tics nomirror\nset grid "
               "linetype 1 linecolor rgb '#dddddd'\nset style fill solid 1\n");
    return p;
}

int plot_close(FILE *p, const char *path)
{
    const int status = pclose(p);
    return status ? fprintf(stderr, "isobit: %s: gnuplot failed\n", path) > 0 : 0;
}

void plot_text(FILE *p, const char *text)
{
    fputc('\'', p);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', p);
        fputc(*text == '\n' ? ' ' : *text, p);
    }
    fputc('\'', p);
}
