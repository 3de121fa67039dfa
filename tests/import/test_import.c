/* test_import.c - ONNX networks of PyTorch's two exporters and of Keras: outputs equal to ONNX Runtime's, through a
 * checkpoint, and as integers; damaged files. Broken by: a weight in another order, padding at the wrong side, a node
 * that is passed over. Golden data: tests/golden/make_onnx.py. */
#include "tests/numbers.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "files/file.h"
#include "layers/wired.h"

#define GOLDEN IB_TEST_SOURCE "/golden/onnx/"
static const char *const names[] = {"branches_torchscript", "branches_dynamo", "pooled_torchscript",
                                    "pooled_dynamo",        "keras",           "scaled_torchscript"};
static const int operators[] = {20, 20, 5, 5,
                                12, 8}; /* scales and shifts that follow each other are one, unless
                                                         something else reads what is between */
enum { N_NAMES = sizeof names / sizeof *names, N = 3 };

static ib_device *dev;
static ib_graph *g;

static const char *golden(const char *name, const char *end)
{
    static char path[400];
    snprintf(path, sizeof path, GOLDEN "%s.%s", name, end);
    return path;
}

/* The largest difference from the golden outputs. */
static double error_of(ib_layer *net, const char *name)
{
    size_t size;
    float *data = (float *)ib_file_read(golden(name, "bin"), &size);
    REQUIRE(data != NULL);
    const ib_input_info *in = ib_layer_input(net);
    const int64_t shape[] = {N, in->c, in->h, in->w}, inputs = N * in->c * in->h * in->w;
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, shape, data));
    REQUIRE(y && (size_t)(inputs + ib_tensor_size(y)) * 4 == size);
    const float *values = values_of(y);
    double worst = 0;
    for (int64_t i = 0; i < ib_tensor_size(y); i++)
        worst = fmax(worst, fabs((double)values[i] - data[inputs + i]));
    ib_free(data);
    return worst;
}

static void outputs_equal_onnx_runtime(void)
{
    for (int i = 0; i < N_NAMES; i++) {
        ib_layer *net = ib_import_onnx(golden(names[i], "onnx"), dev);
        if (!net)
            printf("\n    %s ", ib_error());
        REQUIRE(net != NULL);
        CHECK(error_of(net, names[i]) <= 1e-5);
        CHECK(ib_layer_child(net, operators[i] - 1) && !ib_layer_child(net, operators[i]));
        /* the checkpoint holds the network's description */
        char path[100];
        ib_checkpoint c = {0};
        snprintf(path, sizeof path, "/tmp/isobit-test-import-%ld.h5", (long)getpid());
        REQUIRE(!ib_checkpoint_save(path, net, NULL, &c));
        ib_layer *back = ib_checkpoint_open(path, g, &c);
        REQUIRE(back != NULL);
        CHECK(error_of(back, names[i]) <= 1e-5);
        unlink(path);
        ib_layer_free(back);
        ib_layer_free(net);
    }
}

