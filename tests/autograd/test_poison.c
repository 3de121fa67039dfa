/* test_poison.c - the device test:poison keeps what poison.h says of it, and a float network trains on it to the bytes
 * of plain C. Broken by: memory that the host's code can read, a kernel that runs at once, arguments that are not kept,
 * memory that is reused before what was begun has used it; a number that an operator or the optimizer touches. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/test/poison.h"
#include "tests/check.h"

enum { N = 100 };

static void kernels_run_late(void)
{
    ib_device *dev = ib_device_open("test:poison");
    REQUIRE(dev != NULL);
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
    ib_device_close(dev);
}

static void who_touches_its_memory_dies(void)
{
    ib_device *dev = ib_device_open("test:poison");
    REQUIRE(dev != NULL);
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
    ib_device_close(dev);
}

/* Three steps of a float network; its parameters, and the loss of each step. */
static int train(const char *name, float *values, float losses[3], ib_poison_counts *step)
{
    ib_device *dev = ib_device_open(name);
    ib_graph *g = dev ? ib_graph_new(dev) : NULL;
    ib_layer *net =
        ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 24), ib_relu_layer(), ib_linear_layer(24, 10));
    REQUIRE(g && net && !ib_layer_init(net, 3));
    ib_optim *opt = ib_adamw_new(net, dev, &(ib_adamw_opts){.lr = 0.01f});
    float x[16 * 64];
    int32_t labels[16];
    for (int i = 0; i < 16 * 64; i++)
        x[i] = 2 * ib_rng_uniform((ib_rng){1, 2}, (uint64_t)i) - 1;
    for (int i = 0; i < 16; i++)
        labels[i] = i % 10;
    REQUIRE(opt != NULL);
    for (int i = 0; i < 4; i++) {
        const ib_poison_counts before = ib_poison_counted();
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *loss =
            ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){16, 1, 8, 8}, x)), labels, 0.1f);
        REQUIRE(loss && !ib_backward(g, loss) && !ib_optim_limit(opt, 0.5) && !ib_optim_step(opt));
        const ib_poison_counts after = ib_poison_counted();
        *step = (ib_poison_counts){.downloads = after.downloads - before.downloads,
                                   .synchronizations = after.synchronizations - before.synchronizations,
                                   .allocations = after.allocations - before.allocations};
        if (i < 3)
            REQUIRE(!ib_loss_value(g, loss, &losses[i]));
    }
    int n = 0;
    for (int i = 0; i < ib_param_count(net); n += (int)ib_tensor_size(ib_param_at(net, i++)))
        REQUIRE(!ib_tensor_read(ib_param_at(net, i), values + n));
    ib_optim_free(opt);
    ib_layer_free(net);
    ib_graph_free(g);
    ib_device_close(dev);
    return n;
}

static void a_float_network_trains_to_the_same_bytes(void)
{
    static float here[4096], there[4096];
    float losses[2][3];
    ib_poison_counts step;
    const int n = train("cpu:ref", here, losses[0], &step);
    CHECK_INT(train("test:poison", there, losses[1], &step), n);
    CHECK(!memcmp(here, there, (size_t)n * sizeof *here));
    CHECK(!memcmp(losses[0], losses[1], sizeof losses[0]) && losses[0][2] < losses[0][0]);
    /* a step whose loss nobody has read */
    CHECK_INT(step.downloads, 0);
    CHECK_INT(step.synchronizations, 0);
    CHECK_INT(step.allocations, 0);
}

SUITE("poison", T(kernels_run_late), T(who_touches_its_memory_dies), T(a_float_network_trains_to_the_same_bytes))
