/* answers.c - see answers.h */
#include "cli/answers/answers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/measure.h"

static int reserve(answers *a)
{
    const size_t n = (size_t)a->n, k = (size_t)a->classes;
    a->truth = malloc(n * sizeof *a->truth);
    a->predicted = malloc(n * sizeof *a->predicted);
    a->samples = calloc(k, sizeof *a->samples);
    a->claimed = calloc(k, sizeof *a->claimed);
    a->hits = calloc(k, sizeof *a->hits);
    if (a->truth && a->predicted && a->samples && a->claimed && a->hits)
        return 0;
    return fprintf(stderr, "isobit: out of memory for the answers to %lld samples\n", (long long)a->n), 1;
}

/* The answers y[n, classes] to a batch. */
static int take(answers *a, int64_t at, const ib_batch *b, const float *y)
{
    for (int64_t i = 0; i < (int64_t)b->n * a->classes; i++)
        if (isnan(y[i])) {
            char name[24];
            return fprintf(stderr,
                           "isobit: sample %lld has no number as output for class %s: "
                           "nothing can be measured\n",
                           (long long)(at + i / a->classes), class_text(a->schema, (int)(i % a->classes), name)) > 0;
        }
    for (int i = 0; i < b->n; i++) {
        const int32_t truth = b->y[i], best = (int32_t)ib_best_class(y + (int64_t)i * a->classes, a->classes);
        a->truth[at + i] = truth;
        a->predicted[at + i] = best;
        a->samples[truth]++;
        a->claimed[best]++;
        a->hits[truth] += best == truth;
        a->right += best == truth;
    }
    return 0;
}

int answers_measure(answers *a, engine *e)
{
    session *s = e->s;
    const int classes = (int)engine_classes(e), named = e->schema ? ib_schema_of(e->schema)->n_classes : 0;
    *a = (answers){.n = ib_dataset_count(s->test), .classes = classes};
    a->schema = named == classes ? e->schema : NULL;
    ib_loader *l = ib_loader_new(s->test, &e->input, &(ib_loader_opts){.batch = (int)e->batch});
    int64_t done = 0;
    int status = l ? reserve(a) : complain();
    progress p;
    ib_batch b;
    progress_start(&p, "test", 0);
    while (!status && ib_loader_next(l, &b)) {
        const float *y = engine_run(e, &b);
        status = y ? take(a, done, &b, y) : complain();
        if (!status && !e->program) {
            ib_tensor *loss = ib_cross_entropy(s->g, ib_input(s->g, 2, (int64_t[]){b.n, classes}, y), b.y, 0);
            float value;
            status = loss && !ib_tensor_read(loss, &value) ? 0 : complain();
            a->loss += status ? 0 : (double)value * b.n;
        }
        progress_show(&p, done += b.n, a->n, "samples");
    }
    progress_end(&p);
    if (!status && ib_loader_status(l))
        status = complain();
    a->loss /= (double)a->n;
    ib_loader_free(l);
    return status;
}

void answers_free(answers *a)
{
    free(a->truth);
    free(a->predicted);
    free(a->samples);
    free(a->claimed);
    free(a->hits);
}

double answers_recall(const answers *a, int class)
{
    return a->samples[class] ? (double)a->hits[class] / (double)a->samples[class] : NAN;
}

double answers_precision(const answers *a, int class)
{
    return a->claimed[class] ? (double)a->hits[class] / (double)a->claimed[class] : NAN;
}

double answers_f1(const answers *a, int class)
{
    const int64_t both = a->samples[class] + a->claimed[class];
    return both ? 2.0 * (double)a->hits[class] / (double)both : NAN;
}

double answers_balanced(const answers *a)
{
    double sum = 0;
    int there = 0;
    for (int k = 0; k < a->classes; k++)
        if (a->samples[k]) {
            sum += answers_recall(a, k);
            there++;
        }
    return sum / there;
}

double answers_accuracy(const answers *a)
{
    return (double)a->right / (double)a->n;
}

const char *class_text(const ib_schema *schema, int64_t class, char buf[24])
{
    const char *name = ib_schema_class(schema, class);
    snprintf(buf, 24, "%lld", (long long)class);
    return name ? name : buf;
}
