/* import_outputs.c STEM... - for the tests of the importer in Python: imports STEM.onnx and runs it over STEM.in.f32,
 * samples of fp32 one after the other in the order N,C,H,W, and STEM.turned.f32 if there is one; outputs to
 * STEM.out.f32 and STEM.turned.out.f32, the network's input as text "C H W" to STEM.input, or the line that refuses the
 * file to STEM.refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <isobit/isobit.h>

#include "base/alloc.h"
#include "files/file.h"

static void put(const char *stem, const char *end, const void *bytes, size_t size)
{
    char path[1000];
    snprintf(path, sizeof path, "%s.%s", stem, end);
    if (ib_file_replace(path, bytes, size))
        fprintf(stderr, "%s\n", ib_error());
}

static void run(ib_graph *g, ib_layer *net, const char *stem, const char *from, const char *to)
{
    char path[1000];
    size_t size = 0;
    snprintf(path, sizeof path, "%s.%s", stem, from);
    unsigned char *x = ib_file_read(path, &size);
    if (!x)
        return;
    const ib_input_info *in = ib_layer_input(net);
    const int64_t shape[] = {(int64_t)size / 4 / in->c / in->h / in->w, in->c, in->h, in->w};
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, shape, (const float *)x));
    float *values = y ? malloc((size_t)ib_tensor_size(y) * sizeof *values) : NULL;
    if (values && !ib_tensor_read(y, values))
        put(stem, to, values, (size_t)ib_tensor_size(y) * sizeof *values);
    else
        fprintf(stderr, "%s: %s\n", stem, ib_error());
    free(values);
    ib_free(x);
}

int main(int argc, char **argv)
{
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    for (int i = 1; i < argc; i++) {
        char path[1000];
        snprintf(path, sizeof path, "%s.onnx", argv[i]);
        ib_layer *net = ib_import_onnx(path, dev);
        if (net) {
            const ib_input_info *in = ib_layer_input(net);
            snprintf(path, sizeof path, "%d %d %d", in->c, in->h, in->w);
            put(argv[i], "input", path, strlen(path));
            run(g, net, argv[i], "in.f32", "out.f32");
            run(g, net, argv[i], "turned.f32", "turned.out.f32");
        } else {
            put(argv[i], "refused", ib_error(), strlen(ib_error()));
        }
        ib_layer_free(net);
    }
    ib_graph_free(g);
    ib_device_close(dev);
    return 0;
}
