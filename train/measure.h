/* measure.h - inside the library: how far outputs are from what they should be, batch by batch. */
#ifndef IB_TRAIN_MEASURE_H
#define IB_TRAIN_MEASURE_H

#include <isobit/train.h>

int64_t ib_best_class(const float *y, int64_t classes); /* the first of the largest */

/* Sums over samples of one number to learn, in its units; values are taken from `first`, so that large ones lose
 * nothing. */
typedef struct ib_target_sums {
    double error2, error1, first, sum, square;
} ib_target_sums;

typedef struct ib_measure {
    const ib_schema_opts *schema; /* the targets' names and units, or NULL: as they are */
    int n;
    ib_target_sums *sums; /* [n] */
    int64_t seen;
    double loss; /* sum of squared errors of what the network gives */
} ib_measure;

/* Of n numbers a sample; a schema that is of others, or NULL, says nothing. */
ib_status ib_measure_open(ib_measure *m, int n, const ib_schema *schema);
void ib_measure_add(ib_measure *m, const ib_batch *b, const float *y); /* y[b->n,n] */
ib_status ib_measure_score(const ib_measure *m, ib_evaluation *out);
void ib_measure_close(ib_measure *m);

#endif
