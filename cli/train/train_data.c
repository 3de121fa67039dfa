/* train_data.c - what a training says of its data, and how they are recognized later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/train/training.h"
#include "data/dataset.h"
#include "lm/train/settings.h"

enum { NAME = 80, PART = 48, SHOWN = 5 };

/* Samples of each class, [classes]. */
static int64_t *count_classes(const ib_dataset *d, int classes)
{
    int64_t *n = calloc((size_t)classes + 1, sizeof *n);
    for (int64_t i = 0; n && i < ib_dataset_count(d); i++)
        n[ib_dataset_label(d, i)]++;
    return n;
}

static const char *name_of(const ib_schema *schema, int class, char text[NAME])
{
    const char *name = ib_schema_class(schema, class);
    snprintf(text, NAME, name ? "'%.60s'" : "%.0s%d", name ? name : "", class);
    return text;
}

/* Tells which classes have no samples in a part, but for those that had none in the part before. */
static void tell_lacking(const training *t, int classes, const int64_t *n, const int64_t *before, const char *part)
{
    const ib_schema *schema = ib_dataset_schema(t->s.train);
    char name[NAME];
    int lacking = 0;
    for (int k = 0; k < classes; k++) {
        if (n[k] || (before && !before[k]))
            continue;
        if (!lacking)
            fprintf(stderr, "isobit: note: %s: of %d classes%s no %s sample is of ", t->o.common.data, classes,
                    ib_schema_class(schema, 0) ? "" : ", counted from 0,", part);
        if (lacking++ < SHOWN)
            fprintf(stderr, "%s%s", lacking > 1 ? ", " : "", name_of(schema, k, name));
    }
    if (lacking > SHOWN)
        fprintf(stderr, " and %d more", lacking - SHOWN);
    if (lacking)
        fprintf(stderr, "\n");
}

/* 1 after telling that there is one class alone. */
static int refuse_one_class(const training *t, int classes, const int64_t *n)
{
    int there = 0, last = 0;
    char name[NAME];
    for (int k = 0; k < classes; k++)
        if (n[k]) {
            there++;
            last = k;
        }
    return there < 2 &&
           fprintf(stderr, "isobit: %s: all %lld training samples are of class %s: there is nothing to tell apart%s\n",
                   t->o.common.data, (long long)ib_dataset_count(t->s.train),
                   name_of(ib_dataset_schema(t->s.train), last, name),
                   t->o.common.limit ? " (--limit takes the first ones)" : "") > 0;
}

int train_check_classes(const training *t, int classes)
{
    const ib_schema *schema = ib_dataset_schema(t->s.train);
    if (train_is_regression(t))
        return 0;
    int64_t *n = count_classes(t->s.train, classes), *tested = count_classes(t->s.test, classes);
    const int status = !n || !tested ? fprintf(stderr, "isobit: out of memory\n") > 0 : refuse_one_class(t, classes, n);
    if (!status && !(schema && ib_schema_of(schema)->n_columns)) { /* a table tells it itself */
        tell_lacking(t, classes, n, NULL, "training");
        tell_lacking(t, classes, tested, n, "test");
    }
    free(n);
    free(tested);
    return status;
}

/* " samples=32:9f1c2b3a" */
static void part_text(const char *key, const ib_dataset *d, char text[PART])
{
    snprintf(text, PART, " %s=%lld:%08x", key, (long long)ib_dataset_count(d), (unsigned)ib_dataset_fingerprint(d));
}

void recognize_data(session *s)
{
    char train[PART], test[PART];
    part_text("samples", s->train, train);
    part_text("tested", s->test, test);
    snprintf(s->recognized, sizeof s->recognized, "%s%s", train, test);
}

int train_add_data(const session *s, char *notes, size_t size)
{
    const size_t n = strlen(notes);
    if ((size_t)snprintf(notes + n, size - n, "%s", s->recognized) < size - n)
        return 0;
    fprintf(stderr, "isobit: the settings take %zu characters, a checkpoint keeps %zu: shorten --rules or --data\n",
            n + strlen(s->recognized), size - 1);
    return 1;
}

int refuse_changed_data(const session *s, const common *o)
{
    char now[PART];
    char *was = ib_settings_value(s->c.notes, "tested");
    part_text("tested", s->test, now);
    const char *is = strchr(now, '=') + 1;
    const int changed = was && strcmp(was, is);
    if (changed)
        fprintf(stderr,
                "isobit: %s: its test data, --data %s, are not those of its training (%lld samples then, %lld now): "
                "what it was trained on may be among them; --data on the command line measures them all the same\n",
                s->asked, o->data, strtoll(was, NULL, 10), strtoll(is, NULL, 10));
    ib_free(was);
    return changed;
}
