/* test_poison.c - the device test:poison keeps what poison.h says of it, and a float network trains on it to the bytes
 * of plain C. Broken by: memory that the host's code can read, a kernel that runs at once, arguments that are not kept,
 * a pointer to the host's memory that a kernel takes for the device's,
 * memory that is reused before what was begun has used it; a number that an operator or the optimizer touches. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/test/poison.h"
#include "optim/optim.h"
#include "tensor/matrix.h"
#include "tests/check.h"
#include "tests/foreign_memory.h"
#include "tests/train_steps.h"

enum { N = 100 };

/* What a test works with: a device, perhaps another one, a graph on the first, perhaps a network. */
typedef struct place {
    ib_device *dev, *other;
    ib_graph *g;
    ib_layer *net;
} place;

/* other, net: or NULL */
static place open_place(const char *device, const char *other, ib_layer *net)
{
    place p = {.dev = ib_device_open(device), .other = other ? ib_device_open(other) : NULL, .net = net};
    REQUIRE(p.dev && (p.other || !other) && (p.g = ib_graph_new(p.dev)) && (!net || !ib_layer_init(net, 1)));
    return p;
}

static void close_place(place *p)
{
    ib_layer_free(p->net);
    ib_graph_free(p->g);
    ib_device_close(p->dev);
    ib_device_close(p->other);
}

static void kernels_run_late(void)
{
    place p = open_place("test:poison", NULL, NULL);
    ib_device *dev = p.dev;
    float ones[N], got[N];
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    const ib_poison_counts before = ib_poison_counted();
    float *x = dev->v.allocate(dev, sizeof ones), *y = dev->v.allocate(dev, sizeof ones);
    dev->v.peek(dev, got, y, sizeof got);
    CHECK(isnan(got[0]) && isnan(got[N - 1])); /* nothing has written it */
    dev->v.upload(dev, x, ones, sizeof ones);
    dev->v.fill(dev, y, 0, sizeof ones);
    memset(ones, 0, sizeof ones); /* is the caller's again */
    for (int i = 0; i < 3; i++)
        dev->k.axpy(dev, y, x, N, (float)(i + 1));
    dev->v.release(dev, x); /* is there until the kernels have run */
    dev->v.peek(dev, got, y, sizeof got);
    CHECK(isnan(got[0]));
    dev->v.download(dev, got, y, sizeof got);
    CHECK(got[0] == 6 && got[N - 1] == 6);
    dev->v.forget(dev, y, sizeof ones);
    dev->v.synchronize(dev);
    dev->v.peek(dev, got, y, sizeof got);
    CHECK(isnan(got[0]));
    float *z = dev->v.allocate(dev, sizeof ones); /* where x was */
    dev->v.peek(dev, got, z, sizeof got);
    CHECK(z == x && isnan(got[0]));
    const ib_poison_counts after = ib_poison_counted();
    CHECK_INT(after.kernels - before.kernels, 3);
    CHECK_INT(after.uploads - before.uploads, 1);
    CHECK_INT(after.downloads - before.downloads, 1);
    CHECK_INT(after.synchronizations - before.synchronizations, 1);
    CHECK_INT(after.allocations - before.allocations, 3);
    dev->v.release(dev, y);
    dev->v.release(dev, z);
    close_place(&p);
}

