/* nearest.c - each value to the nearest code, of scales that follow from the values alone. */
#include "ptq/ptq.h"

ib_matrix *ib_ptq_nearest(const ib_ptq_task *t, ib_ptq_report *r)
{
    (void)r; /* there is nothing to tell */
    return ib_matrix_encode(t->to, t->rows, t->cols, t->w, NULL);
}
