/* graph_checks.h - what an operator is given and gives, looked at by ib_apply. */
#ifndef IB_AUTOGRAD_GRAPH_CHECKS_H
#define IB_AUTOGRAD_GRAPH_CHECKS_H

#include "autograd/op.h"
#include "base/assert.h"

/* Fails: input i cannot be what it is. */
ib_status ib_refuse_input(ib_graph *g, const ib_node *n, int i);

/* IB_OK if input i lies where the operator is computed, or by itself. */
ib_status ib_check_side(const ib_graph *g, const ib_node *n, int i);

/* What `shape` and the arena leave to `forward`, and the codes that `forward` leaves. */
#ifdef IB_CHECKED
void ib_assert_result(const ib_tensor *t);
void ib_assert_codes(const ib_tensor *t);
#else
#define ib_assert_result(t) ((void)(t))
#define ib_assert_codes(t) ((void)(t))
#endif

#endif