static void who_touches_its_memory_dies(void)
{
    place p = open_place("test:poison", NULL, NULL);
    ib_device *dev = p.dev;
    for (int writes = 0; writes < 2; writes++) {
        volatile float *x = dev->v.allocate(dev, sizeof *x);
        const pid_t child = fork();
        if (!child) {
            fclose(stderr);
            if (writes)
                *x = 1;
            _exit(*x > 0 ? 0 : 0);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
        dev->v.release(dev, (void *)(uintptr_t)x);
    }
    close_place(&p);
}

/* Where the device's memory is due: in an argument, a field, a field of a field, one of a copy, and in verbs. */
static void the_hosts_memory_is_refused(void)
{
    place p = open_place("test:poison", NULL, NULL);
    ib_device *dev = p.dev;
    float host[8] = {0}, *own = dev->v.allocate(dev, 2 * sizeof host);
    void *room = ib_alloc(ib_matrix_room());
    const ib_matrix *m = ib_matrix_view(room, host, 1, 8, NULL);
    const ib_poison_counts before = ib_poison_counted();
    kernels_refuse(dev, own, host, m);
    dev->k.axpy(dev, host, NULL, 8, 1);
    refused(dev, "kernel axpy: y is no memory of the device");
    CHECK(!dev->k.first_not_finite(dev, host, 8));
    refused(dev, "kernel first_not_finite: x is no memory of the device");
    dev->v.upload(dev, host, host, sizeof host);
    refused(dev, "upload: to is no memory of the device");
    dev->v.download(dev, host, host, sizeof host);
    refused(dev, "download: from is no memory of the device");
    dev->v.peek(dev, host, host, sizeof host);
    refused(dev, "peek: from is no memory of the device");
    dev->v.copy(dev, own, host, sizeof host);
    refused(dev, "copy: from is no memory of the device");
    dev->v.copy(dev, host, own, sizeof host);
    refused(dev, "copy: to is no memory of the device");
    dev->v.fill(dev, host, 0, sizeof host);
    refused(dev, "fill: to is no memory of the device");
    CHECK_INT(ib_poison_counted().kernels, before.kernels);
    dev->k.axpy(dev, own, own + 8, 8, 1);
    dev->k.axpy(dev, host, own, 8, 1);
    REQUIRE(!ib_graph_begin(p.g, IB_EVAL));
    CHECK_ERROR(!ib_input(p.g, 1, (int64_t[]){8}, (float[8]){0}) || ib_graph_synchronize(p.g),
                "test:poison: kernel axpy: y is no memory of the device");
    CHECK_INT(ib_poison_counted().kernels > before.kernels, 1);
    dev->v.release(dev, own);
    ib_free(room);
    close_place(&p);
    p = open_place("test:late", NULL, NULL); /* takes any */
    p.dev->k.set(p.dev, host, 8, 3);
    CHECK(host[7] == 0);
    p.dev->v.synchronize(p.dev);
    CHECK(host[7] == 3 && !*p.dev->failure);
    close_place(&p);
}

static ib_poison_counts at_step[2]; /* counted before the last step, whose loss nobody reads, and behind it */
static void count(int is_over)
{
    at_step[is_over] = ib_poison_counted();
}

/* On both devices, to the same bytes; a step waits for nothing. */
static void trains_alike(const char *model, const ib_qat_opts *q)
{
    static trained here, there;
    REQUIRE(train_steps("cpu:ref", model, q, NULL, &here) && train_steps("test:poison", model, q, count, &there));
    CHECK_INT(there.n, here.n);
    CHECK(!memcmp(here.values, there.values, (size_t)here.n * sizeof *here.values));
    CHECK(!memcmp(here.losses, there.losses, sizeof here.losses) && here.losses[0] > 0 && here.losses[2] > 0);
    CHECK_INT(at_step[1].downloads, at_step[0].downloads);
    CHECK_INT(at_step[1].synchronizations, at_step[0].synchronizations);
    CHECK_INT(at_step[1].allocations, at_step[0].allocations);
}

static void networks_train_to_the_same_bytes(void)
{
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"};
    static const int widths[][2] = {{8, 8}, {4, 8}, {2, 2}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        trains_alike(models[i], NULL);
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++) /* the large ones in one width each */
            if (i < 2 || j == i - 1)
                trains_alike(models[i], &(ib_qat_opts){.weight_bits = widths[j][0], .act_bits = widths[j][1]});
    }
}

/* A fault that nobody asked for ends with its step, though the memory that holds it is emptied later. */
static void a_fault_ends_with_its_step(void)
{
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_linear_layer(8, 8));
    place p = open_place("test:poison", NULL, net);
    ib_graph *g = p.g;
    ib_layer_set_input(net, &(ib_input_info){.c = 1, .h = 1, .w = 8, .classes = 8});
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, w[64], y[8];
    ib_tensor *weight = ib_param_at(net, 0);
    REQUIRE(!ib_qat_prepare(net, g, &(ib_qat_opts){.dynamic = 1}) && !ib_qat_set_phase(net, g, IB_LEARN));
    for (int broken = 1; broken >= 0; broken--) {
        REQUIRE(ib_tensor_size(weight) == 64 && !ib_tensor_read(weight, w));
        w[0] = broken ? INFINITY : 0.5f;
        REQUIRE(!ib_tensor_write(weight, w));
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *out = ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){1, 1, 1, 8}, x));
        CHECK(out != NULL); /* nobody has waited */
        if (broken)
            p.dev->v.synchronize(p.dev);
        else
            CHECK(out && !ib_tensor_read(out, y) && isfinite(y[0]));
    }
    close_place(&p);
}

/* tanh(x w) on one device, sigmoid and product on the other, and back: its loss and gradients. */
static void across(const char *here, const char *there, float *numbers)
{
    place p = open_place(here, there, NULL);
    ib_device *a = p.dev, *b = p.other;
    ib_graph *g = p.g;
    ib_tensor *w = ib_tensor_new(IB_F32, 2, (int64_t[]){3, 4}, 1, "w"),
              *v = ib_tensor_new(IB_F32, 2, (int64_t[]){3, 3}, 1, "v");
    float x[8], values[12];
    for (int i = 0; i < 12; i++)
        values[i] = ib_rng_uniform((ib_rng){7, 2}, (uint64_t)i) - 0.5f;
    for (int i = 0; i < 8; i++)
        x[i] = ib_rng_uniform((ib_rng){7, 3}, (uint64_t)i);
    REQUIRE(!ib_tensor_write(w, values) && !ib_tensor_write(v, values));
    for (int broken = 1; broken >= 0; broken--) {
        x[5] = broken ? NAN : 0.25f;
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *h = ib_tanh(g, ib_linear(g, ib_input(g, 2, (int64_t[]){2, 4}, x), w, NULL));
        ib_tensor *y = b ? ib_to_device(g, h, b) : h;
        REQUIRE(y && ib_to_device(g, y, b ? b : a) == y);
        y = ib_linear(g, ib_sigmoid(g, y), v, NULL);
        if (b) {
            CHECK_ERROR(!ib_add(g, y, h), "lies on");
            y = ib_to_device(g, y, a);
        }
        ib_tensor *loss = ib_mean(g, ib_add(g, y, h)); /* h has gradients of both devices */
        REQUIRE(loss != NULL);
        if (broken) {
            CHECK_ERROR(ib_backward(g, loss) || ib_loss_value(g, loss, numbers), "the input [2,4] is nan");
            continue;
        }
        REQUIRE(!ib_backward(g, loss) && !ib_loss_value(g, loss, numbers));
        REQUIRE(!ib_tensor_read_grad(w, numbers + 1) && !ib_tensor_read_grad(v, numbers + 13));
    }
    ib_tensor_free(w);
    ib_tensor_free(v);
    close_place(&p);
}

