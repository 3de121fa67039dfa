/* test_cuda_libraries.c - NVIDIA's libraries, which stand-ins are on the host: where they are found, what is said where
 * one is missing, older or lacks a function, what ISOBIT_CUDA_MATH allows, and which products they compute. Broken by:
 * a library that serves though it must not, or does not though it may; a plan of another shape; a product of codes that
 * forgets a zero point. */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "tests/cuda/host_plugin.h"

/* A device that seeks libraries in that folder, NULL if it is refused. */
static ib_device *open_with(const char *folder, const char *math)
{
    folder ? setenv("ISOBIT_CUDA_LIBRARIES", beside(folder), 1) : unsetenv("ISOBIT_CUDA_LIBRARIES");
    math ? setenv("ISOBIT_CUDA_MATH", math, 1) : unsetenv("ISOBIT_CUDA_MATH");
    return ib_device_open("cuda:host");
}

/* Whether what computes its products is told with these words. */
static int says(const ib_device *dev, const char *words)
{
    const int ok = dev && strstr(ib_device_products(dev), words) && !strchr(ib_device_products(dev), '\n');
    if (!ok)
        printf("\n    '%s' lacks '%s'\n", dev ? ib_device_products(dev) : ib_error(), words);
    return ok;
}

/* Opens with that folder and math; the words hold. */
static void opens(const char *folder, const char *math, const char *words, const char *more)
{
    ib_device *dev = open_with(folder, math);
    CHECK(says(dev, words) && says(dev, more));
    ib_device_close(dev);
}

static void refused(const char *folder, const char *math, const char *words)
{
    ib_device *dev = open_with(folder, math);
    CHECK_ERROR(!dev, words);
    CHECK(!strchr(ib_error(), '\n'));
    ib_device_close(dev);
}

static void what_serves_is_said(void)
{
    if (!has_plugin())
        return;
    opens("libraries", NULL, "fp32: products by cuBLASLt 13.0.0 (", "convolutions by cuDNN 9.28.0 (");
    opens("libraries", "tf32", "tf32: ", "cuBLASLt 13.0.0");
    opens("libraries", "own", "own kernels", "");
    opens(NULL, NULL, "products by own kernels (libisobit_host_cublasLt.so is not found)", "cudnn.so is not found)");
    opens("libraries_alone", NULL, "products by own kernels (", "convolutions by cuDNN 9.28.0 (");
    opens("libraries_alone", "own", "own kernels", "");
    refused("libraries", "fast", "ISOBIT_CUDA_MATH is 'fast', it can be own, fp32, tf32 or bf16");
    refused("libraries_alone", "bf16", "ISOBIT_CUDA_MATH=bf16 wants cuBLASLt");
    refused(NULL, "tf32", "ISOBIT_CUDA_MATH=tf32 wants cuBLASLt");
    refused("nowhere", NULL, "no library serves");
    refused("libraries_old", NULL, "own kernels (cuBLASLt 11.4 is older than 12.0)");
    refused("libraries_old", NULL, "is older than 9.0)");
    refused("libraries_lacking", NULL, " lacks cublasLtMatmul)");
}

/* A library that was cut short is none: mapped beyond its end it would end the process. */
static void what_is_cut_short_does_not_serve(void)
{
    if (!has_plugin())
        return;
    char folder[4096], path[4200];
    size_t n = 0;
    unsigned char *bytes = ib_file_read(beside("libraries/libisobit_host_cublasLt.so"), &n);
    snprintf(folder, sizeof folder, "%s", beside("libraries_cut"));
    snprintf(path, sizeof path, "%s/libisobit_host_cublasLt.so", folder);
    mkdir(folder, 0700);
    for (size_t left = n / 4; left < n; left += n / 4 - 1) {
        FILE *f = fopen(path, "wb");
        REQUIRE(bytes && f && fwrite(bytes, 1, left, f) == left && !fclose(f));
        refused("libraries_cut", NULL, "no library serves");
    }
    ib_free(bytes);
    REQUIRE(!remove(path) && !rmdir(folder));
}

/* A folder of Python's packages below `prefix`, which is left in an environment variable as `value`. */
static void found_in(const char *variable, const char *value, const char *prefix)
{
    char path[400], made[500];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/lib/python3.11/site-packages/nvidia/cu13/lib/", prefix);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    snprintf(made, sizeof made, "%slibisobit_host_cublasLt.so", path);
    unsigned char *bytes = ib_file_read(beside("libraries/libisobit_host_cublasLt.so"), &n);
    FILE *f = fopen(made, "wb");
    REQUIRE(bytes && f && fwrite(bytes, 1, n, f) == n &&
            !fclose(f)); /* a file of its own: a loaded one is not sought */
    ib_free(bytes);
    char *before = getenv(variable) ? strdup(getenv(variable)) : NULL;
    setenv(variable, value, 1);
    opens(NULL, "tf32", prefix, "convolutions by own kernels");
    before ? setenv(variable, before, 1) : unsetenv(variable);
    free(before);
    REQUIRE(!remove(made));
    for (*strrchr(path, '/') = 0; strlen(path) >= strlen(prefix); *strrchr(path, '/') = 0)
        REQUIRE(!rmdir(path));
}

