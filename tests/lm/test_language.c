/* test_language.c - decoders against transformers, LoRA gradients against PEFT and PyTorch, checkpointing, the
 * cache. Broken by: a wrong rotary order, an eps in the wrong place, a mask that lets a later token through, a
 * gradient that misses a path. Golden data: tests/golden/make_language.py. */
#include "tests/lm/golden_model.h"

static void logits_equal_transformers(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], ""));
        if (!m)
            printf("\n    %s ", ib_error());
        REQUIRE(m != NULL);
        const double e = furthest(logits_of(m), values("logits", T * VOCABULARY), T * VOCABULARY);
        if (e > 1e-4)
            printf("\n    %s: %g ", archs[a], e);
        CHECK(e <= 1e-4);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

static void gradients_equal_peft(void)
{
    open_graph();
    uint64_t kept = 0; /* of the gradients' bits, where no layer runs again */
    for (int a = 0; a < N_ARCHS; a++)
        for (int checkpoint = 0; checkpoint <= 2; checkpoint++) {
            uint64_t bits = 14695981039346656037u; /* FNV-1a */
            read_golden(archs[a]);
            ib_lm *m = ib_lm_open(path(archs[a], ""));
            const ib_status opened = ib_lm_adapter_open(m, path(archs[a], "adapter"));
            if (opened)
                printf("\n    %s ", ib_error());
            REQUIRE(!opened);
            double e = furthest(logits_of(m), values("adapted_logits", T * VOCABULARY), T * VOCABULARY);
            if (e > 2e-4)
                printf("\n    %s: adapted logits %g ", archs[a], e);
            CHECK(e <= 2e-4);
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, batch(), checkpoint), target, 1.0f / (T - 1), NULL);
            REQUIRE(loss && !ib_backward(g, loss));
            CHECK_NEAR(numbers_of(loss)[0], values("loss", 1)[0], 1e-5);
            ib_layer *l = ib_lm_trainable(m);
            CHECK(ib_param_count(l) >= 28);
            for (int i = 0; i < ib_param_count(l); i++) {
                ib_tensor *p = ib_param_at(l, i);
                char name[256];
                snprintf(name, sizeof name, "grad.%s", ib_tensor_name(p));
                const float *want = values(name, ib_tensor_size(p));
                e = furthest(gradient_of(p), want, ib_tensor_size(p));
                if (e > 1e-4)
                    printf("\n    %s %s: %g ", archs[a], name, e);
                CHECK(e <= 1e-4);
                const uint8_t *byte = (const uint8_t *)gradient_of(p);
                for (int64_t k = 0; k < 4 * ib_tensor_size(p); k++)
                    bits = (bits ^ byte[k]) * 1099511628211u;
            }
            kept = checkpoint ? kept : bits;
            CHECK(bits == kept);
            ib_lm_free(m);
            ib_safetensors_close(golden);
        }
    close_graph();
}

/* Packed sequences and windows see what each alone sees; the cache gives what the whole row gives. */
static void packing_and_cache_change_nothing(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], ""));
        float *want = malloc(T * VOCABULARY * sizeof *want), step[VOCABULARY];
        for (int i = 10; i < T; i++) {
            pos[i] = i - 10;
            first[i] = 10;
        }
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        for (int i = 10; i < T; i++) { /* the second sequence alone */
            ids[i - 10] = ids[i];
            pos[i - 10] = i - 10;
            first[i - 10] = 0;
        }
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *alone = ib_lm_logits(m, g, ib_lm_hidden(m, g, &(ib_lm_batch){T - 10, ids, pos, first}, 0));
        CHECK(furthest(numbers_of(alone), want + 10 * VOCABULARY, (T - 10) * VOCABULARY) <= 1e-5);
        for (int int8 = 0; int8 < 2; int8++) {
            ib_kv *kv = ib_kv_new(m, T, int8);
            REQUIRE(kv && !ib_lm_step(m, g, kv, ids, 6, step));
            CHECK(furthest(step, want + 15 * VOCABULARY, VOCABULARY) <= 1e-5);
            for (int i = 6; i < T - 10; i++)
                REQUIRE(!ib_lm_step(m, g, kv, ids + i, 1, step));
            /* the cache's rounding */
            CHECK(furthest(step, want + (T - 1) * VOCABULARY, VOCABULARY) <= (int8 ? 0.15 : 0.01));
            CHECK_ERROR(ib_lm_step(m, g, kv, ids, 11, step), "do not fit a context of 24");
            ib_kv_rewind(kv, 6);
            REQUIRE(!ib_lm_step(m, g, kv, ids + 6, T - 16, step));
            CHECK(furthest(step, want + (T - 1) * VOCABULARY, VOCABULARY) <= (int8 ? 0.15 : 0.01));
            ib_kv_free(kv);
        }
        free(want);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

/* A BOS before each window, or in the place of its first token: the sums of rows that are written out here. */
static void windows_of_perplexity(void)
{
    enum { CONTEXT = 8, BOS = 1 };
    open_graph();
    read_golden("llama");
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m != NULL);
    for (int in_place = 0; in_place < 2; in_place++) {
        ib_perplexity_result r;
        const ib_perplexity_opts o = {.context = CONTEXT, .bos = BOS, .in_place = in_place};
        REQUIRE(!ib_lm_perplexity(m, g, ids, T - 1, &o, &r)); /* 23 tokens: with the BOS three windows of 8, or of 7 */
        CHECK_INT(r.windows, 3);
        double nll = 0;
        for (int w = 0; w < 3; w++) {
            int32_t row[CONTEXT] = {BOS}, at[CONTEXT], zero[CONTEXT] = {0}, want[CONTEXT];
            for (int i = 1; i < CONTEXT; i++)
                row[i] = ids[in_place ? CONTEXT * w + i - 1 : (CONTEXT - 1) * w + i - 1];
            for (int i = 0; i < CONTEXT; i++) {
                at[i] = i;
                want[i] = i >= CONTEXT / 2 && i + 1 < CONTEXT ? row[i + 1] : -1;
            }
            ib_graph_begin(g, IB_EVAL);
            ib_tensor *x = ib_lm_hidden(m, g, &(ib_lm_batch){CONTEXT, row, at, zero}, 0);
            nll += numbers_of(ib_lm_loss(m, g, x, want, 1, NULL))[0];
        }
        CHECK_NEAR(r.nll, nll / 9, 1e-5);
        CHECK_INT(r.tokens, 9);
    }
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

SUITE("language", T(logits_equal_transformers), T(gradients_equal_peft), T(packing_and_cache_change_nothing),
      T(windows_of_perplexity))
