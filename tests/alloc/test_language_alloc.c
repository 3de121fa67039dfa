/* test_language_alloc.c - each allocation in the life of a language model fails once: opening, tokens, samples,
 * training, files, generation. The result is an error and every block is given back, never a crash. json-c's and
 * PCRE2's own allocations do not fail here. Broken by: an unchecked allocation, a constructor that forgets what it
 * had. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define MODEL IB_TEST_SOURCE "/golden/models/chat"
static char folder[64], data[128], gguf[128], adapter[128];

/* 0 when all of it worked */
static int life(void)
{
    int rc = 1;
    float *logits = malloc(420 * sizeof *logits);
    ib_memory_plan plan;
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_lm *m = ib_lm_open(MODEL), *tuned = NULL;
    ib_tokenizer *t = ib_tokenizer_open(MODEL);
    ib_samples *s = NULL;
    ib_kv *kv = NULL;
    const ib_message hi[] = {{"user", "hi"}};
    ib_ids ids = {0};
    const ib_adamw_opts adamw = {.bits8 = 1};
    if (!g || !m || !t || ib_lm_requantize(m, "nf4_dq") ||
        !(s = ib_samples_open(data, t, &(ib_samples_opts){.seq = 24})))
        goto done;
    if (ib_lm_adapt(
            m,
            &(ib_adapter_opts){
                .r = 2, .dora = 1, .dropout = 0.1f, .targets = "q_proj,down_proj", .save = "embed_tokens,lm_head"}) ||
        ib_finetune_plan(m, g, 24, &adamw, -1, 1, &plan) ||
        ib_finetune(m, g, s, s,
                    &(ib_finetune_opts){
                        .steps = 1, .adamw = adamw, .checkpoint = 1, .out = adapter, .schedule = {.lr = 1e-3f}}))
        goto done;
    if (ib_lm_save(m, dev, gguf, &(ib_lm_save_opts){.source = MODEL, .format = "q8_0"}, NULL) ||
        !(tuned = ib_lm_open(gguf)) || !(kv = ib_kv_new(tuned, 40, 1)) ||
        ib_chat_tokens(t, NULL, hi, 1, 1, &ids, NULL) || ib_lm_step(tuned, g, kv, ids.id, ids.n, logits) ||
        ib_lm_step(tuned, g, kv, ids.id, 1, logits) || ib_lm_adapter_open(tuned, adapter))
        goto done;
    rc = 0;
done:
    free(logits);
    ib_free_ids(&ids);
    ib_kv_free(kv);
    ib_samples_free(s);
    ib_tokenizer_free(t);
    ib_lm_free(tuned);
    ib_lm_free(m);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}

static void every_allocation_may_fail(void)
{
    snprintf(folder, sizeof folder, "/tmp/isobit-test-language-alloc-%ld", (long)getpid());
    mkdir(folder, 0777);
    snprintf(data, sizeof data, "%s/data.jsonl", folder);
    snprintf(gguf, sizeof gguf, "%s/m.gguf", folder);
    snprintf(adapter, sizeof adapter, "%s/adapter", folder);
    FILE *f = fopen(data, "w");
    fputs("{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": "
          "\"yes\"}]}\n",
          f);
    fclose(f);
    ib_threads_set(2);
    ib_alloc_fail_at(0);
    if (life())
        printf("\n    %s ", ib_error());
    const int64_t all = ib_alloc_fail_at(0), held = ib_alloc_held();
    CHECK(all > 300);
    int64_t silent = 0, n = 1, step = 1;
    /* thousands of names and rows are allocated alike: all of the first 200, then a share that takes 1500 runs at
     * the most */
    for (; n <= all; n += step) {
        step = n < 200 || all < 1500 ? 1 : 1 + all / 1500;
        ib_alloc_fail_at(n);
        const int failed = life();
        const int64_t made = ib_alloc_fail_at(0);
        CHECK_INT(ib_alloc_held(), held);
        if (made < n)
            break;
        if (!failed)
            silent++;
        else
            CHECK(*ib_error() != 0);
    }
    printf("%lld allocations, %lld failures did no harm ", (long long)all, (long long)silent);
    CHECK(silent <= 13); /* joining the pieces of an arena, syncing the folder of each file: both can be done without */
}

SUITE("language_alloc", T(every_allocation_may_fail))
