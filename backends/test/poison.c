/* poison.c - opening test:poison and test:late, and their verbs. */
#include <string.h>
#include <sys/mman.h>

#include "backends/test/poison.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"

static const size_t REGION = (size_t)1 << 36;
static _Thread_local ib_poison *last_opened;

ib_poison_counts ib_poison_counted(void)
{
    return last_opened ? last_opened->counts : (ib_poison_counts){0};
}

static void *allocate(ib_device *dev, size_t bytes)
{
    ib_poison *p = (ib_poison *)dev;
    p->counts.allocations++;
    return ib_poison_take(p, bytes);
}

typedef struct transfer {
    void *to;
    const void *from;
    size_t bytes;
    int byte;
} transfer;

static void run_release(ib_poison *p, void *arguments)
{
    ib_poison_drop(p, ((transfer *)arguments)->to);
}

static void release(ib_device *dev, void *block)
{
    ib_poison *p = (ib_poison *)dev;
    if (block)
        *(transfer *)ib_poison_later(p, run_release, sizeof(transfer)) = (transfer){.to = block};
}

static void run_copy(ib_poison *p, void *arguments)
{
    const transfer *t = arguments;
    ib_poison_open(p);
    memcpy(t->to, t->from, t->bytes);
    ib_poison_shut(p);
}

/* Whether a verb may use it. */
static int may(ib_device *dev, const char *verb, const char *name, const void *at)
{
    ib_poison *p = (ib_poison *)dev;
    if (ib_poison_has(p, at))
        return 1;
    ib_poison_refuse(p, verb, name);
    return 0;
}

static void copy(ib_device *dev, void *to, const void *from, size_t bytes)
{
    if (!may(dev, "copy", "to", to) || !may(dev, "copy", "from", from))
        return;
    *(transfer *)ib_poison_later((ib_poison *)dev, run_copy, sizeof(transfer)) = (transfer){to, from, bytes, 0};
}

static void upload(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_poison *p = (ib_poison *)dev;
    if (!may(dev, "upload", "to", to))
        return;
    transfer *t = ib_poison_later(p, run_copy, sizeof *t);
    *t = (transfer){to, ib_poison_keep(p, from, bytes), bytes, 0};
    p->counts.uploads++;
}

static void run_fill(ib_poison *p, void *arguments)
{
    const transfer *t = arguments;
    ib_poison_open(p);
    memset(t->to, t->byte, t->bytes);
    ib_poison_shut(p);
}

static void fill(ib_device *dev, void *to, int byte, size_t bytes)
{
    if (!may(dev, "fill", "to", to))
        return;
    *(transfer *)ib_poison_later((ib_poison *)dev, run_fill, sizeof(transfer)) = (transfer){to, NULL, bytes, byte};
}

static void forget(ib_device *dev, void *p, size_t bytes)
{
    fill(dev, p, 0xFF, bytes);
}

static void peek(ib_device *dev, void *to, const void *from, size_t bytes)
{
    if (may(dev, "peek", "from", from))
        ib_poison_look((ib_poison *)dev, to, from, bytes);
}

static void download(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_poison *p = (ib_poison *)dev;
    ib_poison_run(p);
    if (may(dev, "download", "from", from))
        ib_poison_look(p, to, from, bytes);
    p->counts.downloads++;
}

static void synchronize(ib_device *dev)
{
    ib_poison *p = (ib_poison *)dev;
    ib_poison_run(p);
    p->counts.synchronizations++;
}

/* All is put off in any case. */
static void begin_step(ib_device *dev)
{
    (void)dev;
}

static void end_step(ib_device *dev)
{
    (void)dev;
}

/* The work space that plain C wants. */
#define WORDS(name, args, ...)                                                                                         \
    static int64_t name args                                                                                           \
    {                                                                                                                  \
        ib_device *plain = ((ib_poison *)dev)->plain;                                                                  \
        return plain->v.name(plain, __VA_ARGS__);                                                                      \
    }
WORDS(conv2d_words, (ib_device * dev, const ib_window *w), w)
WORDS(conv2d_grads_words, (ib_device * dev, const ib_window *w), w)
WORDS(qconv2d_words, (ib_device * dev, const ib_window *w), w)
WORDS(qlinear_words, (ib_device * dev, int64_t rows, int64_t k, int64_t out), rows, k, out)
WORDS(frozen_words, (ib_device * dev, const ib_matrix *w, int64_t n), w, n)
WORDS(attention_words, (ib_device * dev, const ib_attention *a, int64_t rows), a, rows)

static const ib_verbs verbs = {
#define VERB(result, name, args) .name = name,
#include "backends/verbs.def"
#undef VERB
};

void ib_test_close(ib_device *dev);

static void *reserve(void)
{
    void *p = mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? ib_fail_null(IB_ENOMEM, "test:poison: no room for %zu bytes", REGION) : p;
}

ib_device *ib_test_open(const char *variant, const char *asked)
{
    const int late = variant && !strcmp(variant, "late");
    if (!variant || (!late && strcmp(variant, "poison")))
        return ib_fail_null(IB_EUNSUPPORTED, "%s: test:poison and test:late are for tests", asked);
    ib_poison *p = ib_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->last = &p->first;
    p->takes_any = late;
    if (!(p->plain = ib_device_open("cpu:ref")) || !(p->memory = reserve()) || !(p->room = reserve()) ||
        !(p->holes = reserve())) {
        ib_test_close(&p->dev);
        return NULL;
    }
    mprotect(p->room, REGION, PROT_READ | PROT_WRITE);
    mprotect(p->holes, REGION, PROT_READ | PROT_WRITE);
    ib_snprintf(p->dev.name, sizeof p->dev.name, "test:%s", variant);
    p->dev.v = verbs;
    ib_poison_fill_table(&p->dev.k);
    last_opened = p;
    return &p->dev;
}

void ib_test_close(ib_device *dev)
{
    ib_poison *p = (ib_poison *)dev;
    if (p->memory && p->room)
        ib_poison_run(p);
    void *reserved[] = {p->memory, p->room, p->holes};
    for (int i = 0; i < 3; i++)
        if (reserved[i])
            munmap(reserved[i], REGION);
    ib_device_close(p->plain);
    if (last_opened == p)
        last_opened = NULL;
    ib_free(p);
}

const char *ib_test_name_at(int i) /* for those who know it */
{
    (void)i;
    return NULL;
}
