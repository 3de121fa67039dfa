/* trace_node.h - lines of base/trace.h for the operators of a tape. */
#ifndef IB_AUTOGRAD_TRACE_NODE_H
#define IB_AUTOGRAD_TRACE_NODE_H

#include "autograd/op.h"

/* Shapes of inputs and result, "[32,64] [10,64] - -> [32,10]", a missing input as "-"; returns text. */
char *ib_node_shapes(const ib_node *n, char *text, size_t size);
/* Behind n's forward function, and behind its backward function; began: what ib_trace_begin gave, not 0. */
void ib_trace_forward(const ib_node *n, double began);
void ib_trace_backward(const ib_node *n, double began);

#endif
