/* test_sampling.c - the token that is chosen, against the definition: of logits with ties, all combinations of top-k,
 * top-p, min-p and temperature, many draws. Broken by: a token among the likeliest that is not, an order that hangs on
 * how they are found, a share of something else than these. */
#include "tests/check.h"

#include <math.h>

enum { VOCABULARY = 300, DRAWS = 40 };

/* How many are likelier than i; of equal ones the first. */
static int rank_of(const float *logits, int i)
{
    int rank = 0;
    for (int j = 0; j < VOCABULARY; j++)
        rank += logits[j] > logits[i] || (logits[j] == logits[i] && j < i);
    return rank;
}

/* token[r] is the r-th likeliest: the first top_k of them, of these the fewest that make up top_p, of these the ones
 * with min_p of the best's probability; u of their sum falls on the one that is chosen. */
static int expected(const ib_sampling *s, const float *logits, uint64_t step)
{
    int token[VOCABULARY], n = s->top_k ? s->top_k : VOCABULARY, kept = 0;
    double p[VOCABULARY], total = 0, sum = 0;
    for (int i = 0; i < VOCABULARY; i++)
        token[rank_of(logits, i)] = i;
    if (s->temperature == 0)
        return token[0];
    n = n < VOCABULARY ? n : VOCABULARY;
    for (int r = 0; r < n; r++)
        total += p[r] = exp(((double)logits[token[r]] - logits[token[0]]) / s->temperature);
    while (kept < n && (!kept || (sum < (s->top_p > 0 ? s->top_p : 2) * total && p[kept] >= s->min_p)))
        sum += p[kept++];
    double left = ib_rng_uniform((ib_rng){s->seed, 0x5a}, step) * sum;
    int r = 0;
    while (r + 1 < kept && (left -= p[r]) >= 0)
        r++;
    return token[r];
}

static void tokens_are_those_of_the_definition(void)
{
    static const int ks[] = {0, 1, 2, 7, 40, 299, 300, 4000};
    static const float ps[] = {0, 0.3f, 0.95f, 1}, floors[] = {0, 0.05f, 0.5f, 1}, heats[] = {0, 0.4f, 0.8f, 3};
    for (int form = 0; form < 8 * 4 * 4 * 4; form++) {
        const ib_sampling s = {.top_k = ks[form % 8],
                               .top_p = ps[form / 8 % 4],
                               .min_p = floors[form / 32 % 4],
                               .temperature = heats[form / 128],
                               .seed = 11};
        for (uint64_t step = 0; step < DRAWS; step++) {
            float logits[VOCABULARY], kept[VOCABULARY];
            for (int i = 0; i < VOCABULARY; i++) /* steps of a quarter: many are equal, also the best */
                kept[i] = logits[i] = rintf(8 * ib_rng_normal((ib_rng){3, step}, (uint64_t)i)) / 4;
            CHECK(ib_sample_token(&s, logits, VOCABULARY, NULL, 0, step) == expected(&s, kept, step));
        }
    }
}

/* Each of the last 64 tokens once, however often it was said. */
static void what_was_said_is_less_likely(void)
{
    float logits[] = {2, 1.9f, -1, 0};
    const int32_t said[] = {0, 0, 2};
    const ib_sampling s = {.repeat_penalty = 1.25f};
    CHECK(ib_sample_token(&s, logits, 4, said, 3, 0) == 1);
    CHECK(logits[0] == 2 / 1.25f && logits[1] == 1.9f && logits[2] == -1.25f && logits[3] == 0);
}

SUITE("sampling", T(tokens_are_those_of_the_definition), T(what_was_said_is_less_likely))
