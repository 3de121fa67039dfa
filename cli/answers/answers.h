/* answers.h - how a model's answers compare with labels: by class, and which class is taken for which. */
#ifndef IB_CLI_ANSWERS_ANSWERS_H
#define IB_CLI_ANSWERS_ANSWERS_H

#include "cli/answers/engine.h"

typedef struct answers {
    int64_t n, right;
    int classes;
    const ib_schema *schema;           /* their names, or NULL: their numbers */
    int32_t *truth, *predicted;        /* [n] */
    int64_t *samples, *claimed, *hits; /* [classes] of the label, of the answer, of both */
    double loss;                       /* mean cross entropy; of no program */
} answers;

/* Runs the engine over s->test, whose labels fit (need_labels). 0, or 1 after telling. */
int answers_measure(answers *a, engine *e);
void answers_free(answers *a);

/* Shares from 0 to 1 of a class; NaN where they are shares of nothing: recall of a class without samples, precision
 * of one that is never answered, F1 (their harmonic mean, 2 hits / (samples + claimed)) of both at once. */
double answers_recall(const answers *a, int class);
double answers_precision(const answers *a, int class);
double answers_f1(const answers *a, int class);
/* Balanced accuracy: the mean recall of the classes that have samples. */
double answers_balanced(const answers *a);
double answers_accuracy(const answers *a);
/* The name of a class, or its number in `buf`. */
const char *class_text(const ib_schema *schema, int64_t class, char buf[24]);

/* A table row a class: all, or of more than 40 the 20 of least F1, which is said. */
void print_by_class(const answers *a);
/* balanced_accuracy and by_class[]. */
void by_class_json(const answers *a, struct json_object *o);

enum { CONFUSION_CLASSES = 1024 }; /* at most in a matrix: a million numbers */
/* 1 after telling that there are too many classes for a matrix in JSON or a picture. */
int refuse_confusion(const answers *a);
/* count[classes][classes] by label, then answer; to be given to free(), NULL after telling. */
int64_t *confusion_count(const answers *a);
/* The table on a terminal, or in lines of 100 characters elsewhere; where it is wider, the 20 most frequent
 * confusions, which is said. */
int print_confusion(const answers *a);
int confusion_json(const answers *a, struct json_object *o);
/* A picture of it; 0, or 1 after telling. */
int plot_confusion(const char *path, const answers *a);

/* Text of `width` columns on the screen: filled up with blanks, or cut; control characters are blanks. `right`: to
 * the right. */
void print_cell(const char *text, int width, int right);
int cell_width(const char *text);

#endif
