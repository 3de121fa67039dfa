/* runtimes.c PYTHON SCRIPT - networks of every operator and width in ONNX Runtime and LiteRT: each output integer is
 * that of the integer program. Broken by: a layout not turned, a zero point, clamp or padding that is said otherwise, a
 * runtime that rounds differently than its profile says. Exits 77 (skipped) where the Python has not the runtimes,
 * unless ISOBIT_REQUIRE_RUNTIMES is set. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <isobit/isobit.h>

#include "tests/qat/constants.h"
#include "tests/export/rows.h"

enum { N = 150, FEW = 20 }; /* samples: more than one batch of the script, the last one shorter; in an emulator */

static ib_device *dev;
static ib_graph *g;
static ib_loader *loader;
static ib_dataset *data;
static const char *python, *script;
static char dir[64];
static int failures, runs;

static void stop(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, ib_error());
    exit(1);
}

static void put(const char *name, const void *p, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, bytes, f) != bytes || fclose(f))
        stop(path);
}

static void *get(const char *name, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    void *p = malloc(bytes + 1);
    if (!f || fread(p, 1, bytes + 1, f) != bytes)
        stop(path);
    fclose(f);
    return p;
}

/* A model's file, its inputs' and its outputs' are named after its number. */
typedef struct job {
    char what[40];
    const char *engine, *form;
    int emulated; /* also where processors are emulated */
    int64_t size;
    float scale;
    int zero;
    int8_t *want;
} job;
static job jobs[800];
static int n_jobs;

static const char *model_path(void)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/%d.model", dir, n_jobs);
    return path;
}

static int is_onnx(const job *j)
{
    return !strcmp(j->engine, "onnxruntime");
}

/* The model that model_path() has is to give `want`. */
static void expect(const char *what, ib_program *p, const char *engine, const char *form, int emulated, const float *x,
                   const int8_t *codes, const int8_t *want)
{
    job *j = &jobs[n_jobs];
    const int64_t in = ib_program_input_size(p) * N;
    char name[32];
    if (n_jobs + 1 == (int)(sizeof jobs / sizeof *jobs))
        stop("more jobs than there is room for");
    *j = (job){.engine = engine,
               .form = form,
               .emulated = emulated,
               .size = ib_program_output_size(p) * N,
               .scale = ib_program_output_scale(p),
               .zero = ib_program_output_zero(p)};
    snprintf(j->what, sizeof j->what, "%s", what);
    snprintf(name, sizeof name, "%d.in", n_jobs++);
    /* one channel: C,H,W is H,W,C */
    put(name, is_onnx(j) ? (const void *)x : codes, (size_t)in * (is_onnx(j) ? 4 : 1));
    j->want = malloc((size_t)j->size);
    memcpy(j->want, want, (size_t)j->size);
}

/* All models of an engine in one process, on `cpu` if one is named, and the codes that differ. */
static void run(const char *engine, const char *cpu)
{
    static char command[120000];
    size_t n = 0;
    const int samples = cpu ? FEW : N;
    int taken = 0;
    if (cpu)
        n += (size_t)snprintf(command + n, sizeof command - n, "qemu-x86_64 -cpu %s ", cpu);
    n += (size_t)snprintf(command + n, sizeof command - n, "'%s' '%s' %s", python, script, engine);
    for (int i = 0; i < n_jobs; i++)
        if (!strcmp(jobs[i].engine, engine) && (!cpu || jobs[i].emulated) && ++taken)
            n += (size_t)snprintf(command + n, sizeof command - n, " %s/%d.model %s/%d.in %s/%d.out %d", dir, i, dir, i,
                                  dir, i, samples);
    if (!taken)
        return;
    snprintf(command + n, sizeof command - n, " 2>%s/log || { tail -n 1 %s/log; exit 1; }", dir, dir);
    fflush(stdout);
    if (n + 200 > sizeof command || system(command)) {
        printf("%s%s%s did not run\n", engine, cpu ? " on " : "", cpu ? cpu : "");
        failures++;
        return;
    }
    for (int i = 0; i < n_jobs; i++) {
        const job *j = &jobs[i];
        char name[32];
        if (strcmp(j->engine, engine) || (cpu && !j->emulated))
            continue;
        const int64_t size = j->size / N * samples;
        snprintf(name, sizeof name, "%d.out", i);
        void *out = get(name, (size_t)size * (is_onnx(j) ? 4 : 1));
        int64_t wrong = 0;
        for (int64_t k = 0; k < size; k++)
            wrong += j->want[k] !=
                     (is_onnx(j) ? (int8_t)(lrintf(((float *)out)[k] / j->scale) + j->zero) : ((int8_t *)out)[k]);
        if (wrong)
            printf("%-24s %-12s %-10s %s: %lld of %lld codes differ\n", j->what, j->form, cpu ? cpu : "here", engine,
                   (long long)wrong, (long long)size);
        failures += wrong != 0;
        runs++;
        free(out);
    }
}

