/* sides.h - a tape over several devices: for each a side of the graph, which has its memory and faults. Operators work
 * on the side where their inputs lie; ib_to_device() crosses. */
#ifndef IB_AUTOGRAD_SIDES_H
#define IB_AUTOGRAD_SIDES_H

#include "autograd/arena.h"
#include "backends/fault.h"
#include "backends/kernels.h"

enum { IB_MAX_SIDES = 8 };

typedef struct ib_side {
    ib_device *dev;
    ib_arena numbers, memos;  /* the device's memory of this step; of what segments remember for their second run */
    ib_fault *fault;          /* device memory: the first of the step's operators */
    ib_fault *data, *verdict; /* behind it: of the step's data, which fails no operator; of the loss judged last */
} ib_side;

/* The graph's side of this device, made if there is none; NULL with ib_error(). */
ib_side *ib_side_of(ib_graph *g, ib_device *dev);
/* Where operators on these inputs (NULL: none) are computed: where the first result among them lies; of leaves alone,
 * where one lies that this step has used; else here. */
ib_side *ib_side_for(const ib_graph *g, ib_tensor *const *in, int n_in);
/* Here is the graph's own device, unless an operator, its backward function, a layer or a segment is under way, which
 * follows what it is given: who turns turns back. */
void ib_graph_turn(ib_graph *g, ib_side *to);
/* Turns there; where to turn back to. */
ib_side *ib_graph_follow(ib_graph *g, ib_tensor *const *in, int n_in);
#define IB_FOLLOW(g, ...)                                                                                              \
    ib_graph_follow(g, (ib_tensor *[]){__VA_ARGS__}, sizeof((ib_tensor *[]){__VA_ARGS__}) / sizeof(ib_tensor *))
/* A new step: empties all sides and turns to the first. */
void ib_sides_begin(ib_graph *g);
void ib_sides_free(ib_graph *g);
/* Bytes of numbers on all sides. */
size_t ib_sides_used(const ib_graph *g);
size_t ib_sides_reach(const ib_graph *g, const void *p); /* as ib_arena_reach() of their numbers */
/* The faults that one side knows of become another's. Waits for what has begun there, if it is late. */
void ib_sides_tell(ib_graph *g, const ib_side *from, const ib_side *to);

#endif