static void imported_networks_become_integers(void)
{
    for (int i = 0; i < N_NAMES; i++) {
        ib_layer *net = ib_import_onnx(golden(names[i], "onnx"), dev);
        REQUIRE(net != NULL);
        const ib_input_info in = *ib_layer_input(net);
        const int64_t n = 40, size = (int64_t)in.c * in.h * in.w;
        float *x = malloc((size_t)(n * size) * sizeof *x);
        int32_t *y = calloc((size_t)n, sizeof *y);
        for (int64_t j = 0; j < n * size; j++)
            x[j] = ib_rng_normal((ib_rng){1, 2}, (uint64_t)j);
        ib_dataset *d = ib_dataset_new(n, in.c, in.h, in.w, in.classes, 0, x, y);
        ib_loader *l = ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 20});
        ib_verify_report r;
        CHECK(!ib_qat_prepare(net, g, &(ib_qat_opts){.observer = "minmax"}) && !ib_qat_calibrate(net, g, l, 2) &&
              !ib_qat_set_phase(net, g, IB_FROZEN));
        CHECK(error_of(net, names[i]) < 0.3);
        REQUIRE(!ib_verify(net, g, d, &(ib_verify_opts){.skip_compiled = 1}, &r));
        CHECK_INT(r.mismatches, 0);
        ib_program *p = ib_program_of(net, g); /* concatenations, tables and products of results go through a file,
                                                  too */
        char path[100];
        snprintf(path, sizeof path, "/tmp/isobit-test-import-%ld.h5", (long)getpid());
        REQUIRE(p && !ib_export_hdf5(p, path));
        ib_program *q = ib_program_open(path);
        REQUIRE(q != NULL);
        const int64_t codes = ib_program_input_size(p), out = ib_program_output_size(p);
        int8_t *a = malloc((size_t)codes), *b = malloc((size_t)out), *c = malloc((size_t)out);
        for (int64_t j = 0; j < codes; j++)
            a[j] = (int8_t)ib_rng_u32((ib_rng){1, 3}, (uint64_t)j);
        CHECK(!ib_program_run(p, dev, 1, a, b) && !ib_program_run(q, dev, 1, a, c) && !memcmp(b, c, (size_t)out));
        free(a), free(b), free(c);
        ib_program_free(q);
        ib_program_free(p);
        unlink(path);
        ib_verify_report_free(&r);
        ib_loader_free(l);
        ib_dataset_free(d);
        free(x);
        free(y);
        ib_layer_free(net);
    }
}

/* Short names that can be typed, the file's beside them, also through a checkpoint; the network has the file's. */
static void layers_have_two_names(void)
{
    ib_layer *net = ib_import_onnx(golden("pooled_torchscript", "onnx"), dev);
    REQUIRE(net != NULL);
    for (int i = 0; i < 2; i++) {
        CHECK(!strcmp(ib_layer_source(net), "pooled_torchscript"));
        CHECK(!strcmp(ib_layer_name(ib_layer_child(net, 0)), "conv1"));
        CHECK(!strcmp(ib_layer_source(ib_layer_child(net, 0)), "/conv/Conv"));
        CHECK(ib_param_find(net, "conv1.weight") && ib_param_find(net, "fc1.bias"));
        char path[100];
        ib_checkpoint c = {0};
        snprintf(path, sizeof path, "/tmp/isobit-test-import-%ld.h5", (long)getpid());
        REQUIRE(!ib_checkpoint_save(path, net, NULL, &c));
        ib_layer_free(net);
        REQUIRE((net = ib_checkpoint_open(path, g, &c)) != NULL);
        unlink(path);
    }
    ib_layer_free(net);
}

/* A tensor as a file of its own: dimensions below 128, type float32, raw data. */
static void put_tensor(const char *path, int n_dims, const int64_t *dims, const float *x)
{
    unsigned char head[64];
    size_t at = 0, n = 1;
    for (int i = 0; i < n_dims; i++) {
        head[at++] = 1 << 3;
        head[at++] = (unsigned char)dims[i];
        n *= (size_t)dims[i];
    }
    head[at++] = 2 << 3;
    head[at++] = 1;
    head[at++] = 9 << 3 | 2;
    for (size_t bytes = n * 4; bytes; bytes >>= 7)
        head[at++] = (unsigned char)((bytes & 127) | (bytes > 127 ? 128 : 0));
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(head, 1, at, f) == at && fwrite(x, 4, n, f) == n);
    fclose(f);
}

/* Samples beside the file, as in the model zoo: equal, or an error that names them. */
/* By a device of its own. */
static ib_layer *imported(const char *path)
{
    ib_device *own = ib_device_open(NULL);
    ib_layer *net = ib_import_onnx(path, own);
    ib_device_close(own);
    return net;
}

