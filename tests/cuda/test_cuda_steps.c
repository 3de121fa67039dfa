/* test_cuda_steps.c - steps of training on "cuda:host" are launched as one graph each, to the numbers of plain C; what
 * no graph can hold goes plainly, is counted, and comes to the same. Broken by: an event of captured uploads that is
 * left out, a step that keeps another's arguments, a look whose copy never begins, a launch beside the graph. */
#include "tests/cuda/host_plugin.h"

#include "tests/train_steps.h"

enum { STEPS = 8 };

/* A step of a trainer; early: its loss is read before the optimizer's step. */
static float step(const trainer *r, int i, int early)
{
    ib_batch b;
    float loss = 0;
    REQUIRE(ib_loader_next(r->l, &b));
    ib_graph_seed(r->g, 5, (uint64_t)i);
    ib_graph_begin(r->g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(r->g, r->net, ib_input(r->g, 4, b.shape, b.x));
    ib_tensor *l = y ? ib_cross_entropy(r->g, y, b.y, 0.1f) : NULL;
    REQUIRE(l && !ib_backward(r->g, l) && (!early || !ib_loss_value(r->g, l, &loss)));
    REQUIRE(!ib_optim_limit(r->opt, 0.5) && !ib_optim_step(r->opt));
    return loss;
}

static trainer start(const char *device, const char *model, int bits)
{
    trainer r = {0};
    const ib_qat_opts q = {.weight_bits = bits, .act_bits = bits};
    REQUIRE(begin_trainer(&r, device, model, bits ? &q : NULL) && !ib_loader_start(r.l, 0, 0));
    return r;
}

static void finish(trainer *r)
{
    CHECK(!*r->dev->failure);
    ib_optim_free(r->opt);
    ib_layer_free(r->net);
    ib_loader_free(r->l);
    ib_dataset_free(r->d);
    ib_graph_free(r->g);
    ib_device_close(r->dev);
}

static int is_alike(const trainer *a, const trainer *b)
{
    static trained here, there;
    REQUIRE(read_all(a->net, &here) && read_all(b->net, &there));
    return here.n == there.n && !memcmp(here.values, there.values, (size_t)here.n * sizeof *here.values);
}

/* A step that allocates goes plainly, and so does the one behind it; then a step is one launch. plain: how many those
 * are, 1 where what came before the first has allocated all. */
static void a_step_is_one_graph(const char *model, int bits, int plain)
{
    trainer r = start("cuda:host", model, bits);
    enum { SOME = 5 };
    for (int i = 0; i < SOME; i++) {
        const ib_host_counts before = *counted();
        step(&r, i, 0);
        const ib_host_counts after = *counted();
        CHECK_INT(after.graphs - before.graphs, i >= plain);
        CHECK_INT(after.made - before.made, i == plain);
        CHECK_INT(after.updated - before.updated, i > plain);
        CHECK(i >= plain ? after.launches == before.launches : after.launches - before.launches > 20);
    }
    CHECK_INT(steps_of(r.dev)->whole, SOME - plain);
    CHECK_INT(steps_of(r.dev)->plain, plain);
    CHECK_INT(steps_of(r.dev)->cut, 0);
    finish(&r);
}

static void steps_are_one_graph(void)
{
    if (!has_plugin())
        return;
    a_step_is_one_graph("lenet", 0, 2);
    a_step_is_one_graph("lenet", 8, 1);
#ifndef __SANITIZE_ADDRESS__ /* with which fibers take minutes for it */
    a_step_is_one_graph("resnet8", 8, 2);
#endif
}

/* Who reads a loss early has the step cut there, and the next one plain; all come to plain C's numbers. */
static void early_reads_go_plainly(void)
{
    static const int early[STEPS] = {0, 0, 0, 1, 0, 0, 1, 1};
    static const int64_t whole[STEPS] = {0, 1, 2, 2, 2, 3, 3, 3}, cut[STEPS] = {0, 0, 0, 1, 1, 1, 2, 2};
    if (!has_plugin())
        return;
    trainer r = start("cuda:host", "lenet", 8), plain = start("cpu:ref", "lenet", 8);
    for (int i = 0; i < STEPS; i++) {
        const float loss = step(&r, i, early[i]), other = step(&plain, i, early[i]);
        CHECK(loss == other && (loss > 0) == early[i]);
        CHECK_INT(steps_of(r.dev)->whole, whole[i]);
        CHECK_INT(steps_of(r.dev)->cut, cut[i]);
        CHECK_INT(steps_of(r.dev)->plain, i + 1 - whole[i] - cut[i]);
    }
    CHECK(is_alike(&r, &plain));
    CHECK_INT(steps_of(r.dev)->made, 2); /* the cut ones' beginnings are a graph of their own */
    finish(&r);
    finish(&plain);
}

static void graphs_can_be_left_out(void)
{
    if (!has_plugin())
        return;
    setenv("ISOBIT_CUDA_GRAPHS", "perhaps", 1);
    CHECK_ERROR(!ib_device_open("cuda:host"), "ISOBIT_CUDA_GRAPHS is 'perhaps': on, off and tell are known");
    setenv("ISOBIT_CUDA_GRAPHS", "off", 1);
    trainer r = start("cuda:host", "mlp", 0);
    unsetenv("ISOBIT_CUDA_GRAPHS");
    trainer with = start("cuda:host", "mlp", 0);
    for (int i = 0; i < STEPS; i++) {
        const long graphs = counted()->graphs;
        step(&r, i, 0);
        CHECK_INT(counted()->graphs, graphs);
        step(&with, i, 0);
    }
    CHECK_INT(steps_of(with.dev)->whole, STEPS - 2);
    CHECK(is_alike(&r, &with));
    finish(&r);
    finish(&with);
}

static int stop_at_ten(void *user, const ib_train_event *event)
{
    (void)user;
    return event->moment == IB_TRAINED_STEP && event->done >= 10;
}

/* What the steps of early_reads_go_plainly say of themselves. */
static void reasons_are_told(void)
{
    static const char wanted[] = "cuda:host: step 1: each kernel by itself, for an allocation\n"
                                 "cuda:host: step 3: an executable graph of N nodes is made\n"
                                 "cuda:host: step 3: the rest goes plainly, behind a download\n"
                                 "cuda:host: step 4: each kernel by itself, for a download\n";
    char text[1000] = "", *digits;
    if (!has_plugin())
        return;
    FILE *told = tmpfile();
    const int kept = dup(2);
    REQUIRE(told && kept >= 0);
    setenv("ISOBIT_CUDA_GRAPHS", "tell", 1);
    trainer r = start("cuda:host", "mlp", 0);
    unsetenv("ISOBIT_CUDA_GRAPHS");
    fflush(stderr);
    dup2(fileno(told), 2);
    for (int i = 0; i < 4; i++)
        step(&r, i, i >= 2);
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
    rewind(told);
    text[fread(text, 1, sizeof text - 1, told)] = 0;
    fclose(told);
    REQUIRE((digits = strstr(text, "graph of ")) != NULL);
    digits += strlen("graph of ");
    const size_t n = strspn(digits, "0123456789");
    *digits = 'N';
    memmove(digits + 1, digits + n, strlen(digits + n) + 1);
    CHECK(!strcmp(text, wanted));
    finish(&r);
}

/* The training loop counts its losses and right answers within the step, and looks at them behind it. */
static void trainings_are_graphs(void)
{
    if (!has_plugin())
        return;
    trainer r = start("cuda:host", "mlp", 0);
    ib_training t = {0};
    const ib_train_opts o = {.epochs = 1, .progress = stop_at_ten};
    CHECK_INT(ib_train(r.net, r.g, r.opt, r.l, &o, &t), IB_ESTOPPED);
    CHECK_INT(steps_of(r.dev)->whole, 8);
    CHECK_INT(steps_of(r.dev)->plain, 2);
    CHECK_INT(steps_of(r.dev)->cut, 0);
    CHECK_INT(t.at.step, 10);
    CHECK(t.at.loss_sum > 0 && t.at.right >= 0);
    ib_training_release(&t);
    finish(&r);
}

/* ---- verbs in steps ---- */

static ib_device *opened(void)
{
    ib_device *dev = has_plugin() ? ib_device_open("cuda:host") : NULL;
    if (dev) { /* a step that could have been captured */
        dev->v.begin_step(dev);
        dev->v.end_step(dev);
    }
    return dev;
}

/* Steps that upload a lot wait for nothing, and take what is theirs; those that upload more than the ring holds are
 * cut. */
static void uploads_in_steps(void)
{
    enum { N = (1 << 18) - 16, TIMES = 24, EACH = 3 };
    static const int many[] = {1, 3, 7, 20};
    ib_device *dev = opened();
    if (!dev)
        return;
    int *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y), *a = dev->v.allocate(dev, N * sizeof *a);
    int *all = dev->v.allocate(dev, (size_t)TIMES * N * sizeof *a);
    REQUIRE(x && y && a && all);
    for (size_t k = 0; k < sizeof many / sizeof *many; k++) {
        const int64_t cut = steps_of(dev)->cut;
        for (int turn = 0; turn < TIMES; turn++) {
            if (turn % many[k] == 0)
                dev->v.begin_step(dev);
            for (int i = 0; i < N; i++)
                x[i] = i * 7 + turn + (int)k;
            dev->v.upload(dev, a, x, N * sizeof *x);
            memset(x, 0, N * sizeof *x);
            dev->v.copy(dev, all + (size_t)turn * N, a, N * sizeof *a);
            if (turn % many[k] == many[k] - 1)
                dev->v.end_step(dev);
        }
        dev->v.end_step(dev);
        CHECK_INT(steps_of(dev)->cut - cut, many[k] > 8);
        for (int turn = 0; turn < TIMES; turn++) {
            int same = 1;
            dev->v.download(dev, y, all + (size_t)turn * N, N * sizeof *y);
            for (int i = 0; i < N; i++)
                same &= y[i] == i * 7 + turn + (int)k;
            CHECK(same);
        }
        dev->v.begin_step(dev); /* after a cut one */
        dev->v.end_step(dev);
    }
    dev->v.release(dev, a);
    dev->v.release(dev, all);
    CHECK(!*dev->failure);
    ib_device_close(dev);
    free(x), free(y);
}

