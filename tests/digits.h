/* digits.h - what suites of quantized networks share: a device, a graph, the digits and a loader of them. */
#ifndef IB_TESTS_DIGITS_H
#define IB_TESTS_DIGITS_H

#include "tests/check.h"

static ib_device *dev;
static ib_graph *g;
static ib_dataset *data;
static ib_loader *loader;

static inline void begin_with(ib_split split, const ib_loader_opts *opts)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    data = ib_digits_new(split);
    const ib_input_info info = ib_dataset_info(data);
    loader = ib_loader_new(data, &info, opts);
}

static inline void end(void)
{
    ib_loader_free(loader);
    ib_dataset_free(data);
    ib_graph_free(g);
    ib_device_close(dev);
}

/* A network for them. */
static inline ib_layer *ready(ib_layer *net)
{
    const ib_input_info info = ib_dataset_info(data);
    REQUIRE(net && !ib_layer_init(net, 1));
    ib_layer_set_input(net, &info);
    return net;
}

#endif