static void samples_beside_the_file(void)
{
    char dir[100], model[140], set[140], in[170], out[170];
    size_t size, bytes;
    snprintf(dir, sizeof dir, "/tmp/isobit-test-import-%ld.d", (long)getpid());
    snprintf(model, sizeof model, "%s/model.onnx", dir);
    snprintf(set, sizeof set, "%s/test_data_set_0", dir);
    snprintf(in, sizeof in, "%s/input_0.pb", set);
    snprintf(out, sizeof out, "%s/output_0.pb", set);
    unsigned char *m = ib_file_read(golden("pooled_torchscript", "onnx"), &size);
    float *data = (float *)ib_file_read(golden("pooled_torchscript", "bin"), &bytes), *y = data + N * 3 * 9 * 7;
    REQUIRE(m && data && bytes == (N * 3 * 9 * 7 + N * 3) * sizeof *data);
    REQUIRE(!mkdir(dir, 0700) && !mkdir(set, 0700) && !ib_file_replace(model, m, size));
    put_tensor(in, 4, (int64_t[]){N, 3, 9, 7}, data);
    put_tensor(out, 2, (int64_t[]){N, 3}, y);
    ib_layer *net = imported(model);
    CHECK(net != NULL);
    ib_layer_free(net);
    y[4] += 0.5f;
    put_tensor(out, 2, (int64_t[]){N, 3}, y);
    CHECK_ERROR(imported(model) == NULL, "output 4 of the samples of");
    put_tensor(out, 2, (int64_t[]){N, 2}, y);
    CHECK_ERROR(imported(model) == NULL, "has 9 outputs");
    unlink(in), unlink(out), unlink(model), rmdir(set), rmdir(dir);
    ib_free(m);
    ib_free(data);
}

/* Cut at every length, and every fifth byte wrong: an error of one line or a network, never a crash. */
static void damaged_files(void)
{
    size_t size;
    char path[100];
    snprintf(path, sizeof path, "/tmp/isobit-test-import-%ld.onnx", (long)getpid());
    unsigned char *bytes = ib_file_read(golden("pooled_torchscript", "onnx"), &size);
    REQUIRE(bytes != NULL);
    for (size_t i = 0; i < 2 * size; i += i < size ? 1 : 5) {
        FILE *f = fopen(path, "wb");
        unsigned char old = bytes[i % size];
        if (i >= size)
            bytes[i % size] ^= (unsigned char)(1 + i % 255);
        REQUIRE(f && fwrite(bytes, 1, i < size ? i : size, f) == (i < size ? i : size));
        fclose(f);
        bytes[i % size] = old;
        ib_layer *net = imported(path);
        if (!net)
            CHECK(*ib_error() && !strchr(ib_error(), '\n'));
        ib_layer_free(net);
    }
    unlink(path);
    ib_free(bytes);
}

/* Weights beside the model: missing, cut at every length, or said to lie outside of the folder. */
static void weights_in_another_file(void)
{
    char model[100], data[120];
    size_t size, bytes;
    snprintf(model, sizeof model, "/tmp/isobit-test-import-%ld.onnx", (long)getpid());
    snprintf(data, sizeof data, "/tmp/pooled_dynamo.onnx.data");
    unsigned char *m = ib_file_read(golden("pooled_dynamo", "onnx"), &size),
                  *w = ib_file_read(golden("pooled_dynamo", "onnx.data"), &bytes);
    REQUIRE(m && w && !ib_file_replace(model, m, size));
    CHECK_ERROR(imported(model) == NULL, "pooled_dynamo.onnx.data");
    for (size_t i = 0; i < bytes; i += 7) {
        REQUIRE(!ib_file_replace(data, w, i));
        CHECK_ERROR(imported(model) == NULL, "pooled_dynamo.onnx.data");
    }
    REQUIRE(!ib_file_replace(data, w, bytes));
    ib_layer *net = imported(model);
    CHECK(net != NULL);
    ib_layer_free(net);
    unlink(data);
    for (size_t i = 0; i + 19 <= size; i++)
        if (!memcmp(m + i, "pooled_dynamo.onnx.", 19))
            memcpy(m + i, "../led_dynamo.onnx.", 19);
    REQUIRE(!ib_file_replace(model, m, size));
    CHECK_ERROR(imported(model) == NULL, "not in the model's folder");
    unlink(model);
    ib_free(m);
    ib_free(w);
}

