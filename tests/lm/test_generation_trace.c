/* test_generation_trace.c - what a trace says of generation: every operator of a step once. Broken by: values that no
 * operator makes, as attention with a cache once did, an operator that runs twice, a layer that is passed over. */
#include "tests/lm/golden_model.h"

static char trace[80];

/* Of the trace from byte `from` on: operators in order, a blank behind each. */
static long operators(long from, char *names, size_t size)
{
    char line[1024], op[64];
    FILE *f = fopen(trace, "rb");
    REQUIRE(f && !fseek(f, from, SEEK_SET));
    for (*names = 0; fgets(line, sizeof line, f);) {
        REQUIRE(sscanf(line, "forward %63s", op) == 1 && strlen(names) + strlen(op) + 2 < size);
        strcat(strcat(names, op), " ");
    }
    const long end = ftell(f);
    fclose(f);
    return end;
}

/* What a step is made of; attention: the operator's name. */
static void want(const ib_lm *m, const char *attention, char *names, size_t size)
{
    size_t at = (size_t)snprintf(names, size, "embedding ");
    for (int i = 0; i < m->c.layers; i++) {
        const ib_block *b = &m->block[i];
        at += (size_t)snprintf(names + at, size - at,
                               "%slora %slora %slora rope rope cache_rows %s lora %sadd %slora lora glu lora %sadd ",
                               b->norm[IB_NORM_ATTENTION] ? "rms_norm " : "", b->norm[IB_NORM_QUERY] ? "rms_norm " : "",
                               b->norm[IB_NORM_KEY] ? "rms_norm " : "", attention,
                               b->norm[IB_NORM_POST_ATTENTION] ? "rms_norm " : "",
                               b->norm[IB_NORM_FFN] ? "rms_norm " : "", b->norm[IB_NORM_POST_FFN] ? "rms_norm " : "");
    }
    snprintf(names + at, size - at, "rms_norm lora %s", m->c.logit_cap > 0 ? "soft_cap " : "");
}

static void check_step(long *from, const ib_lm *m, const char *attention)
{
    static char have[4096], wanted[4096];
    *from = operators(*from, have, sizeof have);
    want(m, attention, wanted, sizeof wanted);
    CHECK(!strcmp(have, wanted));
    if (strcmp(have, wanted))
        printf("\n    %s\n is not\n    %s\n", have, wanted);
}

/* A prompt in two parts, then a token; keys in half precision and in int8, layers with and without a window. */
static void every_operator_has_a_line(void)
{
    snprintf(trace, sizeof trace, "/tmp/isobit-generation-trace-%ld", (long)getpid());
    setenv("ISOBIT_TRACE", trace, 1); /* read by the first operator */
    open_graph();
    long from = 0;
    for (int a = 0; a < N_ARCHS; a++)
        for (int int8 = 0; int8 < 2; int8++) {
            read_golden(archs[a]);
            ib_lm *m = ib_lm_open(path(archs[a], ""));
            ib_kv *kv = m ? ib_kv_new(m, T, int8) : NULL;
            static float logits[VOCABULARY];
            REQUIRE(kv && !ib_lm_step(m, g, kv, ids, 6, logits));
            check_step(&from, m, "attention");
            REQUIRE(!ib_lm_step(m, g, kv, ids + 6, 5, logits));
            check_step(&from, m, "cached_attention");
            REQUIRE(!ib_lm_step(m, g, kv, ids + 11, 1, logits));
            check_step(&from, m, "cached_attention");
            ib_kv_free(kv);
            ib_lm_free(m);
            ib_safetensors_close(golden);
        }
    unlink(trace);
    rmdir(folder);
    close_graph();
}

SUITE("generation trace", T(every_operator_has_a_line))