static void train(ib_layer *net, int steps)
{
    ib_optim *opt = ib_adamw_new(net, dev, NULL);
    ib_batch b;
    for (int i = 0; i < steps; i++) {
        if (!ib_loader_next(loader, &b)) {
            ib_loader_start(loader, i, 0);
            ib_loader_next(loader, &b);
        }
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *loss = ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)), b.y, 0);
        if (!loss || ib_backward(g, loss) || ib_optim_step(opt))
            stop("training");
    }
    ib_optim_free(opt);
}

/* Each form of the network, with inputs x, is to give the codes of its integer program. */
static void expect_all(const char *what, ib_layer *net, int grouped, int emulated, const float *x)
{
    static const ib_profile profiles[] = {IB_TFLITE_DOUBLE, IB_FP32_RNE, IB_XNNPACK};
    for (int i = 0; i < 3; i++) {
        const ib_profile profile = profiles[i];
        ib_program *p = ib_qat_set_profile(net, profile) ? NULL : ib_program_of(net, g);
        if (!p)
            stop(what);
        int8_t *codes = malloc((size_t)ib_program_input_size(p) * N),
               *want = malloc((size_t)ib_program_output_size(p) * N);
        ib_program_quantize(p, dev, N, x, codes);
        if (ib_program_run(p, dev, N, codes, want))
            stop(what);
        if (!grouped && profile != IB_FP32_RNE) {
            if (ib_export_tflite(p, model_path(), "net", NULL))
                stop(what);
            expect(what, p, profile == IB_XNNPACK ? "litert" : "litert-reference", ib_profile_name(profile), emulated,
                   x, codes, want);
        }
        for (int qdq = 0; qdq < 2 && profile != IB_TFLITE_DOUBLE; qdq++) {
            if (ib_export_onnx(p, model_path(), "net", &(ib_onnx_opts){.qdq = qdq}))
                stop(what);
            expect(what, p, "onnxruntime", qdq ? "QDQ" : "QOperator", emulated, x, codes, want);
        }
        free(codes);
        free(want);
        ib_program_free(p);
    }
}

static void check(const char *what, ib_layer *net, int emulated, const ib_qat_opts *o)
{
    ib_batch b;
    ib_loader *l = ib_loader_new(data, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = N});
    if (!net || !l || ib_layer_init(net, 1))
        stop(what);
    const ib_input_info info = ib_dataset_info(data);
    ib_layer_set_input(net, &info);
    train(net, 20);
    if (ib_qat_begin(net, g, loader, o))
        stop(what);
    train(net, 20);
    if (ib_qat_set_phase(net, g, IB_FROZEN))
        stop(what);
    ib_loader_start(l, 0, 0);
    ib_loader_next(l, &b);
    expect_all(what, net, o->granularity == IB_PER_GROUP, emulated, b.x);
    ib_loader_free(l);
    ib_layer_free(net);
}

/* Products at their ends: each weight is the least or the largest, each input black or white. */
static void check_ends(const char *what, ib_layer *net, const ib_qat_opts *o)
{
    static float x[N * 64];
    if (!net || ib_layer_init(net, 1))
        stop(what);
    const ib_input_info info = ib_dataset_info(data);
    ib_layer_set_input(net, &info);
    for (int i = 0; i < ib_param_count(net); i++) {
        ib_tensor *t = ib_param_at(net, i);
        int64_t n = ib_tensor_ndim(t) > 1;
        for (int d = 0; d < ib_tensor_ndim(t); d++)
            n *= ib_tensor_shape(t)[d];
        for (int64_t k = 0; k < n; k++) /* most of a row alike, as of an edge: there sums are large */
            ib_tensor_f32(t)[k] = ib_rng_uniform((ib_rng){7, (uint64_t)i}, (uint64_t)(k / 4)) < 0.5f ? -0.1f : 0.1f;
    }
    for (int i = 0; i < N * 64; i++)
        x[i] = ib_rng_uniform((ib_rng){8, 0}, (uint64_t)i) < 0.5f ? 0.0f : 1.0f;
    if (ib_qat_prepare(net, g, o) || ib_qat_calibrate(net, g, loader, 4) || ib_qat_set_phase(net, g, IB_FROZEN))
        stop(what);
    expect_all(what, net, 0, 1, x);
    ib_layer_free(net);
}

