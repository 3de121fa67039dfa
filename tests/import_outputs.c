/* import_outputs.c STEM... - for the tests of the importer in Python: imports STEM.onnx and runs it over STEM.in.f32,
 * samples of fp32 one after the other in the order N,C,H,W; outputs to STEM.out.f32, or the line that refuses the file
 * to STEM.refused. */
#include <stdio.h>
#include <string.h>

#include <isobit/isobit.h>

#include "files/file.h"
#include "tensor/alloc.h"

static void put(const char *stem, const char *end, const void *bytes, size_t size)
{
    char path[1000];
    snprintf(path, sizeof path, "%s.%s", stem, end);
    if (ib_file_replace(path, bytes, size))
        fprintf(stderr, "%s\n", ib_error());
}

int main(int argc, char **argv)
{
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    for (int i = 1; i < argc; i++) {
        char path[1000];
        size_t size = 0;
        snprintf(path, sizeof path, "%s.onnx", argv[i]);
        ib_layer *net = ib_import_onnx(path);
        snprintf(path, sizeof path, "%s.in.f32", argv[i]);
        unsigned char *x = net ? ib_file_read(path, &size) : NULL;
        ib_tensor *y = NULL;
        if (x) {
            const ib_input_info *in = ib_layer_input(net);
            ib_graph_begin(g, IB_EVAL);
            y = ib_layer_forward(g, net,
                                 ib_input(g, 4,
                                          (int64_t[]){(int64_t)size / 4 / in->c / in->h / in->w, in->c, in->h, in->w},
                                          (const float *)x));
        }
        if (y)
            put(argv[i], "out.f32", ib_tensor_f32(y), (size_t)ib_tensor_size(y) * 4);
        else
            put(argv[i], "refused", ib_error(), strlen(ib_error()));
        ib_free(x);
        ib_layer_free(net);
    }
    ib_graph_free(g);
    ib_device_close(dev);
    return 0;
}
