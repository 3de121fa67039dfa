/* test_fold_scales.c - scales moved from rows to what makes them: float models of every architecture stay what they
 * were, also through files, and can be had back. Broken by: a norm that multiplies by 1 + w and is scaled by w's, a
 * bias that is left out, heads that share values and have scales of their own. */
#include "tests/lm/golden_model.h"

#include "ptq/fold_scales.h"

static float uniform(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (float)(*s >> 8) * 0x1p-24f;
}

/* Scales between 1/8 and 8 into every place of the model; how many there were. */
static int64_t fold_all(ib_lm *m, ib_swaps *swaps, uint32_t seed)
{
    int64_t n = 0;
    for (int layer = 0; layer < m->c.layers; layer++)
        for (int input = 0; input < IB_N_INPUTS; input++) {
            const char *why;
            const ib_fold_place f = {m, dev, layer, input, swaps};
            const int64_t channels = ib_fold_channels(&f, &why);
            CHECK(!channels == (*why != 0));
            float s[1024];
            REQUIRE(channels <= 1024);
            for (int64_t i = 0; i < channels; i++)
                s[i] = exp2f(6 * uniform(&seed) - 3);
            REQUIRE(!channels || !ib_fold_scales(&f, s));
            n += channels;
        }
    return n;
}

static int near(ib_lm *m, const float *want)
{
    double most = 0;
    for (int i = 0; i < T * VOCABULARY; i++)
        most = fmax(most, fabs((double)want[i]));
    const double off = furthest(logits_of(m), want, T * VOCABULARY);
    if (!(off <= 1e-5 * most))
        printf("\n    %g of %g: ", off, most);
    return off <= 1e-5 * most;
}

static void float_models_stay(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], "")), *back;
        REQUIRE(m != NULL);
        float *want = malloc(T * VOCABULARY * sizeof *want);
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        const ib_matrix *up = m->block[0].p[IB_ROLE_UP].w;
        ib_swaps swaps = {0};
        const int64_t n = fold_all(m, &swaps, 1);
        CHECK(n >= m->c.layers * m->c.ff);
        CHECK(near(m, want));
        CHECK(fold_all(m, &swaps, 2) == n); /* once more, over the first */
        CHECK(near(m, want));
        REQUIRE(!ib_lm_save(m, dev, temporary("m.gguf"), NULL, NULL));
        REQUIRE(!ib_lm_save(m, dev, temporary("hf"), NULL, NULL));
        ib_swaps_end(&swaps, 0);
        CHECK(m->block[0].p[IB_ROLE_UP].w == up && furthest(logits_of(m), want, T * VOCABULARY) == 0);
        for (int k = 0; k < 2; k++) {
            REQUIRE((back = ib_lm_open(temporary(k ? "hf" : "m.gguf"))) != NULL);
            CHECK(near(back, want));
            ib_lm_free(back);
        }
        fold_all(m, &swaps, 3);
        ib_swaps_end(&swaps, 1);
        CHECK(m->block[0].p[IB_ROLE_UP].w != up && near(m, want));
        ib_lm_free(m);
        free(want);
        ib_safetensors_close(golden);
    }
    close_graph();
}

/* Values of heads that share them: exact in powers of two. */
static void shared_heads_share_scales(void)
{
    open_graph();
    ib_lm *m = ib_lm_new(&wide_shape, 1);
    REQUIRE(m != NULL && !ib_lm_freeze(m, "f32"));
    ib_swaps swaps = {0};
    const char *why;
    const ib_fold_place f = {m, dev, 1, IB_INPUT_OUTPUT, &swaps};
    REQUIRE(ib_fold_channels(&f, &why) == 128);
    CHECK(ib_fold_channel(&f, 5) == 5 && ib_fold_channel(&f, 64 + 5) == 5 && ib_fold_channel(&f, 128 + 5) == 64 + 5 &&
          ib_fold_channel(&f, 255) == 127);
    float s[128], want[T * VOCABULARY];
    for (int i = 0; i < T; i++) {
        ids[i] = i * i % VOCABULARY;
        pos[i] = i;
        first[i] = 0;
    }
    memcpy(want, logits_of(m), sizeof want);
    for (int i = 0; i < 128; i++)
        s[i] = exp2f((float)(i * 7 % 5 - 2));
    REQUIRE(!ib_fold_scales(&f, s));
    CHECK(furthest(logits_of(m), want, T * VOCABULARY) == 0);
    s[3] = 0;
    CHECK_ERROR(ib_fold_scales(&f, s), "the scale of channel 3 is 0");
    ib_swaps_end(&swaps, 0);
    ib_lm_free(m);
    close_graph();
}

SUITE("fold_scales", T(float_models_stay), T(shared_heads_share_scales))
