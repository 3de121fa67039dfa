/* fuzz_program.c - integer programs whose file is whole, but says other things than a network would: the input edits attributes and data of a good
 * file. What opens must run. */
#include "tests/fuzz/fuzz.h"

#include <hdf5_hl.h>

#include "export/h5.h"
#include "export/program.h"

enum { MOST = 512, SEEDS = 3 };

typedef struct place {
    char object[200], attribute[40]; /* attribute "": the object is a dataset */
} place;
static place places[MOST];
static int n_places;

static herr_t see_attribute(hid_t object, const char *name, const H5A_info_t *info, void *path)
{
    (void)object, (void)info;
    if (n_places < MOST) {
        snprintf(places[n_places].object, sizeof places->object, "%s", (const char *)path);
        snprintf(places[n_places++].attribute, sizeof places->attribute, "%s", name);
    }
    return 0;
}

static herr_t see_object(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
    (void)context;
    if (info->type == H5O_TYPE_DATASET && n_places < MOST) {
        snprintf(places[n_places].object, sizeof places->object, "%s", name);
        *places[n_places++].attribute = 0;
    }
    const hid_t o = H5Oopen(root, name, H5P_DEFAULT);
    H5Aiterate2(o, H5_INDEX_NAME, H5_ITER_INC, NULL, see_attribute, (void *)name);
    H5Oclose(o);
    return 0;
}

/* Element `at` of a place becomes `value`. */
static void edit(hid_t f, const place *p, unsigned at, int32_t value)
{
    enum { ROOM = 1 << 16 };
    static int64_t data[ROOM];
    const hid_t o = H5Oopen(f, p->object, H5P_DEFAULT), a = o >= 0 && *p->attribute ? H5Aopen(o, p->attribute, H5P_DEFAULT) : -1;
    const hid_t space = *p->attribute ? H5Aget_space(a) : H5Dget_space(o), type = *p->attribute ? H5Aget_type(a) : H5Dget_type(o);
    const int64_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : 0;
    if (n > 0 && n <= ROOM && type >= 0 && H5Tget_class(type) == H5T_INTEGER) {
        if (*p->attribute ? H5Aread(a, H5T_NATIVE_INT64, data) >= 0 : H5Dread(o, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0) {
            data[at % n] = value;
            if (*p->attribute)
                H5Awrite(a, H5T_NATIVE_INT64, data);
            else
                H5Dwrite(o, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
        }
    }
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (a >= 0)
        H5Aclose(a);
    if (o >= 0)
        H5Oclose(o);
}

static unsigned char *seed[SEEDS];
static size_t seed_size[SEEDS];
static ib_device *dev;

static void make_seeds(void)
{
    static const char *const names[] = {"branches_torchscript", "pooled_torchscript", "scaled_torchscript"};
    static const ib_profile profiles[] = {IB_TFLITE_DOUBLE, IB_FP32_RNE, IB_TFLITE_SINGLE};
    char path[400];
    dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    for (int i = 0; i < SEEDS; i++) {
        snprintf(path, sizeof path, IB_TEST_SOURCE "/golden/onnx/%s.onnx", names[i]);
        ib_layer *net = ib_import_onnx(path);
        const ib_input_info in = *ib_layer_input(net);
        float *x = calloc((size_t)(20 * in.c * in.h * in.w), sizeof *x);
        int32_t *y = calloc(20, sizeof *y);
        for (int j = 0; j < 20 * in.c * in.h * in.w; j++)
            x[j] = ib_rng_normal((ib_rng){1, 2}, (uint64_t)j);
        ib_dataset *d = ib_dataset_new(20, in.c, in.h, in.w, in.classes, 0, x, y);
        ib_loader *l = ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 20});
        snprintf(path, sizeof path, "/tmp/isobit-fuzz-program-%ld.h5", (long)getpid());
        if (ib_qat_prepare(net, g, &(ib_qat_opts){.observer = "minmax", .profile = profiles[i]}) || ib_qat_calibrate(net, g, l, 1) || ib_qat_set_phase(net, g, IB_FROZEN))
            abort();
        ib_program *p = ib_program_lower(net, g);
        if (ib_export_hdf5(p, path))
            abort();
        FILE *f = fopen(path, "rb");
        seed[i] = malloc(1 << 20);
        seed_size[i] = f ? fread(seed[i], 1, 1 << 20, f) : 0;
        fclose(f);
        unlink(path);
        ib_program_free(p);
        ib_loader_free(l);
        ib_dataset_free(d);
        ib_layer_free(net);
        free(x);
        free(y);
    }
    ib_graph_free(g);
}

/* First byte: the file; then edits of seven bytes: place (2), element, value (4). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TRAILER = 49, EDIT = 7, EDITS = 8 };
    char path[64];
    if (!dev)
        make_seeds();
    if (size < 1 + EDIT)
        return 0;
    const int s = data[0] % SEEDS;
    const hid_t f = H5LTopen_file_image(seed[s], seed_size[s] - TRAILER, H5LT_FILE_IMAGE_OPEN_RW);
    if (f < 0)
        abort();
    n_places = 0;
    H5Ovisit(f, H5_INDEX_NAME, H5_ITER_INC, see_object, NULL);
    for (size_t k = 0; k < EDITS && 1 + (k + 1) * EDIT <= size; k++) {
        const uint8_t *e = data + 1 + k * EDIT;
        int32_t value;
        memcpy(&value, e + 3, 4);
        edit(f, &places[(e[0] | e[1] << 8) % n_places], e[2], value);
    }
    snprintf(path, sizeof path, "/tmp/isobit-fuzz-program-%ld.h5", (long)getpid());
    if (ib_h5_finish(f, path))
        abort();
    ib_program *p = ib_program_open(path);
    unlink(path);
    if (!p && !*ib_error())
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
