/* fuzz_checkpoint.c - checkpoints: as they are, where what is not whole by its checksum never reaches HDF5, and
 * quantized ones that say other things than the library wrote (edited.h). What opens must run. */
#include "tests/fuzz/edited.h"

static ib_device *dev;
static ib_graph *g;

static void run(ib_layer *net)
{
    const ib_input_info in = *ib_layer_input(net);
    const int64_t n = (int64_t)in.c * in.h * in.w;
    float *x = n <= 1 << 14 ? calloc((size_t)n, sizeof *x) : NULL;
    ib_graph_begin(g, IB_EVAL);
    if (x)
        ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, in.c, in.h, in.w}, x));
    free(x);
}

/* Of a model whose parameters do not depend on the image's size, which may be edited too. */
static unsigned char *make_good(size_t *size)
{
    char path[100];
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 20});
    ib_layer *net = ib_model_new("resnet8", info.c, info.h, info.w, info.classes);
    snprintf(path, sizeof path, "/tmp/isobit-fuzz-checkpoint-%ld.h5", (long)getpid());
    ib_dataset_limit(d, 20);
    if (!net || ib_layer_init(net, 1))
        abort();
    ib_layer_set_input(net, &info);
    if (ib_qat_begin(net, g, l, &(ib_qat_opts){.weight_bits = 4}) ||
        ib_checkpoint_save(path, net, NULL, &(ib_checkpoint){.model = "resnet8"}))
        abort();
    ib_layer_free(net);
    ib_loader_free(l);
    ib_dataset_free(d);
    return taken(path, size);
}

/* A file of isobit, or first byte 0 and then edits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char *good;
    static size_t good_size;
    char path[100];
    ib_checkpoint c;
    if (!dev) {
        dev = ib_device_open("cpu:base");
        g = ib_graph_new(dev);
        good = make_good(&good_size);
    }
    const int edits = size && !data[0];
    snprintf(path, sizeof path, "/tmp/isobit-fuzz-checkpoint-%ld.h5", (long)getpid());
    if (edits)
        write_edited(good, good_size, data + 1, size - 1, path);
    ib_layer *net = ib_checkpoint_open(edits ? path : input_file(data, size), g, &c);
    if (edits)
        unlink(path);
    if (!net && (!*ib_error() || (edits && size < 8)))
        abort();
    if (net) {
        ib_checkpoint_release(&c);
        run(net);
    }
    ib_layer_free(net);
    return 0;
}
