/* fuzz_onnx.c - the ONNX importer: an error of one line or a network that runs. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ib_device *dev;
    static ib_graph *g;
    if (!dev) {
        dev = ib_device_open("cpu:base");
        g = ib_graph_new(dev);
    }
    ib_layer *net = ib_import_onnx(input_file(data, size), dev);
    const ib_input_info *in = net ? ib_layer_input(net) : NULL;
    if (net && (int64_t)in->c * in->h * in->w <= 4096) {
        float *x = calloc((size_t)(in->c * in->h * in->w), sizeof *x);
        ib_graph_begin(g, IB_EVAL);
        ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, in->c, in->h, in->w}, x));
        free(x);
    }
    ib_layer_free(net);
    return 0;
}
