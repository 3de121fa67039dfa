/* test_checkpoint.c - what is saved comes back, bit for bit; what is damaged is refused; what fails leaves the old
 * file. Broken by: a state that is not saved, a write in place, a checksum that is not looked at. */
#include "tests/numbers.h"

#include <fcntl.h>
#include <hdf5_hl.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/file.h"
#include "files/h5.h"

static ib_device *dev;
static ib_graph *g;
static ib_dataset *data;
static char dir[64], path[128], other[128];

typedef struct run {
    ib_layer *net;
    ib_optim *opt;
    ib_loader *loader;
    ib_checkpoint c;
} run;

static void begin(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    data = ib_digits_new(IB_SPLIT_TRAIN);
    snprintf(dir, sizeof dir, "/tmp/isobit-test-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/a.h5", dir);
    snprintf(other, sizeof other, "%s/b.h5", dir);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
    ib_dataset_free(data);
    ib_graph_free(g);
    ib_device_close(dev);
}

enum { ADAMW, SGD, ADAMW8, OPTIMIZERS };

static run start(int optimizer)
{
    const ib_input_info info = ib_dataset_info(data);
    run r = {.net = ib_model_new("dscnn", 1, 8, 8, 10), .c = {.model = "dscnn", .seed = 5}};
    REQUIRE(r.net && !ib_layer_init(r.net, 5));
    ib_layer_set_input(r.net, &info);
    r.opt = optimizer == SGD ? ib_sgd_new(r.net, dev, &(ib_sgd_opts){.momentum = 0.9f})
                             : ib_adamw_new(r.net, dev, &(ib_adamw_opts){.bits8 = optimizer == ADAMW8});
    r.loader = ib_loader_new(data, &info, &(ib_loader_opts){.batch = 16, .shuffle = 1, .seed = 5, .shift = 1});
    return r;
}

static void stop(run *r)
{
    ib_checkpoint_release(&r->c);
    ib_loader_free(r->loader);
    ib_optim_free(r->opt);
    ib_layer_free(r->net);
}

/* Goes on to step `to`; quantization begins at step 4 and freezes at step 9. */
static void go(run *r, int64_t to)
{
    ib_batch b;
    while (r->c.total_steps < to) {
        if (r->c.total_steps == 4 && ib_qat_phase(r->net) == IB_FLOAT)
            REQUIRE(!ib_qat_begin(
                r->net, g, r->loader,
                &(ib_qat_opts){.weight_bits = 4, .act_bits = 4, .rules = "conv1=w8a8", .averaging_constant = 0.25f}));
        if (r->c.total_steps == 9 && ib_qat_phase(r->net) == IB_LEARN)
            REQUIRE(!ib_qat_set_phase(r->net, g, IB_FROZEN));
        ib_loader_start(r->loader, 0, r->c.total_steps);
        REQUIRE(ib_loader_next(r->loader, &b));
        ib_graph_seed(g, 5, (uint64_t)r->c.total_steps);
        ib_graph_begin(g, IB_TRAIN);
        REQUIRE(
            !ib_backward(g, ib_cross_entropy(g, ib_layer_forward(g, r->net, ib_input(g, 4, b.shape, b.x)), b.y, 0)));
        REQUIRE(!ib_optim_step(r->opt));
        r->c.total_steps++;
    }
}

static void a_resumed_run_ends_in_the_same_bytes(void)
{
    begin();
    for (int optimizer = 0; optimizer < OPTIMIZERS; optimizer++) {
        run whole = start(optimizer);
        go(&whole, 12);
        REQUIRE(!ib_checkpoint_save(path, whole.net, whole.opt, &whole.c));
        stop(&whole);
        for (int64_t cut = 1; cut < 12;
             cut += optimizer == ADAMW8 ? 5 : 2) { /* in each phase; with other threads afterwards */
            run a = start(optimizer);
            go(&a, cut);
            REQUIRE(!ib_checkpoint_save(other, a.net, a.opt, &a.c));
            stop(&a);
            ib_threads_set(1 + (int)(cut / 2) % 2);
            run b = start(optimizer);
            if (ib_checkpoint_restore(other, b.net, g, b.opt, &b.c))
                printf("\n    %s\n", ib_error());
            CHECK_INT(b.c.total_steps, cut);
            go(&b, 12);
            REQUIRE(!ib_checkpoint_save(other, b.net, b.opt, &b.c));
            CHECK(same_file(path, other));
            stop(&b);
        }
        ib_threads_set(0);
    }
    end();
}