/* A look in a captured step tells what the steps before it left, once their copies have come. */
static void looks_in_steps(void)
{
    ib_device *dev = opened();
    if (!dev)
        return;
    int seen = 7, one = 1, *a = dev->v.allocate(dev, sizeof *a), *b = dev->v.allocate(dev, sizeof *b);
    dev->v.fill(dev, a, 0, sizeof *a);
    dev->v.upload(dev, b, &one, sizeof one);
    dev->v.peek(dev, &seen, a, sizeof seen);
    CHECK_INT(seen, 0);
    int first = -1;
    for (int i = 0; i < 100; i++) {
        dev->v.begin_step(dev);
        if (i == 3)
            dev->v.copy(dev, a, b, sizeof *a);
        dev->v.peek(dev, &seen, a, sizeof seen);
        if (seen && first < 0)
            first = i;
        dev->v.end_step(dev);
    }
    CHECK(seen == 1 && first > 3);
    dev->v.begin_step(dev);
    dev->v.fill(dev, a, 0, sizeof *a); /* known at once */
    dev->v.peek(dev, &seen, a, sizeof seen);
    CHECK_INT(seen, 0);
    dev->v.end_step(dev);
    CHECK(steps_of(dev)->whole > 90);
    dev->v.release(dev, a);
    dev->v.release(dev, b);
    CHECK(!*dev->failure);
    ib_device_close(dev);
}