static void packages_of_python_are_found(void)
{
    char folder[300], value[400], below[400];
    const char *base = getenv("TMPDIR");
    if (!has_plugin())
        return;
    snprintf(folder, sizeof folder, "%s/isobit_prefix_%ld", base ? base : "/tmp", (long)getpid());
    found_in("VIRTUAL_ENV", folder, folder);
    found_in("CONDA_PREFIX", folder, folder);
    snprintf(value, sizeof value, "bin:/nowhere/bin:%s/bin/:/usr/bin", folder);
    found_in("PATH", value, folder);
    REQUIRE(!mkdir(folder, 0700));
    snprintf(below, sizeof below, "%s/.local", folder);
    found_in("HOME", folder, below);
    REQUIRE(!rmdir(folder));
    refused(NULL, "tf32", "wants cuBLASLt");
}

/* ---- which products they compute ---- */

/* How many the stand-in has begun. */
static unsigned long begun(const char *library)
{
    char file[60], symbol[60];
    snprintf(file, sizeof file, "libraries/libisobit_host_%s.so", !strcmp(library, "cudnn") ? "cudnn" : "cublasLt");
    snprintf(symbol, sizeof symbol, "ib_host_%s_calls", library);
    void *handle = dlopen(beside(file), RTLD_NOW | RTLD_NOLOAD);
    const unsigned long *calls = handle ? dlsym(handle, symbol) : NULL;
    REQUIRE(calls != NULL);
    dlclose(handle);
    return *calls;
}

static void *put(ib_device *dev, const void *x, size_t bytes)
{
    void *p = dev->v.allocate(dev, bytes);
    REQUIRE(p != NULL);
    dev->v.upload(dev, p, x, bytes);
    return p;
}

/* Numbers with 12 bits behind the point, of which TF32 drops two. */
static float number(int64_t i)
{
    return (float)(i * 1103515245 % 8191) / 4096 - 1;
}

enum { MOST = 4096 };

/* c = a b of m x n x k, a `off` numbers into its block; whether it is what plain sums come to. */
static int multiplies(ib_device *dev, int m, int n, int k, int off)
{
    static float a[MOST], b[MOST], c[MOST];
    int same = 1;
    for (int i = 0; i < MOST; i++)
        a[i] = number(i), b[i] = number(7 * i + 3);
    float *x = put(dev, a, sizeof a), *y = put(dev, b, sizeof b), *z = dev->v.allocate(dev, sizeof c);
    dev->k.gemm(dev, 0, 0, m, n, k, x + off, y, 0, z);
    dev->v.download(dev, c, z, (size_t)(m * n) * sizeof *c);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++)
                sum += a[off + i * k + l] * b[l * n + j];
            same &= c[i * n + j] == sum;
        }
    dev->v.release(dev, x), dev->v.release(dev, y), dev->v.release(dev, z);
    return same;
}

static void products_of_reals(void)
{
    if (!has_plugin())
        return;
    ib_device *dev = open_with("libraries", NULL);
    REQUIRE(dev != NULL);
    const unsigned long before = begun("cublaslt");
    CHECK(multiplies(dev, 5, 7, 33, 0) && multiplies(dev, 5, 7, 33, 1) && multiplies(dev, 1, 1, 1, 0));
    for (int turn = 0; turn < 2; turn++) /* more shapes than plans are kept, and those of the first again */
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 20; j++)
                CHECK(multiplies(dev, 1 + i, 1 + j, 3, 0));
    CHECK_INT(begun("cublaslt") - before, 803);
    CHECK(!*dev->failure);
    ib_device_close(dev);
    dev = open_with("libraries", "tf32");
    REQUIRE(dev != NULL);
    CHECK(!multiplies(dev, 5, 7, 33, 0) && !*dev->failure);
    ib_device_close(dev);
}