static void saving_twice_gives_equal_bytes(void)
{
    begin();
    run r = start(0);
    go(&r, 6);
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c));
    usleep(1100000); /* no times inside */
    REQUIRE(!ib_checkpoint_save(other, r.net, r.opt, &r.c));
    CHECK(same_file(path, other));
    stop(&r);
    end();
}

static void put(const unsigned char *bytes, size_t n)
{
    FILE *f = fopen(other, "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static void damage_is_refused(void)
{
    size_t n;
    ib_checkpoint c;
    begin();
    run r = start(0);
    go(&r, 5);
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c));
    unsigned char *bytes = ib_file_read(path, &n);
    REQUIRE(bytes != NULL);
    for (size_t cut = 0; cut < n; cut += cut < 200 || cut + 200 > n ? 1 : 4999) {
        put(bytes, cut);
        CHECK_ERROR(ib_checkpoint_peek(other, &c),
                    cut < 8 ? "b.h5: is no HDF5 file" : "b.h5: is HDF5 without isobit's line");
    }
    put(bytes + 1, n - 1);
    CHECK_ERROR(ib_checkpoint_peek(other, &c), "bytes where its end says");
    for (size_t at = 0; at < n; at += at < 300 ? 11 : 7919) { /* one flipped bit */
        bytes[at] ^= 1 << (at % 8);
        put(bytes, n);
        bytes[at] ^= 1 << (at % 8);
        CHECK_ERROR(ib_checkpoint_peek(other, &c), at + 49 < n ? "b.h5: is damaged: its checksum says" : "b.h5");
    }
    put(bytes, n);
    CHECK(ib_checkpoint_peek(other, &c) == IB_OK);
    ib_checkpoint_release(&c);
    ib_free(bytes);
    CHECK_ERROR(ib_checkpoint_peek("/nowhere/x.h5", &c), "/nowhere/x.h5");
    CHECK_ERROR(ib_checkpoint_peek("/tmp", &c), "regular file");
    ib_layer *wrong = ib_model_new("mlp", 1, 8, 8, 10);
    REQUIRE(wrong && !ib_layer_init(wrong, 1));
    CHECK_ERROR(ib_checkpoint_restore(path, wrong, g, NULL, &c), "a.h5");
    ib_layer_free(wrong);
    run sgd = start(1);
    CHECK_ERROR(ib_checkpoint_restore(path, sgd.net, g, sgd.opt, &c), "adamw, not sgd");
    stop(&sgd);
    stop(&r);
    end();
}

static void a_failed_write_leaves_the_old_file(void)
{
    begin();
    run r = start(0);
    go(&r, 2);
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c));
    REQUIRE(!ib_checkpoint_save(other, r.net, r.opt, &r.c));
    go(&r, 3);
    CHECK_ERROR(ib_checkpoint_save("/nowhere/x.h5", r.net, r.opt, &r.c), "/nowhere/x.h5");
    CHECK_ERROR(ib_checkpoint_save("/dev/full", r.net, r.opt, &r.c), "/dev/full");
    if (!getenv("ISOBIT")) { /* CTest says where the command is */
        printf("ISOBIT is not set: the full disk is not tried ");
        stop(&r);
        end();
        return;
    }
    const pid_t child = fork(); /* a disk that fills up: no file may grow beyond 50 kB */
    if (!child) {
        char command[400];
        snprintf(command, sizeof command,
                 "ulimit -f 50; trap '' XFSZ; %s train --model dscnn --epochs 1 --limit 64 -o %s >%s/log 2>&1; test $? "
                 "-ne 0",
                 getenv("ISOBIT"), path, dir);
        execl("/bin/bash", "bash", "-c", command, (char *)NULL);
        _exit(9);
    }
    int status;
    char text[300] = "", log[128];
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    CHECK(same_file(path, other)); /* the last good checkpoint is still there */
    snprintf(log, sizeof log, "%s/log", dir);
    FILE *f = fopen(log, "r");
    while (f && fgets(text, sizeof text, f))
        ;
    CHECK(strstr(text, "a.h5: cannot write") != NULL);
    if (f)
        fclose(f);
    stop(&r);
    end();
}

