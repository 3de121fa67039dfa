/* test_several.c - sequences side by side: each gets the logits that it gets alone, in every bit, on either path, at
 * every level and with any number of threads. Broken by: a product whose rows know of each other, a row that attends to
 * another sequence's keys, positions that are counted through the step. */
#include "tests/lm/golden_model.h"

enum { SIDES = 6, STEPS = 3 };

/* Prompts of 1 to SIDES tokens, then STEPS tokens, alone or side by side: [SIDES][STEPS][vocabulary] into logits. */
static void run(ib_lm *m, ib_graph *graph, int together, float *logits)
{
    const int v = ib_lm_config_of(m)->vocabulary;
    ib_kv *kv[SIDES];
    for (int i = 0; i < SIDES; i++) {
        int32_t prompt[SIDES];
        for (int j = 0; j <= i; j++)
            prompt[j] = (int32_t)((7 * i + 3 * j + 1) % v);
        REQUIRE((kv[i] = ib_kv_new(m, SIDES + STEPS + i, i % 2)) != NULL);
        REQUIRE(!ib_lm_step(m, graph, kv[i], prompt, i + 1, logits));
    }
    float *all = malloc(sizeof *all * (size_t)(SIDES * v));
    for (int s = 0; s < STEPS; s++) {
        int32_t id[SIDES];
        for (int i = 0; i < SIDES; i++)
            id[i] = (int32_t)((11 * i + 5 * s) % v);
        if (together)
            REQUIRE(!ib_lm_step_several(m, graph, kv, SIDES, id, all));
        for (int i = 0; i < SIDES; i++) {
            if (!together)
                REQUIRE(!ib_lm_step(m, graph, kv[i], &id[i], 1, all + i * v));
            memcpy(logits + (i * STEPS + s) * v, all + i * v, sizeof *all * (size_t)v);
            CHECK_INT(ib_kv_length(kv[i]), i + 2 + s);
        }
    }
    free(all);
    for (int i = 0; i < SIDES; i++)
        ib_kv_free(kv[i]);
}

static float want[SIDES * STEPS * 512], have[SIDES * STEPS * 512];

/* On both paths; what: for the eye. */
static void compare(ib_lm *m, const char *device, const char *what)
{
    ib_device *d = ib_device_open(device);
    ib_graph *graph = d ? ib_graph_new(d) : NULL;
    const int n = SIDES * STEPS * ib_lm_config_of(m)->vocabulary;
    REQUIRE(n <= (int)(sizeof want / sizeof *want));
    for (int path = 0; graph && path < 2; path++) {
        REQUIRE(!ib_lm_set_path(m, path ? IB_PATH_INTEGER : IB_PATH_EXACT));
        ib_threads_set(1);
        run(m, graph, 0, want);
        for (int threads = 1; threads <= 3; threads += 2) {
            ib_threads_set(threads);
            run(m, graph, 1, have);
            if (memcmp(want, have, sizeof *want * (size_t)n))
                printf("\n    %s at %s, path %d, %d threads: %g apart ", what, device, path, threads,
                       furthest(want, have, n));
            CHECK(!memcmp(want, have, sizeof *want * (size_t)n));
        }
        ib_threads_set(0);
    }
    ib_graph_free(graph);
    ib_device_close(d);
}

static void each_level_gives_each_sequence_its_bits(void)
{
    static const char *const formats[] = {"q4_0", "q4_k", "nf4_dq", "f16", ""};
    for (int f = 0; f < 5; f++)
        for (int l = 0; ib_device_name_at(l); l++) {
            ib_lm *m = ib_lm_new(&wide_shape, 5);
            REQUIRE(m && (!*formats[f] || !ib_lm_freeze(m, formats[f])));
            compare(m, ib_device_name_at(l), *formats[f] ? formats[f] : "trained");
            ib_lm_free(m);
        }
}

/* Windows, norms of queries and keys, adapters. */
static void of_every_architecture(void)
{
    for (int a = 0; a < N_ARCHS; a++) {
        ib_lm *m = ib_lm_open(path(archs[a], ""));
        REQUIRE(m != NULL);
        compare(m, "cpu", archs[a]);
        ib_lm_free(m);
        REQUIRE((m = ib_lm_open(path(archs[a], ""))) && !ib_lm_requantize(m, "int8"));
        REQUIRE(!ib_lm_adapter_open(m, path(archs[a], "adapter")));
        compare(m, "cpu", "with an adapter");
        ib_lm_free(m);
    }
}

/* A cache of no tokens shares no step, whose kernel differs; of two models, or one cache twice, is refused. */
static void odd_caches(void)
{
    open_graph();
    ib_lm *m = ib_lm_new(&wide_shape, 5);
    static float alone[VOCABULARY], two[2 * VOCABULARY];
    ib_kv *kv[2] = {m ? ib_kv_new(m, 4, 0) : NULL, m ? ib_kv_new(m, 4, 0) : NULL};
    REQUIRE(kv[0] && kv[1] && !ib_lm_freeze(m, "q8_0"));
    REQUIRE(!ib_lm_step(m, g, kv[0], (int32_t[]){3}, 1, alone) && !ib_kv_rewind(kv[0], 0));
    REQUIRE(!ib_lm_step_several(m, g, kv, 2, (int32_t[]){3, 3}, two));
    CHECK(!memcmp(alone, two, sizeof alone) && !memcmp(alone, two + VOCABULARY, sizeof alone));
    CHECK_ERROR(ib_lm_step_several(m, g, (ib_kv *[]){kv[0], kv[0]}, 2, (int32_t[]){3, 3}, two), "one cache at 0 and 1");
    REQUIRE(!ib_lm_step(m, g, kv[1], (int32_t[]){1, 2, 3}, 3, two));
    CHECK_ERROR(ib_lm_step_several(m, g, kv, 2, (int32_t[]){3, 3}, two), "do not fit a context of 4");
    CHECK_INT(ib_kv_length(kv[0]), 1);
    ib_kv_free(kv[0]);
    ib_kv_free(kv[1]);
    ib_lm_free(m);
    close_graph();
}

SUITE("several sequences", T(each_level_gives_each_sequence_its_bits), T(of_every_architecture), T(odd_caches))
