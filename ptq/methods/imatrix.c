/* imatrix.c - errors weighed with the mean squares of what the columns are multiplied by. */
#include "base/alloc.h"
#include "base/number.h"
#include "ptq/ptq.h"

ib_matrix *ib_ptq_imatrix(const ib_ptq_task *t, ib_ptq_report *r)
{
    ib_status status = IB_OK;
    float *weight = ib_ptq_importance(t, &status);
    ib_matrix *made = status ? NULL : ib_matrix_encode(t->to, t->rows, t->cols, t->w, weight);
    if (!weight)
        ib_snprintf(r->note, sizeof r->note, "%s", "no text goes through it: not weighed");
    ib_free(weight);
    return made;
}
