/* class_weights.c - see class_weights.h */
#include "cli/train/class_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* The class that is called so, or -1: by its name, or where classes have none by its number. */
static int class_named(const ib_schema *schema, int classes, const char *name)
{
    for (int i = 0; i < classes; i++) {
        char number[16];
        const char *known = ib_schema_class(schema, i);
        snprintf(number, sizeof number, "%d", i);
        if (!strcmp(known ? known : number, name))
            return i;
    }
    return -1;
}

/* One "name=weight"; `from` is the option or the file that has it. */
static int take_item(char *item, const char *from, const ib_schema *schema, int classes, float *weight)
{
    char *equals = strrchr(item, '='), *end = NULL;
    const float value = equals ? strtof(equals + 1, &end) : 0;
    if (!equals || end == equals + 1 || *end || !(value > 0 && isfinite(value)))
        return fprintf(stderr, "isobit: %s: '%s' is no NAME=WEIGHT with a weight above 0\n", from, item), 1;
    *equals = 0;
    const int i = class_named(schema, classes, item);
    if (i < 0)
        return fprintf(stderr, "isobit: %s: there is no class '%s' among %d\n", from, item, classes), 1;
    if (weight[i] > 0)
        return fprintf(stderr, "isobit: %s: class '%s' has two weights\n", from, item), 1;
    weight[i] = value;
    return 0;
}

/* Items with one of `between` after each. */
static int take_list(char *list, const char *between, const char *from, const ib_schema *schema, int classes,
                     float *weight)
{
    char *rest = NULL;
    for (char *item = strtok_r(list, between, &rest); item; item = strtok_r(NULL, between, &rest))
        if (take_item(item, from, schema, classes, weight))
            return 1;
    for (int i = 0; i < classes; i++)
        if (!(weight[i] > 0)) {
            const char *name = ib_schema_class(schema, i);
            return name ? fprintf(stderr, "isobit: %s: class '%s' has no weight\n", from, name)
                        : fprintf(stderr, "isobit: %s: class %d of %d has no weight\n", from, i, classes),
                   1;
        }
    return 0;
}

/* n / (present * count) of each class that has samples, as scikit-learn's class_weight="balanced". */
static void balance(const ib_dataset *d, int classes, float *weight)
{
    const int64_t n = ib_dataset_count(d);
    int64_t present = 0;
    for (int64_t i = 0; i < n; i++)
        present += weight[ib_dataset_label(d, i)]++ == 0;
    for (int i = 0; i < classes; i++)
        weight[i] = weight[i] > 0 ? (float)((double)n / ((double)present * weight[i])) : 1;
}

static char *read_text(const char *path)
{
    enum { MOST = 1 << 24 };
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(MOST + 1) : NULL;
    const size_t n = text ? fread(text, 1, MOST + 1, f) : 0;
    const int bad = !text || ferror(f) || n > MOST || memchr(text, 0, n);
    if (f)
        fclose(f);
    if (!bad) {
        text[n] = 0;
        return text;
    }
    fprintf(
        stderr,
        "isobit: --class-weights '%s': auto, NAME=WEIGHT,... or a file with NAME=WEIGHT in each line is possible%s\n",
        path, f ? "" : "; there is no such file");
    free(text);
    return NULL;
}

float *class_weights(const char *what, const ib_dataset *train, int classes)
{
    float *weight = calloc((size_t)classes, sizeof *weight);
    const ib_schema *schema = ib_dataset_schema(train);
    const int is_list = strchr(what, '=') != NULL;
    int bad = !weight;
    if (weight && !strcmp(what, "auto")) {
        balance(train, classes, weight);
    } else if (weight) {
        char *text = is_list ? strdup(what) : read_text(what);
        bad = !text ||
              take_list(text, is_list ? "," : "\r\n", is_list ? "--class-weights" : what, schema, classes, weight);
        free(text);
    }
    if (!bad)
        return weight;
    free(weight);
    return NULL;
}