/* Channels that are and are not multiples of what kernels take at a time; pointwise, depthwise, two outputs a
 * channel, groups, wide rows. */
static ib_layer *shapes(void)
{
    return ib_sequential(
        ib_named("first",
                 ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 33, .kernel_h = 3, .pad_h = 1, .pad_w = 1})),
        ib_relu_layer(), ib_named("odd", ib_conv2d_layer(&(ib_conv2d_config){.in = 33, .out = 64, .kernel_h = 1})),
        ib_relu_layer(), ib_named("depth", ib_depthwise_layer(64, 3, 1, 1)), ib_relu_layer(),
        ib_named("twice", ib_conv2d_layer(&(ib_conv2d_config){.in = 64, .out = 128, .kernel_h = 3, .groups = 64})),
        ib_relu_layer(),
        ib_named("groups", ib_conv2d_layer(&(ib_conv2d_config){.in = 128, .out = 36, .kernel_h = 3, .groups = 4})),
        ib_relu_layer(),
        ib_named("wide",
                 ib_conv2d_layer(&(ib_conv2d_config){.in = 36, .out = 48, .kernel_h = 3, .pad_h = 1, .pad_w = 1})),
        ib_relu_layer(), ib_flatten_layer(), ib_named("fc", ib_linear_layer(48 * 16, 31)), ib_relu_layer(),
        ib_named("out", ib_linear_layer(31, 10)));
}

static ib_tensor *branches_forward(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    ib_tensor *p = ib_layer_forward_float(graph, ib_layer_child(self, 0), x),
              *q = ib_layer_forward_float(graph, ib_layer_child(self, 1), x);
    ib_tensor *all =
        ib_concat(graph, (ib_tensor *[]){ib_sigmoid(graph, p), ib_tanh(graph, q), ib_mul(graph, p, q), x}, 4, 1);
    return ib_max_pool(
        graph, all,
        &(ib_pool_opts){.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1});
}

/* Concat, sigmoid, tanh, mul, padded pooling, average pooling, ReLU6, grouped and strided convolutions, a batch norm
 * by itself. */
static ib_layer *everything(void)
{
    static const ib_layer_class cls = {"branches", branches_forward};
    ib_layer *l = ib_layer_new(&cls, 0);
    if (!l ||
        ib_layer_add(l, ib_named("a", ib_conv2d_layer(&(ib_conv2d_config){
                                          .in = 1, .out = 3, .kernel_h = 3, .pad_h = 1, .pad_w = 1}))) ||
        ib_layer_add(l, ib_named("b", ib_conv2d_layer(&(ib_conv2d_config){
                                          .in = 1, .out = 3, .kernel_h = 5, .kernel_w = 3, .pad_h = 2, .pad_w = 1}))))
        stop("everything");
    return ib_sequential(
        ib_named("branches", l), ib_named("alone", ib_batch_norm_layer(10)),
        ib_named("grouped", ib_conv2d_layer(&(ib_conv2d_config){.in = 10, .out = 20, .kernel_h = 2, .groups = 5})),
        ib_relu6_layer(),
        ib_named("strided", ib_conv2d_layer(&(ib_conv2d_config){
                                .in = 20, .out = 12, .kernel_h = 3, .stride = 2, .pad_h = 1, .pad_w = 1})),
        ib_relu_layer(), ib_named("wide", ib_depthwise_layer(12, 3, 1, 0)), ib_named("avg", ib_avg_pool_layer(2, 1)),
        ib_flatten_layer(), ib_named("fc", ib_linear_layer(12, 16)), ib_relu6_layer(),
        ib_named("bn2", ib_batch_norm_layer(16)), ib_named("out", ib_linear_layer(16, 10)));
}

