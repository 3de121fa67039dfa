/* test_cuda_open.c - the library opens its CUDA plugin or says in one line what is missing; the verbs of "cuda:host",
 * and a kernel that it lacks. Broken by: a copy that overtakes another, a look that waits or believes what is old, a
 * plugin that is listed where there is none. */
#include <sys/stat.h>

#include "tests/cuda/host_plugin.h"
#include "tests/foreign_memory.h"

#include "tensor/matrix_fields.h"

static int is_listed(const char *wanted)
{
    for (int i = 0; ib_device_name_at(i); i++)
        if (!strcmp(ib_device_name_at(i), wanted))
            return 1;
    return 0;
}

static void what_is_missing_is_said(void)
{
    unsetenv("ISOBIT_CUDA_LIBRARY");
    CHECK(!is_listed("cuda") && !is_listed("cuda:host"));
    CHECK_ERROR(!ib_device_open("cuda"), "libisobit_cuda.so is neither beside");
    CHECK_ERROR(!ib_device_open("cuda:host"), "libisobit_cuda_host.so is neither beside");
    CHECK_ERROR(!ib_device_open("cuda:first"), "the number of a device");
    CHECK_ERROR(!ib_device_open("gpu"), "cuda (libisobit_cuda.so is neither beside");
    CHECK(!strchr(ib_error(), '\n'));
    const char *folder = getenv("TMPDIR");
    char path[300];
    snprintf(path, sizeof path, "%s/libisobit_cuda_host.so", folder ? folder : "/tmp");
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs("no library", f);
    fclose(f);
    setenv("ISOBIT_CUDA_LIBRARY", path, 1);
    CHECK_ERROR(!ib_device_open("cuda:host"), "libisobit_cuda_host.so");
    remove(path);
    CHECK_ERROR(!ib_device_open("cuda:host"), "ISOBIT_CUDA_LIBRARY");
}

/* Wherever a plugin's file was cut, it is refused in one line: mapped beyond its end it would end the process. */
static void what_is_cut_short_is_refused(void)
{
    if (!has_plugin())
        return;
    size_t n = 0;
    unsigned char *bytes = ib_file_read(getenv("ISOBIT_CUDA_LIBRARY"), &n);
    char path[300];
    const char *folder = getenv("TMPDIR");
    REQUIRE(bytes && n > 100000);
    snprintf(path, sizeof path, "%s/isobit_cut_%ld", folder ? folder : "/tmp", (long)getpid());
    REQUIRE(!mkdir(path, 0700));
    strcat(path, "/libisobit_cuda_host.so");
    setenv("ISOBIT_CUDA_LIBRARY", path, 1);
    for (int cut = 1; cut < 8; cut++) {
        const size_t left = cut < 7 ? n * (size_t)cut / 7 : n - 1;
        FILE *f = fopen(path, "wb");
        REQUIRE(f && fwrite(bytes, 1, left, f) == left && !fclose(f));
        CHECK_ERROR(!ib_device_open("cuda:host"), "libisobit_cuda_host.so is cut short: ");
        CHECK(!strchr(ib_error(), '\n'));
        CHECK_ERROR(!ib_device_open("gpu"), "cuda:host (");
    }
    ib_free(bytes);
    remove(path);
    *strrchr(path, '/') = 0;
    REQUIRE(!rmdir(path));
}

static void verbs_keep_their_order(void)
{
    if (!has_plugin())
        return;
    CHECK(is_listed("cuda:host") && !is_listed("cuda"));
    CHECK_ERROR(!ib_device_open("gpu"), "cuda:host; not here: "); /* the last of those that open */
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    CHECK(!strcmp(ib_device_name(dev), "cuda:host"));
#define VERB(result, name, args) CHECK(dev->v.name != NULL);
#include "backends/verbs.def"
#undef VERB
    enum { N = 700000 }; /* several pieces of pinned memory */
    int *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    int *a = dev->v.allocate(dev, N * sizeof *a), *b = dev->v.allocate(dev, N * sizeof *b);
    REQUIRE(x && y && a && b);
    for (int turn = 0; turn < 8; turn++) {
        for (int i = 0; i < N; i++)
            x[i] = i * 7 + turn;
        dev->v.upload(dev, a, x, N * sizeof *x);
        memset(x, 0, N * sizeof *x); /* the caller's again */
        dev->v.copy(dev, b, a, N * sizeof *a);
        dev->v.fill(dev, a, 0, N * sizeof *a);
        dev->v.upload(dev, a + 1, &turn, sizeof turn);
        dev->v.download(dev, y, b, N * sizeof *y);
        int same = 1;
        for (int i = 0; i < N; i++)
            same &= y[i] == i * 7 + turn;
        CHECK(same);
        dev->v.download(dev, y, a, 3 * sizeof *y);
        CHECK(!y[0] && y[1] == turn && !y[2]);
    }
    dev->v.release(dev, a);
    dev->v.release(dev, b);
    dev->v.release(dev, NULL);
    CHECK(!*dev->failure);
    ib_device_close(dev);
    free(x), free(y);
}

