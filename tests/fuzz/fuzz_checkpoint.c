/* fuzz_checkpoint.c - checkpoints: what is not whole by its checksum never reaches HDF5. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ib_device *dev;
    static ib_graph *g;
    ib_checkpoint c;
    if (!dev) {
        dev = ib_device_open("cpu:base");
        g = ib_graph_new(dev);
    }
    ib_layer *net = ib_checkpoint_open(input_file(data, size), g, &c);
    if (net)
        ib_checkpoint_release(&c);
    ib_layer_free(net);
    return 0;
}