static void take(ib_device *dev, int *a)
{
    int *more = dev->v.allocate(dev, sizeof *more);
    CHECK(more != NULL);
    dev->v.copy(dev, more, a, sizeof *a);
    dev->v.release(dev, more);
}

static void give_back(ib_device *dev, int *a)
{
    static int *kept; /* taken outside of the step before */
    if (kept)
        dev->v.release(dev, kept);
    kept = kept ? NULL : a;
}

static void read_it(ib_device *dev, int *a)
{
    int value = 0;
    dev->v.download(dev, &value, a, sizeof value);
    CHECK_INT(value, 5);
}

static void wait_for_it(ib_device *dev, int *a)
{
    (void)a;
    dev->v.synchronize(dev);
}

static void look_at_it(ib_device *dev, int *a)
{
    int value = 7;
    dev->v.peek(dev, &value, a + 1, sizeof value);
    CHECK_INT(value, 0); /* nothing is known */
}

/* Each cuts a step that is captured, and is done. */
static void what_no_graph_holds(void)
{
    static void (*const all[])(ib_device * dev, int *a) = {take, give_back, read_it, wait_for_it, look_at_it};
    ib_device *dev = opened();
    if (!dev)
        return;
    int five = 5, *a = dev->v.allocate(dev, 2 * sizeof *a), *b = dev->v.allocate(dev, sizeof *b);
    give_back(dev, b);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const ib_cuda_counts before = *steps_of(dev);
        dev->v.begin_step(dev);
        dev->v.fill(dev, a, 0, 2 * sizeof *a);
        dev->v.upload(dev, a, &five, sizeof five);
        CHECK_INT(steps_of(dev)->cut, before.cut);
        all[i](dev, a);
        CHECK_INT(steps_of(dev)->cut, before.cut + 1);
        dev->v.fill(dev, a, 0, sizeof *a);
        dev->v.end_step(dev);
        for (int next = 0; next < 2; next++) { /* plain, as it follows that one; captured again */
            dev->v.begin_step(dev);
            dev->v.end_step(dev);
        }
        CHECK_INT(steps_of(dev)->plain, before.plain + 1);
        CHECK_INT(steps_of(dev)->whole, before.whole + 1);
        CHECK(!*dev->failure);
    }
    dev->v.release(dev, a);
    ib_device_close(dev);
}

