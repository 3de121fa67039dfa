/* tap.h - the place where values pass that calibration learns of: of a network that is quantized, its input and the
 * result of each layer, which are what products read; of a decoder, the input of each product with a frozen matrix. */
#ifndef IB_AUTOGRAD_TAP_H
#define IB_AUTOGRAD_TAP_H

#include "autograd/op.h"

typedef struct ib_tap {
    /* x, in the memory of g->dev, of the layer or projection named `layer` */
    ib_status (*see)(const struct ib_tap *tap, ib_graph *g, const char *layer, const ib_tensor *x);
    void *context;
} ib_tap;

/* For who applies x: IB_OK where nobody listens. */
static inline ib_status ib_tap_pass(ib_graph *g, ib_tensor *x)
{
    if (!g->tap)
        return IB_OK;
    ib_side *was = IB_FOLLOW(g, x);
    const ib_status status = g->tap->see(g->tap, g, g->scope ? g->scope : "", x);
    ib_graph_turn(g, was);
    return status;
}

#endif
