/* imatrix.c - errors weighed with the mean squares of what columns are multiplied by: llama.cpp's search, and ours. */
#include "base/alloc.h"
#include "base/number.h"
#include "ptq/ptq.h"

static ib_matrix *weighed(const ib_ptq_task *t, ib_ptq_report *r, ib_search search)
{
    ib_status status = IB_OK;
    float *weight = ib_ptq_importance(t, &status);
    ib_matrix *made = NULL;
    if (!status)
        made = search == IB_SEARCH_GGML ? ib_matrix_encode(t->to, t->rows, t->cols, t->w, weight)
                                        : ib_matrix_quantize(t->to, t->rows, t->cols, t->w, weight, search);
    if (!weight)
        ib_snprintf(r->note, sizeof r->note, "%s", "no text goes through it: not weighed");
    ib_free(weight);
    return made;
}

ib_matrix *ib_ptq_imatrix(const ib_ptq_task *t, ib_ptq_report *r)
{
    return weighed(t, r, IB_SEARCH_GGML);
}

ib_matrix *ib_ptq_best(const ib_ptq_task *t, ib_ptq_report *r)
{
    return weighed(t, r, IB_SEARCH_BEST);
}