/* Accumulators of codes, which are exact in any order. */
static int multiplies_codes(ib_device *dev, int rows, int k, int out)
{
    static int8_t x[MOST], w[MOST];
    static int32_t bias[MOST], acc[MOST];
    const int32_t zero = -7;
    int same = 1;
    for (int i = 0; i < MOST; i++)
        x[i] = (int8_t)(i * 37 % 256 - 128), w[i] = (int8_t)(i * 91 % 255 - 127), bias[i] = i * 1001 - 5000;
    const ib_qweights weights = {.codes = put(dev, w, sizeof w)};
    const int64_t words = dev->v.qlinear_words(dev, rows, k, out);
    const ib_qproduct p = {.x = put(dev, x, sizeof x),
                           .in_zero = put(dev, &zero, sizeof zero),
                           .w = &weights,
                           .bias = put(dev, bias, sizeof bias),
                           .acc = dev->v.allocate(dev, sizeof acc),
                           .scratch = dev->v.allocate(dev, (size_t)words * sizeof(float) + 1)};
    dev->k.qlinear(dev, rows, k, out, &p);
    dev->v.download(dev, acc, p.acc, (size_t)(rows * out) * sizeof *acc);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < out; j++) {
            int32_t sum = bias[j];
            for (int l = 0; l < k; l++)
                sum += w[j * k + l] * (x[i * k + l] - zero);
            same &= acc[i * out + j] == sum;
        }
    const void *const blocks[] = {p.x, p.in_zero, p.bias, p.acc, p.scratch, weights.codes};
    for (int i = 0; i < 6; i++)
        dev->v.release(dev, (void *)(uintptr_t)blocks[i]);
    return same;
}

static void products_of_codes(void)
{
    if (!has_plugin())
        return;
    ib_device *dev = open_with("libraries", NULL);
    REQUIRE(dev != NULL);
    const unsigned long before = begun("cublaslt");
    CHECK(multiplies_codes(dev, 8, 12, 16) && multiplies_codes(dev, 4, 300, 12) && multiplies_codes(dev, 4, 4, 300));
    CHECK_INT(begun("cublaslt") - before, 3);
    CHECK(multiplies_codes(dev, 6, 12, 16) && multiplies_codes(dev, 8, 13, 16) && multiplies_codes(dev, 8, 12, 17));
    CHECK_INT(begun("cublaslt") - before, 3); /* own kernels */
    CHECK(!*dev->failure);
    ib_device_close(dev);
}

/* y of ones, and the gradients; how many of the three the stand-in has begun. */
static int convolves(ib_device *dev, const ib_window *s)
{
    static float x[MOST], y[MOST];
    const unsigned long before = begun("cudnn");
    for (int i = 0; i < MOST; i++)
        x[i] = 1;
    float *in = put(dev, x, sizeof x), *w = put(dev, x, sizeof x), *bias = put(dev, x, sizeof x);
    float *out = put(dev, x, sizeof x), *dx = put(dev, x, sizeof x), *dw = put(dev, x, sizeof x);
    float *scratch = dev->v.allocate(dev, (size_t)dev->v.conv2d_grads_words(dev, s) * sizeof *scratch);
    const ib_conv_grads g = {.x = in, .w = w, .dy = out, .dx = dx, .dw = dw, .sets_dx = 1};
    dev->k.conv2d(dev, s, in, w, bias, out, scratch);
    dev->v.download(dev, y, out, sizeof *y);
    CHECK(y[0] == 1 + (float)(s->ic / s->groups * (s->kh - s->ph) * (s->kw - s->pw)));
    dev->v.upload(dev, out, x, sizeof x);
    dev->k.conv2d_grads(dev, s, &g, scratch);
    dev->v.download(dev, y, dw, sizeof *y);
    const int rows = s->ph ? (int)s->oh - 1 : (int)s->oh, columns = s->pw ? (int)s->ow - 1 : (int)s->ow;
    CHECK(y[0] == 1 + (float)(s->n * rows * columns));
    float *const blocks[] = {in, w, bias, out, dx, dw, scratch};
    for (int i = 0; i < 7; i++)
        dev->v.release(dev, blocks[i]);
    CHECK(!*dev->failure);
    return (int)(begun("cudnn") - before);
}

static void convolutions(void)
{
    static const ib_window plain = {2, 4, 6, 7, 8, 6, 7, 3, 3, 1, 1, 1, 1, 1},
                           grouped = {2, 4, 6, 7, 8, 6, 7, 3, 3, 1, 1, 1, 1, 2},
                           depthwise = {2, 4, 6, 7, 4, 6, 7, 3, 3, 1, 1, 1, 1, 4},
                           cut = {2, 4, 6, 7, 8, 5, 7, 3, 3, 1, 1, 1, 1, 1}; /* fewer rows than padding gives */
    if (!has_plugin())
        return;
    ib_device *dev = open_with("libraries", NULL);
    REQUIRE(dev != NULL);
    CHECK_INT(convolves(dev, &plain), 3);
    CHECK_INT(convolves(dev, &grouped), 3);
    CHECK_INT(convolves(dev, &plain), 3);
    CHECK_INT(convolves(dev, &depthwise), 0);
    CHECK_INT(convolves(dev, &cut), 0);
    ib_device_close(dev);
}

SUITE("cuda libraries", T(what_serves_is_said), T(what_is_cut_short_does_not_serve), T(packages_of_python_are_found),
      T(products_of_reals), T(products_of_codes), T(convolutions))
