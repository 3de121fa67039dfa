/* test_adapter_rules.c - the lists that say which layers an adapter has, and of which ranks. Broken by: a rule that is
 * passed over, a list that is cut to a buffer's size. */
#include "tests/lm/golden_model.h"

#include "lm/adapters/adapter.h"

static const ib_lm *adapted(ib_lm *m, const char *targets, const char *ranks)
{
    return ib_lm_adapt(m, &(ib_adapter_opts){.r = 3, .targets = targets, .ranks = ranks}) ? NULL : m;
}

static int64_t rank_of(const ib_lm *m, int layer, int role)
{
    const ib_tensor *a = m->block[layer].p[role].a;
    return a ? a->shape[0] : 0;
}

static void what_is_no_rule_is_refused(void)
{
    static const char *const wrong[] = {
        "q_proj",        "q_proj:4",          "q_proj=", "q_proj=x",        "q_proj=4x",    "q_proj=0",
        "q_proj=-1",     "q_proj=4097",       "=4",      "v_proj=2,q_proj", "q_proj=2,v:3", "zz_proj=2",
        "q_proj=2,zz=4", "q_proj=99999999999"};
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m != NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_ERROR(adapted(m, "all", wrong[i]) == NULL, "--lora ranks");
        CHECK(!m->trainable && rank_of(m, 0, IB_ROLE_Q) == 0);
    }
    CHECK_ERROR(adapted(m, "q_proj,zz", NULL) == NULL, "'zz'");
    CHECK_ERROR(adapted(m, "", NULL) == NULL, "names no layer");
    ib_lm_free(m);
}

/* The last rule that a layer matches holds, also where it is the last of many thousand letters. */
static void long_lists_are_whole(void)
{
    char ranks[4096] = "", targets[4096] = "";
    for (int i = 0; i < 60; i++) {
        const size_t r = strlen(ranks), t = strlen(targets);
        snprintf(ranks + r, sizeof ranks - r, "model.layers.[0-9].self_attn.[a-z]_proj=%d,", 10 + i);
        snprintf(targets + t, sizeof targets - t, "model.layers.[0-9].self_attn.[qkv]_proj,");
    }
    strcat(ranks, "v_proj=5");
    strcat(targets, "down_proj");
    REQUIRE(strlen(ranks) > 2048 && strlen(targets) > 2048);
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m && adapted(m, targets, ranks));
    CHECK_INT(rank_of(m, 0, IB_ROLE_Q), 69);
    CHECK_INT(rank_of(m, 1, IB_ROLE_V), 5);
    CHECK_INT(rank_of(m, 1, IB_ROLE_DOWN), 3);
    CHECK_INT(rank_of(m, 0, IB_ROLE_O), 0);
    CHECK(!ib_lm_adapter_check(m, &(ib_adapter_opts){.targets = targets, .ranks = ranks}));
    CHECK_ERROR(ib_lm_adapter_check(m, &(ib_adapter_opts){.ranks = "v_proj=6"}), "ranks=v_proj:6");
    ib_lm_free(m);
    char many[1000] = "q_proj";
    for (int i = 0; i < 128; i++)
        strcat(many, ",q*");
    REQUIRE((m = ib_lm_open(path("llama", ""))) != NULL);
    CHECK_ERROR(adapted(m, many, NULL) == NULL, "more than 128 words");
    ib_lm_free(m);
}

SUITE("adapter rules", T(what_is_no_rule_is_refused), T(long_lists_are_whole))
