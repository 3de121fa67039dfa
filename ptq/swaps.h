/* swaps.h - what took whose place in a model, so that it can be taken back. */
#ifndef IB_PTQ_SWAPS_H
#define IB_PTQ_SWAPS_H

#include "lm/lm.h"

typedef struct ib_swap {
    ib_matrix **matrix; /* the place, or */
    ib_tensor **tensor;
    ib_matrix *old_matrix; /* what lay there at first */
    ib_tensor *old_tensor;
} ib_swap;

typedef struct ib_swaps {
    ib_swap *swap; /* [n] a place at most once */
    int n, room;
} ib_swaps;

/* `made` lies there from now on; what lay there at first is kept, what came between is freed. On an error `made` is
 * freed; NULL is an error that is set already. */
ib_status ib_swap_matrix(ib_swaps *s, ib_matrix **at, ib_matrix *made);
ib_status ib_swap_tensor(ib_swaps *s, ib_tensor **at, ib_tensor *made);
/* keep: the first ones are freed; else they lie where they lay, and what took their places is freed. */
void ib_swaps_end(ib_swaps *s, int keep);

#endif