static void a_file_builds_its_network(void)
{
    begin();
    run r = start(0);
    go(&r, 6);
    r.c.history = ib_alloc(2 * IB_HISTORY * sizeof(float));
    r.c.n_history = 2;
    r.c.history[5] = 0.25f;
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c));
    ib_checkpoint c;
    ib_layer *net = ib_checkpoint_open(path, g, &c);
    REQUIRE(net != NULL);
    CHECK_INT(ib_qat_phase(net), IB_LEARN);
    CHECK_INT(c.n_history, 2);
    CHECK_NEAR(c.history[5], 0.25, 0);
    CHECK(c.measures == NULL); /* as in files from before they were kept */
    CHECK_INT(c.right, 0);
    CHECK_INT(ib_param_count(net), ib_param_count(r.net));
    for (int i = 0; i < ib_param_count(net); i++)
        CHECK(!memcmp(values_of(ib_param_at(net, i)), values_of(ib_param_at(r.net, i)),
                      (size_t)ib_tensor_size(ib_param_at(net, i)) * 4));
    for (int i = 0; i < ib_qat_layer_count(net); i++)
        CHECK(ib_qat_layer_at(net, i).scale == ib_qat_layer_at(r.net, i).scale);
    ib_checkpoint_release(&c);
    ib_layer_free(net);
    r.c.measures = ib_alloc(2 * IB_MEASURES * sizeof(float));
    r.c.measures[0] = NAN;
    r.c.measures[3] = 0.75f;
    r.c.step = 5;
    r.c.right = 77;
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c) && !ib_checkpoint_peek(path, &c));
    CHECK(isnan(c.measures[0]) && c.measures[3] == 0.75f);
    CHECK_INT(c.right, 77);
    ib_checkpoint_release(&c);
    stop(&r);
    end();
}

/* What bins held is not in the file: calibration begins anew, and is asked for. */
static int holds(const char *file, const char *text)
{
    size_t size;
    unsigned char *bytes = ib_file_read(file, &size);
    int found = 0;
    for (size_t i = 0; bytes && i + strlen(text) <= size && !found; i++)
        found = !memcmp(bytes + i, text, strlen(text));
    ib_free(bytes);
    return found;
}

/* A file tells of its data where its writer knows them; what is not known leaves no byte. */
static void what_data_are_called_comes_back(void)
{
    static const char named[] = "{\"data\":\"csv:a b\\\"c\\\\.csv\",\"label\":\"G\xc3\xbcte\"}";
    begin();
    run r = start(0);
    ib_checkpoint back;
    char long_one[sizeof back.data];
    memset(long_one, 'x', sizeof long_one);
    long_one[sizeof long_one - 1] = 0;
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c));
    CHECK(!holds(path, "data")); /* as it was before there was such an attribute */
    for (const char *const *text = (const char *const[]){named, long_one, "", NULL}; *text; text++) {
        snprintf(r.c.data, sizeof r.c.data, "%s", *text);
        REQUIRE(!ib_checkpoint_save(other, r.net, r.opt, &r.c));
        REQUIRE(!ib_checkpoint_peek(other, &back));
        CHECK(!strcmp(back.data, *text));
        ib_checkpoint_release(&back);
        REQUIRE(!ib_checkpoint_restore(other, r.net, g, r.opt, &back));
        CHECK(!strcmp(back.data, *text));
        ib_checkpoint_release(&back);
        CHECK(same_file(path, other) == !**text);
    }
    stop(&r);
    end();
}

