/* graph_kept.h - what the operators of a tape keep for their backward functions, and whose it is. */
#ifndef IB_AUTOGRAD_GRAPH_KEPT_H
#define IB_AUTOGRAD_GRAPH_KEPT_H

#include "autograd/op.h"

enum { IB_KEPT_RESULT, IB_KEPT_ATTRS, IB_KEPT_SAVED, IB_KEPT_PARTS = IB_KEPT_SAVED + IB_MAX_SAVED };

/* Bytes of the graph's arena, as it counts them (whole 64): of the result (0: it is a view, and its maker keeps it),
 * the attributes, and each of `saved` (0: nothing, or what lives elsewhere). Inputs are kept by those who made them. */
typedef struct ib_kept {
    size_t part[IB_KEPT_PARTS], all;
} ib_kept;
ib_kept ib_node_kept(const ib_graph *g, const ib_node *n);

#endif
