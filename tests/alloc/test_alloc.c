/* test_alloc.c - each allocation of a whole life fails once: the result is an error and every block is given back,
 * never a crash. Broken by: an unchecked allocation, a constructor that forgets what it had, free() of a block of the
 * library's. */
#include "tests/check.h"

#include <unistd.h>

#include "base/alloc.h"

static char path[64];

/* Data, network, training, quantization, learning, checkpoint, lowering, export, running. 0 when all of it worked. */
static int life(void)
{
    int rc = 1;
    int8_t in[64] = {0}, out[10];
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *net =
        ib_sequential(ib_residual_layer(ib_depthwise_layer(1, 3, 1, 1)), ib_batch_norm_layer(1), ib_flatten_layer(),
                      ib_linear_layer(64, 6), ib_sigmoid_layer(), ib_dropout_layer(0.1f), ib_linear_layer(6, 10));
    ib_loader *l = NULL;
    ib_optim *opt = NULL;
    ib_program *p = NULL, *again = NULL;
    ib_checkpoint c = {.seed = 1}, back;
    ib_batch b;
    if (!g || !d || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(d);
    ib_layer_set_input(net, &info);
    if (!(l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 4})) || !(opt = ib_adamw_new(net, dev, NULL)) ||
        ib_optim_group(opt, "*", 1, 1))
        goto done;
    for (int step = 0; step < 2; step++) {
        if (step &&
            ib_qat_begin(net, g, l,
                         &(ib_qat_opts){.weight_bits = 4, .act_bits = 4, .observer = "kl", .rules = "linear6=w8a8"}))
            goto done;
        ib_loader_start(l, step, 0);
        ib_loader_next(l, &b);
        ib_graph_begin(g, IB_TRAIN);
        if (ib_backward(g, ib_cross_entropy(g, ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)), b.y, 0)) ||
            ib_optim_step(opt))
            goto done;
    }
    if (ib_checkpoint_save(path, net, opt, &c) || ib_checkpoint_restore(path, net, g, opt, &back))
        goto done;
    ib_checkpoint_release(&back);
    if (ib_qat_set_phase(net, g, IB_FROZEN) || !(p = ib_program_lower(net, g)) || ib_program_run(p, dev, 1, in, out) ||
        ib_export_c(p, dev, "/tmp", "isobit_test_alloc", &(ib_vectors){1, in, out}) || ib_export_hdf5(p, path) ||
        !(again = ib_program_open(path)))
        goto done;
    rc = 0;
done:
    ib_program_free(again);
    ib_program_free(p);
    ib_optim_free(opt);
    ib_loader_free(l);
    ib_layer_free(net);
    ib_dataset_free(d);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}

static void every_allocation_may_fail(void)
{
    int64_t n = 0, silent = 0;
    snprintf(path, sizeof path, "/tmp/isobit-test-alloc-%ld.h5", (long)getpid());
    ib_threads_set(2);
    const int64_t held = ib_alloc_held();
    for (n = 1; n < 20000; n++) {
        ib_alloc_fail_at(n);
        const int failed = life();
        const int64_t made = ib_alloc_fail_at(0);
        CHECK_INT(ib_alloc_held(), held);
        if (made < n) { /* fewer allocations than that: all have failed once */
            CHECK_INT(failed, 0);
            break;
        }
        if (!failed)
            silent++; /* an allocation that something else can do without */
        else
            CHECK(*ib_error() != 0);
    }
    printf("%lld allocations failed once each, %lld of them did no harm ", (long long)n - 1, (long long)silent);
    CHECK(n > 200 && n < 20000);
    CHECK(silent <= 4); /* joining the arena's pieces, syncing a folder */
    unlink(path);
    unlink("/tmp/isobit_test_alloc.c");
    unlink("/tmp/isobit_test_alloc.h");
}

/* What the headers call yours to ib_free() is a block of the library's, and goes back by it. */
static void texts_and_arrays_are_given_back(void)
{
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_named("fc", ib_linear_layer(4, 2)));
    const char *const names[] = {"no", "yes"};
    ib_schema *schema = ib_schema_new(&(ib_schema_opts){.n_classes = 2, .classes = names});
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int32_t y[2] = {0, 1};
    ib_dataset *d = ib_dataset_new(2, 4, 1, 1, 2, 0, x, y);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, NULL);
    REQUIRE(g && l && schema && !ib_layer_init(net, 1) && !ib_layer_set_input(net, &info));
    REQUIRE(!ib_qat_begin(net, g, l, &(ib_qat_opts){0}) && !ib_qat_set_phase(net, g, IB_FROZEN));
    ib_graph_begin(g, IB_TRACE);
    REQUIRE(ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){2, 4, 1, 1}, x)) != NULL);
    FILE *f = fopen(path, "w");
    fputs("text", f);
    fclose(f);
    int64_t n;
    int most;
    size_t bytes;
    for (int i = 0; i < 5; i++) {
        const int64_t held = ib_alloc_held();
        void *block = i == 0   ? (void *)ib_schema_text(schema)
                      : i == 1 ? (void *)ib_import_operators()
                      : i == 2 ? (void *)ib_trace_output(g, "fc", &n)
                      : i == 3 ? (void *)ib_trace_weights(g, "fc", &n, &most)
                               : (void *)ib_text_read(path, &bytes);
        CHECK(block != NULL);
        CHECK_INT(ib_alloc_held(), held + 1);
        ib_free(block);
        CHECK_INT(ib_alloc_held(), held);
    }
    unlink(path);
    ib_schema_free(schema);
    ib_loader_free(l);
    ib_dataset_free(d);
    ib_layer_free(net);
    ib_graph_free(g);
    ib_device_close(dev);
}

SUITE("alloc", T(every_allocation_may_fail), T(texts_and_arrays_are_given_back))
