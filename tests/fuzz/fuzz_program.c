/* fuzz_program.c - integer programs whose file is whole, but says other things than a network would (edited.h). What
 * opens must run. */
#include "tests/fuzz/edited.h"

#include "program/program.h"
#include "tests/qat/constants.h"

enum { IMPORTED = 3, SEEDS = 6 };
static unsigned char *seed[SEEDS];
static size_t seed_size[SEEDS];
static ib_device *dev;

static ib_tensor *hwc_forward(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    (void)self;
    return ib_sigmoid(g, ib_flatten_hwc(g, x));
}

/* Networks with every instruction: imported ones, constants of images and of their rows, rows in the order H,W,C. */
static ib_layer *network(int i)
{
    static const char *const names[] = {"branches_torchscript", "pooled_torchscript", "scaled_torchscript"};
    static const ib_layer_class hwc = {"hwc", hwc_forward};
    char path[400];
    if (i < IMPORTED) {
        snprintf(path, sizeof path, IB_TEST_SOURCE "/golden/onnx/%s.onnx", names[i]);
        return ib_import_onnx(path, dev);
    }
    ib_layer *net = i < SEEDS - 1
                        ? constants_network(i == IMPORTED ? BY_MASK : BY_SIGMOID, i == IMPORTED, 0, i != IMPORTED, 0)
                        : ib_sequential(ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 3, .kernel_h = 3}),
                                        ib_named("hwc", ib_layer_new(&hwc, 0)));
    if (!net || ib_layer_init(net, 1))
        abort();
    ib_layer_set_input(net, &(ib_input_info){.c = 1, .h = 8, .w = 8, .classes = 10, .std = 1});
    return net;
}

static void make_seeds(void)
{
    static const ib_profile profiles[] = {IB_TFLITE_DOUBLE, IB_FP32_RNE, IB_TFLITE_SINGLE, IB_XNNPACK};
    char path[100];
    dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    snprintf(path, sizeof path, "/tmp/isobit-fuzz-program-%ld.h5", (long)getpid());
    for (int i = 0; i < SEEDS; i++) {
        ib_layer *net = network(i);
        const ib_input_info in = *ib_layer_input(net);
        float *x = calloc((size_t)(20 * in.c * in.h * in.w), sizeof *x);
        int32_t *y = calloc(20, sizeof *y);
        for (int j = 0; j < 20 * in.c * in.h * in.w; j++)
            x[j] = ib_rng_normal((ib_rng){1, 2}, (uint64_t)j);
        ib_dataset *d = ib_dataset_new(20, in.c, in.h, in.w, in.classes, 0, x, y);
        ib_loader *l = ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 20});
        if (ib_qat_prepare(net, g, &(ib_qat_opts){.observer = "minmax", .profile = profiles[i % 4]}) ||
            ib_qat_calibrate(net, g, l, 1) || ib_qat_set_phase(net, g, IB_FROZEN))
            abort();
        ib_program *p = ib_program_lower(net, g);
        if (ib_export_hdf5(p, path))
            abort();
        seed[i] = taken(path, &seed_size[i]);
        ib_program_free(p);
        ib_loader_free(l);
        ib_dataset_free(d);
        ib_layer_free(net);
        free(x);
        free(y);
    }
    ib_graph_free(g);
}

/* First byte: the file; then edits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (!dev)
        make_seeds();
    if (size < 1)
        return 0;
    const int s = data[0] % SEEDS;
    snprintf(path, sizeof path, "/tmp/isobit-fuzz-program-%ld.h5", (long)getpid());
    write_edited(seed[s], seed_size[s], data + 1, size - 1, path);
    ib_program *p = ib_program_open(path);
    unlink(path);
    if (!p && (!*ib_error() || size < 8)) /* nothing is said, or nothing is changed */
        abort();
    if (p) {
        const int64_t n = ib_program_input_size(p), m = ib_program_output_size(p);
        int8_t *in = calloc((size_t)n, 1), *out = malloc((size_t)m);
        for (int64_t i = 0; i < n; i++)
            in[i] = (int8_t)(i * 37);
        ib_program_run(p, dev, 1, in, out);
        free(in);
        free(out);
    }
    ib_program_free(p);
    return 0;
}