static void descriptions_are_checked(void)
{
    static const char *const bad[][2] = {{"", "does not begin"},
                                         {"isobit network 1\n", "no operators"},
                                         {"isobit network 1\na parrot 0\n", "no known operator"},
                                         {"isobit network 1\na relu 1\n", "no earlier value"},
                                         {"isobit network 1\na add 0\n", "1 inputs"},
                                         {"isobit network 1\na conv 0 in=3 out=4 groups=2\n", "groups"},
                                         {"isobit network 1\na conv 0 in=x\n", "'in'"},
                                         {"isobit network 1\na max_pool 0 kh=0\n", "window"},
                                         {"isobit network 1\na flatten 0 order=whc\n", "'order'"},
                                         {"isobit network 1\na relu 0 order=hwc\n", "'order'"},
                                         {"isobit network 1\na\030 relu 0\n", "control character"},
                                         {"isobit network 1\na relu 0 eps=1\n", "'eps'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(ib_wired_network(bad[i][0]) == NULL, bad[i][1]);
}

/* Rows of images in the order of a network whose channels lie last. */
static void rows_have_an_order(void)
{
    float x[24];
    ib_device *device = ib_device_open(NULL);
    ib_graph *graph = ib_graph_new(device);
    for (int i = 0; i < 24; i++)
        x[i] = (float)i;
    for (int hwc = 0; hwc < 2; hwc++) {
        ib_layer *net = ib_wired_network(hwc ? "isobit network 1\na flatten 0 order=hwc\n"
                                             : "isobit network 1\na flatten 0 order=chw\n");
        REQUIRE(net && !ib_layer_init(net, 1));
        ib_graph_begin(graph, IB_EVAL);
        ib_tensor *y = ib_layer_forward(graph, net, ib_input(graph, 4, (int64_t[]){2, 2, 3, 2}, x));
        REQUIRE(y && ib_tensor_ndim(y) == 2 && ib_tensor_shape(y)[1] == 12);
        for (int i = 0; i < 2; i++)
            for (int c = 0; c < 2; c++)
                for (int p = 0; p < 6; p++)
                    CHECK(values_of(y)[i * 12 + (hwc ? p * 2 + c : c * 6 + p)] == x[i * 12 + c * 6 + p]);
        ib_layer_free(net);
    }
    ib_graph_free(graph);
    ib_device_close(device);
}

/* Also the blocks that protobuf-c asks for. */
static void every_allocation_may_fail(void)
{
    ib_device *own = ib_device_open(NULL);
    int64_t n, failed = 0;
    REQUIRE(own != NULL);
    for (n = 1; n < 20000; n++) {
        ib_alloc_fail_at(n);
        ib_layer *net = ib_import_onnx(golden("pooled_dynamo", "onnx"), own);
        const int64_t made = ib_alloc_fail_at(0);
        failed += !net;
        CHECK(net || ib_error_status() == IB_ENOMEM);
        ib_layer_free(net);
        if (made < n)
            break;
    }
    printf("%lld allocations, %lld of them needed ", (long long)n - 1, (long long)failed);
    CHECK(n > 300 && n < 20000 && failed >= n - 10);
    ib_device_close(own);
}

static void all(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    REQUIRE(g != NULL);
    outputs_equal_onnx_runtime();
    imported_networks_become_integers();
    layers_have_two_names();
    ib_graph_free(g);
    ib_device_close(dev);
}

SUITE("import", T(all), T(samples_beside_the_file), T(damaged_files), T(weights_in_another_file),
      T(every_allocation_may_fail), T(descriptions_are_checked), T(rows_have_an_order))