/* A library is asked for an algorithm outside of captures, and what it computes is captured. */
static void choices_leave_the_step(void)
{
    if (!has_plugin())
        return;
    setenv("ISOBIT_CUDA_LIBRARIES", beside("libraries"), 1);
    ib_device *dev = opened();
    unsetenv("ISOBIT_CUDA_LIBRARIES");
    REQUIRE(dev && strstr(ib_device_products(dev), "products by cuBLASLt"));
    enum { N = 8 };
    static const int64_t whole[] = {0, 0, 1, 2, 2, 2, 3, 4};
    float x[N * N], y[N * N], *a = dev->v.allocate(dev, sizeof x), *b = dev->v.allocate(dev, sizeof x);
    for (int i = 0; i < N * N; i++)
        x[i] = (float)(i % 5);
    for (int i = 0; i < 8; i++) { /* two shapes: each cuts a step and leaves the next one plain */
        const int64_t m = i < 4 ? N : N / 2;
        dev->v.begin_step(dev);
        dev->v.upload(dev, a, x, sizeof x);
        dev->k.gemm(dev, 0, 0, m, N, N, a, a, 0, b);
        dev->v.end_step(dev);
        CHECK_INT(steps_of(dev)->cut, i < 4 ? 1 : 2);
        CHECK_INT(steps_of(dev)->whole, whole[i]);
    }
    dev->v.download(dev, y, b, sizeof y);
    for (int i = 0; i < N / 2 * N; i++) {
        float sum = 0;
        for (int k = 0; k < N; k++)
            sum += x[i / N * N + k] * x[k * N + i % N];
        CHECK(y[i] == sum);
    }
    dev->v.release(dev, a);
    dev->v.release(dev, b);
    CHECK(!*dev->failure);
    ib_device_close(dev);
}

/* A step without an end ends where the next begins, or where somebody waits. */
static void steps_may_lack_their_end(void)
{
    ib_device *dev = opened();
    if (!dev)
        return;
    int got = 0, *a = dev->v.allocate(dev, 2 * sizeof *a);
    for (int i = 1; i < 5; i++) {
        dev->v.begin_step(dev);
        dev->v.upload(dev, a, &i, sizeof i);
    }
    CHECK_INT(steps_of(dev)->whole, 3);
    dev->v.download(dev, &got, a, sizeof got);
    CHECK_INT(got, 4);
    CHECK_INT(steps_of(dev)->cut, 1);
    dev->v.end_step(dev);
    dev->v.end_step(dev);
    dev->v.release(dev, a);
    CHECK(!*dev->failure);
    ib_device_close(dev);
}

SUITE("cuda steps", T(steps_are_one_graph), T(early_reads_go_plainly), T(graphs_can_be_left_out), T(reasons_are_told),
      T(trainings_are_graphs), T(uploads_in_steps), T(looks_in_steps), T(what_no_graph_holds),
      T(choices_leave_the_step), T(steps_may_lack_their_end))
