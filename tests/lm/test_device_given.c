/* test_device_given.c - what takes a device computes on that one: the environment names one that there is not, so that
 * a function that opens its own fails, and what cpu:ref writes are the numbers of its kernels. Broken by: a device
 * opened inside the library. */
#include "tests/lm/golden_model.h"

static void begin(void)
{
    REQUIRE(!setenv("ISOBIT_DEVICE", "cpu:none", 1));
    REQUIRE(ib_device_open(NULL) == NULL);
    dev = ib_device_open("cpu:ref");
    g = ib_graph_new(dev);
    REQUIRE(g != NULL);
    snprintf(folder, sizeof folder, "/tmp/isobit-test-device-%ld", (long)getpid());
    mkdir(folder, 0777);
}

static void end(void)
{
    close_graph();
    unsetenv("ISOBIT_DEVICE");
}

/* The merged matrix of a model's first projection as a file's has it. */
static void equals_merged(const ib_lm *m, const ib_lm *written)
{
    const ib_projection *p = &m->block[0].p[IB_ROLE_V], *w = &written->block[0].p[IB_ROLE_V];
    const int64_t n = ib_matrix_rows(p->w) * ib_matrix_cols(p->w);
    float *want = malloc((size_t)n * sizeof *want), *got = malloc((size_t)n * sizeof *got);
    REQUIRE(p->a && want && got && ib_matrix_rows(w->w) == ib_matrix_rows(p->w) && !ib_lm_merged(p, dev, want));
    ib_matrix_decode(w->w, 0, n, got);
    CHECK(!memcmp(got, want, (size_t)n * sizeof *got));
    free(want);
    free(got);
}

static void merging(void)
{
    begin();
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m && !ib_lm_adapter_open(m, path("llama", "adapter")));
    for (int gguf = 0; gguf < 2; gguf++) {
        const char *to = temporary(gguf ? "merged.gguf" : "merged");
        REQUIRE(!ib_lm_save(m, dev, to, &(ib_lm_save_opts){.format = "f32"}, NULL));
        ib_lm *written = ib_lm_open(to);
        REQUIRE(written != NULL);
        equals_merged(m, written);
        ib_lm_free(written);
    }
    CHECK(!ib_lm_deploy(m, dev, "q8_0") && !ib_lm_deploy(m, dev, NULL));
    ib_lm_free(m);
    end();
}

static void importing(void)
{
    begin();
    ib_layer *net = ib_import_onnx(IB_TEST_SOURCE "/golden/onnx/pooled_torchscript.onnx", dev);
    CHECK(net != NULL);
    ib_layer_free(net);
    end();
}

SUITE("device given", T(merging), T(importing))
