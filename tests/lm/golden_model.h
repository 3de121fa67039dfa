/* golden_model.h - the little models of tests/golden, and what transformers says of them; the shape of one whose rows
 * are whole blocks of every storage format. */
#ifndef IB_TESTS_LM_GOLDEN_MODEL_H
#define IB_TESTS_LM_GOLDEN_MODEL_H

#include <sys/stat.h>
#include <unistd.h>

#include "tests/check.h"
#include "files/gguf.h"
#include "files/safetensors.h"
#include "lm/lm.h"

#define MODELS IB_TEST_SOURCE "/golden/models/"
static const char *const archs[] = {"llama", "llama3", "mistral", "qwen2", "qwen3", "gemma3", "gemma2", "olmo2"};
enum { N_ARCHS = sizeof archs / sizeof *archs, T = 24, VOCABULARY = 67, WIDE = 256 };
static const ib_lm_config wide_shape = {.arch = "llama",
                                        .layers = 2,
                                        .width = WIDE,
                                        .ff = 512,
                                        .heads = 4,
                                        .groups = 2,
                                        .vocabulary = VOCABULARY,
                                        .context = 32};

static ib_device *dev;
static ib_graph *g;
static char folder[64];

static inline void open_graph(void)
{
    const char *other = getenv("ISOBIT_TEST_DEVICE"); /* of plain C too */
    dev = ib_device_open(other ? other : "cpu:avx2"); /* fp32: golden numbers are */
    if (!dev)
        dev = ib_device_open("cpu:base");
    g = ib_graph_new(dev);
    snprintf(folder, sizeof folder, "/tmp/isobit-test-language-%ld", (long)getpid());
    mkdir(folder, 0777);
}

static inline void close_graph(void)
{
    ib_graph_free(g);
    ib_device_close(dev);
}

static inline const char *path(const char *arch, const char *file)
{
    static char buf[4][512];
    static int i;
    i = (i + 1) % 4;
    snprintf(buf[i], sizeof buf[i], MODELS "%s%s%s", arch, *file ? "/" : "", file);
    return buf[i];
}

static int32_t ids[T], pos[T], first[T], target[T];
static ib_safetensors *golden;

static inline const float *values(const char *name, int64_t n)
{
    const ib_entry *e = ib_safetensors_find(golden, name);
    REQUIRE(e && ib_entry_size(e) == n);
    static float buf[1 << 16];
    memcpy(buf, e->data, (size_t)n * 4);
    return buf;
}

static inline void read_golden(const char *arch)
{
    golden = ib_safetensors_open(path(arch, "golden.safetensors"));
    REQUIRE(golden != NULL);
    const float *x = values("ids", T);
    for (int i = 0; i < T; i++) {
        ids[i] = (int32_t)x[i];
        pos[i] = i;
        first[i] = 0;
    }
    for (int i = 0; i < T; i++)
        target[i] = i + 1 < T ? ids[i + 1] : -1;
}

static inline double furthest(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = fabs((double)a[i] - b[i]) > worst ? fabs((double)a[i] - b[i]) : worst;
    return worst;
}

static inline const ib_lm_batch *batch(void)
{
    static ib_lm_batch b;
    b = (ib_lm_batch){T, ids, pos, first};
    return &b;
}

/* The numbers of a tensor, and of its gradient, until the next are read. */
enum { MOST = 1 << 16 };
static inline const float *numbers_of(const ib_tensor *t)
{
    static float buf[MOST];
    REQUIRE(t && ib_tensor_size(t) <= MOST && !ib_tensor_read(t, buf));
    return buf;
}
static inline const float *gradient_of(const ib_tensor *t)
{
    static float buf[MOST];
    REQUIRE(t && ib_tensor_size(t) <= MOST && !ib_tensor_read_grad(t, buf));
    return buf;
}

static inline const float *logits_of(ib_lm *m)
{
    ib_graph_begin(g, IB_EVAL);
    return numbers_of(ib_lm_logits(m, g, ib_lm_hidden(m, g, batch(), 0)));
}

static inline char *temporary(const char *name)
{
    static char buf[4][256];
    static int i;
    i = (i + 1) % 4;
    snprintf(buf[i], sizeof buf[i], "%s/%s", folder, name);
    return buf[i];
}

#endif