/* Python itself is what is emulated, so it has to be of the kind that QEMU emulates. */
static int can_emulate(void)
{
#ifdef __x86_64__
    if (!system("qemu-x86_64 -cpu Haswell /bin/true >/dev/null 2>&1"))
        return 1;
    printf("no qemu-x86_64 (Debian's qemu-user): other kinds of processor are not checked\n");
    failures += getenv("ISOBIT_REQUIRE_RUNTIMES") != NULL;
#endif
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"}, *const bits[] = {"w8a8", "w4a8", "w2a8",
                                                                                               "w4a4"};
    if (argc != 3)
        return fprintf(stderr, "usage: runtimes PYTHON SCRIPT\n"), 2;
    python = argv[1];
    script = argv[2];
    char command[400];
    snprintf(command, sizeof command, "'%s' -c 'import numpy, onnxruntime, ai_edge_litert' 2>/dev/null", python);
    if (system(command)) {
        printf("%s has not numpy, onnxruntime and ai_edge_litert: scripts/runtimes makes a Python that has them\n",
               python);
        return getenv("ISOBIT_REQUIRE_RUNTIMES") ? 1 : 77;
    }
    snprintf(dir, sizeof dir, "/tmp/isobit-test-runtimes-XXXXXX");
    if (!mkdtemp(dir) || !(dev = ib_device_open(NULL)) || !(g = ib_graph_new(dev)) ||
        !(data = ib_digits_new(IB_SPLIT_TEST)) ||
        !(loader = ib_loader_new(data, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 64})))
        stop("beginning");
    ib_loader_start(loader, 0, 0);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            char what[64];
            ib_qat_opts o = {0};
            snprintf(what, sizeof what, "%s %s", models[i], bits[j]);
            if (ib_qat_bits_parse(bits[j], &o))
                stop(what);
            if ((i + j) % 2 == 0 || j < 2) /* half of the rarer ones */
                check(what, ib_model_new(models[i], 1, 8, 8, 10), j == 0 || (i == 2 && j == 1), &o);
        }
    check("everything w8a8", everything(), 1, &(ib_qat_opts){0});
    check("everything w4a4", everything(), 0, &(ib_qat_opts){.weight_bits = 4, .act_bits = 4});
    check("everything per tensor", everything(), 1, &(ib_qat_opts){.granularity = IB_PER_TENSOR, .symmetric = 1});
    check("lenet w4a8 groups", ib_model_new("lenet", 1, 8, 8, 10), 1,
          &(ib_qat_opts){.weight_bits = 4, .granularity = IB_PER_GROUP});
    for (int kind = 0; kind < N_CONSTANTS; kind++) { /* factors and summands of every shape, of images and of rows */
        char what[64];
        snprintf(what, sizeof what, "constant %d", kind);
        check(what, constants_network(kind, kind % 2, kind % 3 == 0, 1, 0), 0, &(ib_qat_opts){0});
        check(what, constants_network(kind, (kind + 1) % 2, 0, 0, 1), 0, &(ib_qat_opts){0});
    }
    for (int orders = 0; orders < 4; orders++) { /* every reader of rows, each in one network; and those that cannot
                                                    be joined */
        static const int readers[] = {ROWS_ALL, ROWS_OUTPUT, ROWS_CONCAT, ROWS_AGAIN};
        for (int i = 0; i < 4; i++) {
            char what[64];
            snprintf(what, sizeof what, "rows %d in orders %d", readers[i], orders);
            if (readers[i] == ROWS_ALL || readers[i] % 2 == orders % 2) /* the others by halves */
                check(what, rows_network(readers[i], orders & 1, orders >> 1, 0), 0,
                      &(ib_qat_opts){.act_bits = i == 3 ? 4 : 8});
        }
    }
    check_ends("ends w8a8", shapes(), &(ib_qat_opts){0});
    check_ends("ends w8a8 per tensor", shapes(), &(ib_qat_opts){.granularity = IB_PER_TENSOR});
    check_ends("ends w4a8", shapes(), &(ib_qat_opts){.weight_bits = 4, .weight_observer = "absmax"});
    run("onnxruntime", NULL);
    run("litert", NULL);
    run("litert-reference", NULL);
    /* Haswell has AVX2 without VNNI, Nehalem SSE alone: whatever is here, another kind is checked too. */
    if (can_emulate())
        for (int i = 0; i < 4; i++)
            run(i % 2 ? "litert" : "onnxruntime", i / 2 ? "Nehalem" : "Haswell");
    for (int i = 0; i < n_jobs; i++)
        free(jobs[i].want);
    ib_loader_free(loader);
    ib_dataset_free(data);
    ib_graph_free(g);
    ib_device_close(dev);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    printf("%d runs, %d failed\n", runs, failures);
    return system(command) || failures ? 1 : 0;
}
