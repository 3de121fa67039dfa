/* test_cuda_threads.c - "cuda:host" in several threads of a program: a device in each, at once, and one that goes from
 * thread to thread, all to the bytes of plain C. Broken by: a call that looks at a queue, an event or a block's threads
 * without the lock; an error or a capture that is another thread's. */
#include <pthread.h>

#include "tests/cuda/host_plugin.h"

#include "tests/train_steps.h"

enum { THREADS = 3 };
static const ib_qat_opts int8 = {.weight_bits = 8, .act_bits = 8};

typedef struct work {
    trained t;
    trainer r; /* of whose steps the thread does all */
    int ok;
} work;

static int is_alike(const trained *a, const trained *b)
{
    return a->n == b->n && !memcmp(a->values, b->values, (size_t)a->n * sizeof *a->values) &&
           !memcmp(a->losses, b->losses, sizeof a->losses);
}

static void *train(void *of)
{
    work *w = of;
    w->ok = train_steps("cuda:host", "mlp", &int8, NULL, &w->t);
    return NULL;
}

static void devices_in_threads(void)
{
    static trained plain;
    static work works[THREADS];
    if (!has_plugin())
        return;
    REQUIRE(train_steps("cpu:ref", "mlp", &int8, NULL, &plain));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(!pthread_create(&threads[i], NULL, train, &works[i]));
    for (int i = 0; i < THREADS; i++)
        REQUIRE(!pthread_join(threads[i], NULL));
    for (int i = 0; i < THREADS; i++)
        CHECK(works[i].ok && is_alike(&works[i].t, &plain));
}

static void *go_on(void *of)
{
    work *w = of;
    w->ok = !ib_loader_start(w->r.l, 0, 0);
    for (int i = 0; i < 4 && w->ok; i++)
        w->ok = one_step(&w->r, i, NULL, &w->t);
    return NULL;
}

static void a_device_goes_to_another_thread(void)
{
    static trained plain;
    static work w;
    pthread_t thread;
    if (!has_plugin())
        return;
    REQUIRE(train_steps("cpu:ref", "mlp", &int8, NULL, &plain));
    REQUIRE(begin_trainer(&w.r, "cuda:host", "mlp", &int8));
    REQUIRE(!pthread_create(&thread, NULL, go_on, &w) && !pthread_join(thread, NULL));
    CHECK(w.ok && read_all(w.r.net, &w.t) && is_alike(&w.t, &plain));
    CHECK(!*w.r.dev->failure);
    ib_optim_free(w.r.opt);
    ib_layer_free(w.r.net);
    ib_loader_free(w.r.l);
    ib_dataset_free(w.r.d);
    ib_graph_free(w.r.g);
    ib_device_close(w.r.dev);
}

SUITE("cuda threads", T(devices_in_threads), T(a_device_goes_to_another_thread))
