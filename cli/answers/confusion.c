/* confusion.c - which class is taken for which: a table, the most frequent confusions, JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/answers/answers.h"

/* Columns where there is no terminal; of a name; confusions in a list. */
enum { ELSEWHERE = 100, NAME = 24, PAIRS = 20 };

int refuse_confusion(const answers *a)
{
    if (a->classes <= CONFUSION_CLASSES)
        return 0;
    return fprintf(stderr,
                   "isobit: --confusion: %d classes: a matrix has up to %d; "
                   "without --json and -o the most frequent confusions are listed\n",
                   a->classes, CONFUSION_CLASSES) > 0;
}

int64_t *confusion_count(const answers *a)
{
    int64_t *count = calloc((size_t)a->classes * (size_t)a->classes, sizeof *count);
    for (int64_t i = 0; count && i < a->n; i++)
        count[(int64_t)a->truth[i] * a->classes + a->predicted[i]]++;
    if (!count)
        fprintf(stderr, "isobit: out of memory for a matrix of %d classes\n", a->classes);
    return count;
}

static int columns_here(void)
{
    struct winsize w;
    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col ? w.ws_col : ELSEWHERE;
}

static int longest_name(const answers *a, int most)
{
    char buf[24];
    int width = 0;
    for (int k = 0; k < a->classes && width < most; k++) {
        const int w = cell_width(class_text(a->schema, k, buf));
        width = w > width ? w : width;
    }
    return width < most ? width : most;
}

/* A row a label, a column an answer. */
static void print_matrix(const answers *a, const int64_t *count, int label, int cell)
{
    char buf[32];
    printf("%-*s  answer\n", label, "label");
    print_cell("", label, 0);
    for (int k = 0; k < a->classes; k++) {
        putchar(' ');
        print_cell(class_text(a->schema, k, buf), cell, cell >= cell_width(class_text(a->schema, k, buf)));
    }
    printf("\n");
    for (int i = 0; i < a->classes; i++) {
        print_cell(class_text(a->schema, i, buf), label, 0);
        for (int k = 0; k < a->classes; k++) {
            const int64_t n = count[(int64_t)i * a->classes + k];
            snprintf(buf, sizeof buf, "%lld", (long long)n);
            printf(" %*s", cell, n ? buf : ".");
        }
        printf("\n");
    }
}

typedef struct confusion {
    int32_t truth, predicted;
    int64_t samples;
} confusion;

static int by_classes(const void *a, const void *b)
{
    const confusion *x = a, *y = b;
    if (x->truth != y->truth)
        return x->truth < y->truth ? -1 : 1;
    return x->predicted < y->predicted ? -1 : x->predicted > y->predicted;
}

static int by_samples(const void *a, const void *b)
{
    const confusion *x = a, *y = b;
    if (x->samples != y->samples)
        return x->samples > y->samples ? -1 : 1;
    return by_classes(a, b);
}

/* Wrong answers by pair of classes, most frequent first. */
static confusion *find_confusions(const answers *a, int64_t *n)
{
    confusion *c = malloc((size_t)(a->n - a->right + 1) * sizeof *c);
    int64_t wrong = 0;
    *n = 0;
    for (int64_t i = 0; c && i < a->n; i++)
        if (a->truth[i] != a->predicted[i])
            c[wrong++] = (confusion){a->truth[i], a->predicted[i], 1};
    if (!c)
        return fprintf(stderr, "isobit: out of memory for %lld confusions\n", (long long)(a->n - a->right)), NULL;
    qsort(c, (size_t)wrong, sizeof *c, by_classes);
    for (int64_t i = 0; i < wrong; i++)
        if (*n && !by_classes(&c[*n - 1], &c[i]))
            c[*n - 1].samples++;
        else
            c[(*n)++] = c[i];
    qsort(c, (size_t)*n, sizeof *c, by_samples);
    return c;
}

static int print_pairs(const answers *a, int columns)
{
    char buf[24];
    int64_t n;
    confusion *c = find_confusions(a, &n);
    if (!c)
        return 1;
    const int width = longest_name(a, NAME) < 6 ? 6 : longest_name(a, NAME);
    print_cell("label", width, 0);
    printf("  ");
    print_cell("answer", width, 0);
    printf(" %8s  of the label's\n", "samples");
    for (int64_t i = 0; i < n && i < PAIRS; i++) {
        print_cell(class_text(a->schema, c[i].truth, buf), width, 0);
        printf("  ");
        print_cell(class_text(a->schema, c[i].predicted, buf), width, 0);
        printf(" %8lld %9.2f %%\n", (long long)c[i].samples,
               100.0 * (double)c[i].samples / (double)a->samples[c[i].truth]);
    }
    printf("the %lld most frequent of %lld confusions: a table of %d classes is wider than the %d columns here; "
           "-o FILE.svg draws it, --json has it\n",
           (long long)(n < PAIRS ? n : PAIRS), (long long)n, a->classes, columns);
    free(c);
    return 0;
}

int print_confusion(const answers *a)
{
    const int columns = columns_here(), name = longest_name(a, NAME), label = name < 5 ? 5 : name;
    const int room = (columns - label) / a->classes - 1;
    int64_t most = 0;
    int digits = 1;
    for (int k = 0; k < a->classes; k++)
        most = a->samples[k] > most ? a->samples[k] : most;
    for (int64_t m = most; m > 9; m /= 10)
        digits++;
    /* names above the columns are cut where they must, to two characters at least */
    const int least = name < 2 || digits > 2 ? digits : 2, wish = name > digits ? name : digits;
    if (room < least)
        return print_pairs(a, columns);
    int64_t *count = confusion_count(a);
    if (count)
        print_matrix(a, count, label, wish < room ? wish : room);
    free(count);
    return !count;
}

int confusion_json(const answers *a, struct json_object *o)
{
    int64_t *count = confusion_count(a);
    struct json_object *rows = json_object_new_array();
    for (int i = 0; count && i < a->classes; i++) {
        struct json_object *row = json_object_new_array();
        for (int k = 0; k < a->classes; k++)
            json_object_array_add(row, json_object_new_int64(count[(int64_t)i * a->classes + k]));
        json_object_array_add(rows, row);
    }
    json_object_object_add(o, "confusion", rows);
    free(count);
    return !count;
}
