/* wired.h - a network written as text, one operator a line: how imported networks are described, and kept in
 * checkpoints.
 *
 *   isobit network 1
 *   # mnist
 *   conv1 conv 0 in=1 out=8 kh=5 kw=5 sh=1 sw=1 ph=2 pw=2 groups=1 bias=1
 *   relu1 relu 1 # /features/act1/Relu
 *   flat flatten 2 order=hwc
 *   ...
 * Name, operator, values that go in (0 is the network's input, k the result of line k, commas between), attributes. The
 * last line's value is the result. Behind " # " stands a layer's name in the file that it comes from; a first line
 * "# " has the network's. The order of a flattened image is chw where nothing is said. */
#ifndef IB_LAYERS_WIRED_H
#define IB_LAYERS_WIRED_H

#include "layers/layer.h"

/* The network, its text kept as net->text; NULL with ib_error() naming the line. */
ib_layer *ib_wired_network(const char *text);

/* Its forward pass, with each value in value[]: the input, then a line's result each. The last, or NULL with
 * ib_error(). */
ib_tensor *ib_wired_values(ib_layer *net, ib_graph *g, ib_tensor *x, ib_tensor **value);

#endif