/* Nobody waits while all pieces of the ring are used again and again; what is uploaded lands in the order of the copies
 * that read it. Copies from the host run while the other stream has work. */
static void uploads_keep_their_order(void)
{
    enum { N = (1 << 18) - 16, TIMES = 60, SMALL = 40 };
    if (!has_plugin())
        return;
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    int *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y), *a = dev->v.allocate(dev, N * sizeof *a);
    int *all = dev->v.allocate(dev, (size_t)TIMES * N * sizeof *a), *b = dev->v.allocate(dev, SMALL * sizeof *b);
    REQUIRE(x && y && a && b && all);
    const long overlapping = counted()->overlapping;
    for (int turn = 0; turn < TIMES; turn++) {
        for (int i = 0; i < N; i++)
            x[i] = i * 7 + turn;
        dev->v.upload(dev, a, x, N * sizeof *x);
        memset(x, 0, N * sizeof *x);
        dev->v.copy(dev, all + (size_t)turn * N, a, N * sizeof *a);
        dev->v.upload(dev, b + turn % SMALL, &turn, sizeof turn);
    }
    for (int turn = 0; turn < TIMES; turn++) {
        int same = 1;
        dev->v.download(dev, y, all + (size_t)turn * N, N * sizeof *y);
        for (int i = 0; i < N; i++)
            same &= y[i] == i * 7 + turn;
        CHECK(same);
    }
    dev->v.download(dev, y, b, SMALL * sizeof *y);
    for (int i = 0; i < SMALL; i++)
        CHECK(y[i] == (i + SMALL < TIMES ? i + SMALL : i));
    dev->v.release(dev, a);
    dev->v.release(dev, b);
    CHECK(counted()->overlapping - overlapping > TIMES);
    dev->v.release(dev, all);
    CHECK(!*dev->failure);
    ib_device_close(dev);
    free(x), free(y);
}

static void looks_do_not_wait(void)
{
    if (!has_plugin())
        return;
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    int *a = dev->v.allocate(dev, 2 * sizeof *a), seen = 7, one = 1;
    int *b = dev->v.allocate(dev, sizeof *b);
    dev->v.fill(dev, a, 0, 2 * sizeof *a);
    dev->v.upload(dev, b, &one, sizeof one);
    dev->v.peek(dev, &seen, a, sizeof seen);
    CHECK(seen == 0);
    dev->v.copy(dev, a, b, sizeof *a); /* 1, which a look behind it finds in time */
    dev->v.synchronize(dev);
    for (int i = 0; i < 50 && !seen; i++)
        dev->v.peek(dev, &seen, a, sizeof seen);
    CHECK(seen == 1);
    dev->v.peek(dev, &seen, a, sizeof seen); /* a copy with the 1 flies */
    dev->v.fill(dev, a, 0, sizeof *a);
    for (int i = 0; i < 50; i++) {
        dev->v.peek(dev, &seen, a, sizeof seen);
        CHECK(seen == 0);
    }
    dev->v.release(dev, a);
    dev->v.release(dev, b);
    CHECK(!*dev->failure);
    dev->k.int8_peak(dev, 0, 1);
    CHECK(!strcmp(dev->failure, "kernel 'int8_peak' is not on this device"));
    ib_device_close(dev);
}

/* Memory of the host, also within structures, and released memory: the kernel does not run, and is named. */
static void kernels_are_given_the_devices_memory(void)
{
    if (!has_plugin())
        return;
    ib_device *dev = ib_device_open("cuda:host");
    REQUIRE(dev != NULL);
    static float host[8]; /* neither on the stack nor on the heap */
    ib_matrix m = {.data = (const unsigned char *)host};
    float *own = dev->v.allocate(dev, sizeof host), *gone = dev->v.allocate(dev, sizeof host), got[8];
    dev->v.fill(dev, own, 0, sizeof host);
    dev->v.release(dev, gone);
    const long launches = counted()->launches;
    kernels_refuse(dev, own, host, &m);
    dev->k.axpy(dev, own, gone, 8, 1);
    refused(dev, "kernel axpy: x is no memory of the device");
    CHECK_INT(counted()->launches, launches);
    dev->k.set(dev, own, 8, 3);
    dev->v.download(dev, got, own, sizeof got);
    CHECK(got[0] == 3 && got[7] == 3);
    CHECK(!*dev->failure);
    dev->v.release(dev, own);
    ib_device_close(dev);
}

SUITE("cuda open", T(what_is_missing_is_said), T(what_is_cut_short_is_refused), T(verbs_keep_their_order),
      T(uploads_keep_their_order), T(looks_do_not_wait), T(kernels_are_given_the_devices_memory))