static void a_tape_crosses_devices(void)
{
    static const char *const pairs[][2] = {
        {"test:poison", "cpu:ref"}, {"cpu:ref", "test:poison"}, {"cpu:ref", "cpu:ref"}};
    float one[22], two[22];
    across("cpu:ref", NULL, one);
    CHECK(one[0] != 0 && one[1] != 0 && one[21] != 0);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        memset(two, 0, sizeof two);
        across(pairs[i][0], pairs[i][1], two);
        CHECK(!memcmp(one, two, sizeof one));
    }
}

/* A loss on another device than the parameters': their optimizer is told of what it was refused for. */
static void an_optimizer_hears_of_a_loss_elsewhere(void)
{
    static const char *const pairs[][2] = {{"test:poison", "cpu:ref"}, {"cpu:ref", "test:poison"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ib_layer *net = ib_linear_layer(4, 3);
        place p = open_place(pairs[i][0], pairs[i][1], net);
        ib_device *a = p.dev;
        ib_graph *g = p.g;
        ib_optim *opt = ib_sgd_new(net, a, &(ib_sgd_opts){.lr = 0.1f});
        float x[4] = {1, 2, NAN, 4}, before[12], after[12];
        REQUIRE(opt && !ib_tensor_read(ib_param_at(net, 0), before));
        for (int broken = 1; broken >= 0; broken--) {
            x[2] = broken ? NAN : 3;
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 2, (int64_t[]){1, 4}, x));
            ib_tensor *loss = ib_mean(g, ib_to_device(g, y, p.other));
            REQUIRE(loss != NULL);
            if (broken) {
                CHECK_ERROR(ib_backward(g, loss), "the input [1,4] is nan"); /* which the loss's device was told */
                CHECK_ERROR(ib_optim_step(opt) || ib_optim_synchronize(opt), "no gradients");
            } else
                CHECK(!ib_backward(g, loss) && !ib_optim_step(opt));
            REQUIRE(!ib_tensor_read(ib_param_at(net, 0), after));
            CHECK_INT(memcmp(before, after, sizeof before) == 0, broken);
        }
        ib_optim_free(opt);
        close_place(&p);
    }
}

/* A step that nobody waits for, of any number: -1 is what memory holds that nothing has written. */
static void step_of(const place *p, ib_optim *opt, uint64_t number, float x, const char *refused)
{
    const ib_status seeded = ib_graph_seed(p->g, 1, number);
    REQUIRE(!seeded && !ib_graph_begin(p->g, IB_TRAIN));
    ib_tensor *loss =
        ib_mean(p->g, ib_layer_forward(p->g, p->net, ib_input(p->g, 2, (int64_t[]){1, 4}, (float[]){1, 2, x, 4})));
    REQUIRE(loss != NULL);
    const ib_status status = ib_backward(p->g, loss) ? ib_error_status() : ib_optim_step(opt);
    if (refused)
        CHECK_ERROR(status, refused);
    else
        CHECK(!status);
}

/* What is looked at without waiting was written before; what was told is told once, though nobody waits. */
static void verdicts_are_of_their_steps(void)
{
    place p = open_place("test:poison", NULL, ib_linear_layer(4, 3));
    ib_optim *opt = ib_sgd_new(p.net, p.dev, &(ib_sgd_opts){.lr = 0.1f});
    ib_graph_free(p.g);
    REQUIRE(opt && (p.g = ib_graph_new(p.dev))); /* behind what making an optimizer waits for */
    step_of(&p, opt, UINT64_MAX, 3, NULL);
    step_of(&p, opt, 7, NAN, NULL); /* not known yet */
    p.dev->v.synchronize(p.dev);
    step_of(&p, opt, 8, 3, "step 7 has no gradients");
    step_of(&p, opt, 9, 3, NULL);
    ib_optim_free(opt);
    close_place(&p);
}

SUITE("poison", T(kernels_run_late), T(who_touches_its_memory_dies), T(the_hosts_memory_is_refused),
      T(a_fault_ends_with_its_step), T(verdicts_are_of_their_steps), T(a_tape_crosses_devices),
      T(an_optimizer_hears_of_a_loss_elsewhere), T(networks_train_to_the_same_bytes))
