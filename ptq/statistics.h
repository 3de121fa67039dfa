/* statistics.h - what a calibration text puts through a product: of the rows x[tokens][cols] that it multiplies, the
 * sums of squares and of absolute values and absolute maxima of each column, the Hessian X'X of the squared error of
 * its results, and some of the rows. */
#ifndef IB_PTQ_STATISTICS_H
#define IB_PTQ_STATISTICS_H

#include "autograd/op.h"

/* What of them is wanted. */
enum { IB_NEEDS_SQUARES = 1, IB_NEEDS_HESSIAN = 2, IB_NEEDS_SIZES = 4, IB_NEEDS_ROWS = 8 };
enum { IB_SAMPLE_ROWS = 256 };

typedef struct ib_statistics {
    int64_t cols, tokens;
    double *squares; /* [cols] sum of x^2 */
    double *sizes;   /* [cols] sum of |x|, or NULL */
    float *most;     /* [cols] largest |x| */
    double *hessian; /* [cols][cols] sum of x x', or NULL */
    float *row;      /* [kept][cols], at most IB_SAMPLE_ROWS: every so many, from the first; or NULL */
    int64_t kept, every;
} ib_statistics;

ib_status ib_statistics_new(ib_statistics *s, int64_t cols, unsigned needs);
void ib_statistics_release(ib_statistics *s);
/* Of rows whose columns are multiplied by `by` [cols]. */
void ib_statistics_scale(ib_statistics *s, const float *by);
/* Adds rows of the graph's: x [rows, cols]. The same bits at any number of threads. */
ib_status ib_statistics_add(ib_statistics *s, ib_graph *g, const ib_tensor *x);

#endif
