/* plot_confusion.c - which class is taken for which: a square for each pair, darker the larger its share of the label's
 * samples. From white to one dark blue, lightness alone tells, which eyes of all kinds see, and grey prints keep. */
#include <stdlib.h>

#include "cli/answers/answers.h"
#include "cli/plots/plot.h"

enum { NAMED = 40, COUNTED = 20 }; /* classes whose names stand at the axes; whose counts stand in the squares */

static void axes(FILE *p, const answers *a)
{
    char buf[24];
    fprintf(p,
            "set title 'answers, by label (%lld samples, accuracy %.2f %%)'\nset xlabel 'answer'\nset ylabel 'label'\n"
            "set cblabel \"share of the label's samples\"\nset size ratio 1\nunset grid\nunset key\nset cbrange [0:1]\n"
            "set palette defined (0 '#ffffff', 1 '#08306b')\nset xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\n",
            (long long)a->n, 100 * answers_accuracy(a), a->classes - 1, a->classes - 1);
    for (int axis = 0; axis < 2 && a->classes <= NAMED; axis++) {
        fprintf(p, axis ? "set ytics scale 0 (" : "set xtics scale 0 rotate by 45 right (");
        for (int k = 0; k < a->classes; k++) {
            fputs(k ? ", " : "", p);
            plot_text(p, class_text(a->schema, k, buf));
            fprintf(p, " %d", k);
        }
        fputs(")\n", p);
    }
}

int plot_confusion(const char *path, const answers *a)
{
    int64_t *count = confusion_count(a);
    FILE *p = count ? plot_open(path) : NULL;
    if (p) {
        axes(p, a);
        const int k = a->classes, counted = k <= COUNTED;
        fprintf(p, "$shares << END\n");
        for (int i = 0; i < k * k; i++) {
            const int64_t n = count[i], of = a->samples[i / k];
            fprintf(p, "%d %d %g %lld\n", i % k, i / k, of ? (double)n / (double)of : 0, (long long)n);
        }
        fprintf(p, "END\nplot $shares using 1:2:3 with image pixels");
        if (counted)
            fprintf(p, ", $shares using 1:2:($4 > 0 ? sprintf('%%d', $4) : ''):($3 > 0.5 ? 0xffffff : 0) with labels "
                       "textcolor rgb variable");
        fprintf(p, "\n");
    }
    free(count);
    return p ? plot_close(p, path) : 1;
}