/* The file `path` with one number of a step's range (lowest, highest, scale) changed, and its checksum right, is
 * `other`. */
static void put_range(const char *step, int which, float value)
{
    enum { TRAILER = 49 };
    size_t n;
    float range[3];
    char name[64];
    unsigned char *bytes = ib_file_read(path, &n);
    const hid_t f = bytes ? H5LTopen_file_image(bytes, n - TRAILER, H5LT_FILE_IMAGE_OPEN_RW) : -1;
    snprintf(name, sizeof name, "qat/%s", step);
    const hid_t q = f >= 0 ? H5Gopen2(f, name, H5P_DEFAULT) : -1;
    const hid_t a = q >= 0 ? H5Aopen(q, "range", H5P_DEFAULT) : -1;
    REQUIRE(a >= 0 && H5Aread(a, H5T_NATIVE_FLOAT, range) >= 0);
    range[which] = value;
    REQUIRE(H5Awrite(a, H5T_NATIVE_FLOAT, range) >= 0);
    H5Aclose(a);
    H5Gclose(q);
    REQUIRE(!ib_h5_finish(f, other));
    ib_free(bytes);
}

/* A right checksum does not make numbers right. */
static void what_is_no_scale_is_refused(void)
{
    static const float wrong[] = {0, -1, NAN, INFINITY, 1e-40f};
    ib_checkpoint c;
    begin();
    run r = start(0);
    go(&r, 5);
    REQUIRE(!ib_checkpoint_save(path, r.net, r.opt, &r.c));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_range("input", 2, wrong[i]);
        CHECK_ERROR(!ib_checkpoint_open(other, g, &c), "b.h5: layer 'input': its scale is");
        put_range("conv1", 2, wrong[i]);
        CHECK_ERROR(!ib_checkpoint_open(other, g, &c), "b.h5: layer 'conv1': its scale is");
    }
    put_range("conv1", 0, NAN);
    CHECK_ERROR(!ib_checkpoint_open(other, g, &c), "b.h5: layer 'conv1': its range is");
    put_range("conv1", 0, -1);
    ib_layer *net = ib_checkpoint_open(other, g, &c);
    CHECK(net != NULL);
    ib_checkpoint_release(&c);
    ib_layer_free(net);
    stop(&r);
    end();
}

static void calibration_begins_anew(void)
{
    begin();
    for (int bins = 0; bins < 2; bins++) {
        run a = start(0), b = start(0);
        REQUIRE(!ib_qat_prepare(a.net, g, &(ib_qat_opts){.observer = bins ? "kl" : "minmax"}));
        REQUIRE(!ib_qat_calibrate(a.net, g, a.loader, 2));
        REQUIRE(!ib_checkpoint_save(path, a.net, a.opt, &a.c));
        REQUIRE(!ib_checkpoint_restore(path, b.net, g, b.opt, &b.c));
        if (bins) {
            CHECK_ERROR(ib_qat_set_phase(b.net, g, IB_LEARN), "its observer saw no batch");
            REQUIRE(!ib_qat_calibrate(b.net, g, b.loader, 2));
        }
        REQUIRE(!ib_qat_set_phase(a.net, g, IB_LEARN) && !ib_qat_set_phase(b.net, g, IB_LEARN));
        for (int i = 0; i < ib_qat_layer_count(a.net); i++)
            CHECK(ib_qat_layer_at(a.net, i).scale == ib_qat_layer_at(b.net, i).scale);
        stop(&a);
        stop(&b);
    }
    end();
}

SUITE("checkpoint", T(calibration_begins_anew), T(a_resumed_run_ends_in_the_same_bytes),
      T(saving_twice_gives_equal_bytes), T(damage_is_refused), T(what_is_no_scale_is_refused),
      T(a_failed_write_leaves_the_old_file), T(a_file_builds_its_network), T(what_data_are_called_comes_back))
