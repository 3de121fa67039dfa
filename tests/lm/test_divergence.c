/* test_divergence.c - a model against another, and windows that slide, by sums that are written out here. Broken by: a
 * token scored twice or with other tokens before it, distributions of the wrong token, figures that depend on threads,
 * a file of saved logits that is believed though it is cut. */
#include <omp.h>

#include "base/alloc.h"
#include "tests/lm/golden_model.h"

enum { CONTEXT = 8, BOS = 1, SCORED = CONTEXT - 1 - CONTEXT / 2 };

static ib_lm *opened(const char *arch)
{
    ib_lm *m = ib_lm_open(path(arch, ""));
    REQUIRE(m != NULL);
    return m;
}

/* log p of all tokens behind each token of a row, [CONTEXT][VOCABULARY]. */
static void log_softmax(ib_lm *m, const int32_t *row, double *out)
{
    int32_t at[CONTEXT], zero[CONTEXT] = {0};
    for (int i = 0; i < CONTEXT; i++)
        at[i] = i;
    ib_graph_begin(g, IB_EVAL);
    const float *x = numbers_of(ib_lm_logits(m, g, ib_lm_hidden(m, g, &(ib_lm_batch){CONTEXT, row, at, zero}, 0)));
    for (int i = 0; i < CONTEXT; i++) {
        double sum = 0;
        for (int j = 0; j < VOCABULARY; j++)
            sum += exp(x[i * VOCABULARY + j]);
        for (int j = 0; j < VOCABULARY; j++)
            out[i * VOCABULARY + j] = x[i * VOCABULARY + j] - log(sum);
    }
}

/* Each token behind the first context - stride of a window is scored once, with what its own window holds before it. */
static void windows_that_slide(void)
{
    open_graph();
    read_golden("llama");
    ib_lm *m = opened("llama");
    static double logs[CONTEXT * VOCABULARY];
    for (int in_place = 0; in_place < 2; in_place++)
        for (int bos = -1; bos <= BOS; bos += 2)
            for (int stride = 1; stride < CONTEXT; stride += 3) {
                const ib_perplexity_opts o = {.context = CONTEXT, .bos = bos, .in_place = in_place, .stride = stride};
                ib_perplexity_result r;
                REQUIRE(!ib_lm_perplexity(m, g, ids, T, &o, &r));
                /* the text that windows are taken from, and what stands before each */
                int32_t text[T + 1];
                const int ahead = in_place && bos >= 0, before = !in_place && bos >= 0;
                text[0] = BOS;
                memcpy(text + ahead, ids, sizeof ids);
                double nll = 0;
                int windows = 0, tokens = 0;
                for (int start = 0; start + CONTEXT - before + in_place <= T + ahead; start += stride, windows++) {
                    int32_t row[CONTEXT] = {BOS};
                    for (int i = before; i < CONTEXT; i++)
                        row[i] = text[start + i - before];
                    log_softmax(m, row, logs);
                    for (int i = CONTEXT - 1 - stride; i < CONTEXT - 1; i++, tokens++)
                        nll -= logs[i * VOCABULARY + row[i + 1]];
                }
                CHECK_INT(r.windows, windows);
                CHECK_INT(r.tokens, tokens);
                CHECK_NEAR(r.nll, nll / tokens, 1e-5);
            }
    ib_perplexity_result r;
    CHECK_ERROR(
        ib_lm_perplexity(m, g, ids, 8, &(ib_perplexity_opts){.context = 8, .bos = -1, .in_place = 1, .stride = 2}, &r),
        "the text has 8 tokens, a window of 8 needs 9");
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

static int ascending(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void figures_are_their_formulas(void)
{
    enum { WINDOWS = T / CONTEXT, N = WINDOWS * SCORED };
    open_graph();
    read_golden("llama");
    ib_lm *m = opened("llama"), *base = opened("llama3");
    static double p[CONTEXT * VOCABULARY], b[CONTEXT * VOCABULARY];
    double kld[N], change[N], nll = 0, base_nll = 0, sum = 0, sum2 = 0, square = 0, same = 0;
    int n = 0;
    for (int w = 0; w < WINDOWS; w++) {
        const int32_t *row = ids + w * CONTEXT;
        log_softmax(m, row, p);
        log_softmax(base, row, b);
        for (int i = CONTEXT / 2; i < CONTEXT - 1; i++, n++) {
            const double *pi = p + i * VOCABULARY, *bi = b + i * VOCABULARY;
            int top_p = 0, top_b = 0;
            kld[n] = 0;
            for (int j = 0; j < VOCABULARY; j++) {
                kld[n] += exp(bi[j]) * (bi[j] - pi[j]);
                top_p = pi[j] > pi[top_p] ? j : top_p;
                top_b = bi[j] > bi[top_b] ? j : top_b;
            }
            same += top_p == top_b;
            nll -= pi[row[i + 1]];
            base_nll -= bi[row[i + 1]];
            change[n] = exp(pi[row[i + 1]]) - exp(bi[row[i + 1]]);
            sum += kld[n];
            sum2 += kld[n] * kld[n];
            square += change[n] * change[n];
        }
    }
    ib_divergence d, again;
    const ib_perplexity_opts o = {.context = CONTEXT, .bos = -1};
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    REQUIRE(!ib_lm_divergence(m, base, g, ids, T, &o, &d));
    omp_set_num_threads(4);
    REQUIRE(!ib_lm_divergence(m, base, g, ids, T, &o, &again));
    omp_set_num_threads(threads);
    CHECK(!memcmp(&d, &again, sizeof d));
    CHECK_INT(d.tokens, N);
    CHECK_INT(d.windows, WINDOWS);
    CHECK_NEAR(log(d.perplexity.mean), nll / N, 1e-5);
    CHECK_NEAR(log(d.base_perplexity.mean), base_nll / N, 1e-5);
    CHECK_NEAR(d.ratio.mean, exp((nll - base_nll) / N), 1e-5);
    CHECK_NEAR(d.divergence.mean, sum / N, 1e-5);
    CHECK_NEAR(d.divergence.error, sqrt((sum2 / N - sum / N * sum / N) / (N - 1)), 1e-5);
    CHECK_NEAR(d.same_top.mean, same / N, 1e-12);
    CHECK_NEAR(d.same_top.error, sqrt(same / N * (1 - same / N) / (N - 1)), 1e-12);
    CHECK_NEAR(d.rms_change.mean, sqrt(square / N), 1e-6);
    qsort(kld, N, sizeof *kld, ascending);
    qsort(change, N, sizeof *change, ascending);
    CHECK_NEAR(d.divergence_at[0], kld[0], 1e-5);
    CHECK_NEAR(d.divergence_at[6], kld[N / 2], 1e-5);                       /* N is odd: the median is one of them */
    CHECK_NEAR(d.divergence_at[8], kld[7] + 0.2 * (kld[8] - kld[7]), 1e-5); /* 0.9 * 8 = 7.2 */
    CHECK_NEAR(d.divergence_at[IB_QUANTILES - 1], kld[N - 1], 1e-5);
    CHECK_NEAR(d.change_at[6], change[N / 2], 1e-6);
    REQUIRE(!ib_lm_divergence(m, m, g, ids, T, &o, &d));
    CHECK(d.divergence.mean == 0 && d.divergence_at[IB_QUANTILES - 1] == 0 && d.same_top.mean == 1 &&
          d.ratio.mean == 1);
    ib_lm_config other = wide_shape;
    other.vocabulary = VOCABULARY + 1;
    ib_lm *more = ib_lm_new(&other, 1);
    CHECK_ERROR(ib_lm_divergence(m, more, g, ids, T, &o, &d), "a vocabulary of 67 tokens, the base one of 68");
    ib_lm_free(more);
    ib_lm_free(base);
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

static void saved_logits_stand_for_a_model(void)
{
    open_graph();
    read_golden("llama");
    ib_lm *m = opened("llama"), *base = opened("llama3");
    const char *file = temporary("saved");
    const ib_perplexity_opts o = {.context = CONTEXT, .bos = BOS, .in_place = 1}, plain = {.bos = BOS};
    ib_perplexity_result r, alone;
    ib_divergence d, saved;
    REQUIRE(!ib_lm_save_logits(base, g, file, ids, T, &o, &r) && !ib_lm_perplexity(base, g, ids, T, &o, &alone));
    CHECK_NEAR(r.nll, alone.nll, 1e-6);
    REQUIRE(!ib_lm_divergence(m, base, g, ids, T, &o, &d));
    for (int text = 0; text < 2; text++) {
        REQUIRE(!ib_lm_divergence_saved(m, file, g, text ? ids : NULL, text ? T : 0, text ? &o : &plain, &saved));
        CHECK_INT(saved.tokens, d.tokens);
        CHECK_NEAR(saved.divergence.mean, d.divergence.mean, 1e-3 * d.divergence.mean);
        CHECK_NEAR(saved.base_perplexity.mean, d.base_perplexity.mean, 1e-3);
        CHECK(saved.perplexity.mean == d.perplexity.mean && saved.same_top.mean == d.same_top.mean);
    }
    const int32_t was = ids[10];
    ids[10] = was ? 0 : 1;
    CHECK_ERROR(ib_lm_divergence_saved(m, file, g, ids, T, &o, &saved), "in the text, but");
    ids[10] = was;
    CHECK_ERROR(ib_lm_divergence_saved(m, file, g, NULL, 0, &(ib_perplexity_opts){.context = 16, .bos = -1}, &saved),
                "windows of 16 tokens are asked for, those of the saved logits have 8");
    CHECK_ERROR(ib_lm_divergence_saved(m, file, g, NULL, 0, &(ib_perplexity_opts){.windows = 4, .bos = -1}, &saved),
                "4 windows are asked for, the saved logits have 3");
    ib_perplexity_opts sliding = o;
    sliding.stride = 2;
    CHECK_ERROR(ib_lm_save_logits(base, g, file, ids, T, &sliding, &r), "slide by 2");
    /* cut anywhere, or with numbers that are none */
    size_t size;
    unsigned char *bytes = ib_file_read(file, &size);
    REQUIRE(bytes != NULL);
    for (size_t n = 0; n < size; n++) {
        REQUIRE(!ib_file_replace(file, bytes, n));
        CHECK(ib_lm_divergence_saved(m, file, g, NULL, 0, &plain, &saved) == IB_EFORMAT && strstr(ib_error(), file));
    }
    static const struct {
        int at;
        uint32_t word;
        const char *says;
    } wrong[] = {{0, 0, "does not begin"},
                 {8, 3, "no saved logits"},
                 {8, 0x7fffffff, "no saved logits"},
                 {12, 69, "cut short"},
                 {12, 0x7fffffff, "no saved logits"},
                 {16, 2, "too long"},
                 {16, 0x7fffffff, "cut short"},
                 {16, 0xffffffff, "no saved logits"},
                 {20, 67, "token 0 of window 1 is 67, but the vocabulary has 67"},
                 {20 + 4 * 3 * CONTEXT, 0x7fc00000, "no scale and least"},
                 {20 + 4 * 3 * CONTEXT + 4, 0x7f800000, "no scale and least"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        unsigned char kept[4];
        memcpy(kept, bytes + wrong[i].at, 4);
        memcpy(bytes + wrong[i].at, &wrong[i].word, 4);
        REQUIRE(!ib_file_replace(file, bytes, size));
        CHECK_ERROR(ib_lm_divergence_saved(m, file, g, NULL, 0, &plain, &saved), wrong[i].says);
        memcpy(bytes + wrong[i].at, kept, 4);
    }
    ib_free(bytes);
    ib_lm_free(base);
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

static int stop(void *user, int64_t done, int64_t total, double value)
{
    (void)user, (void)total, (void)value;
    return done == 2;
}

/* Each allocation fails once; a run that is stopped leaves no file. */
static void nothing_is_left_behind(void)
{
    open_graph();
    read_golden("llama");
    ib_lm *m = opened("llama"), *base = opened("llama3");
    char *file = temporary("stopped");
    const ib_perplexity_opts o = {.context = CONTEXT, .bos = -1}, stopping = {CONTEXT, .bos = -1, .progress = stop};
    ib_perplexity_result r;
    ib_divergence d;
    CHECK_INT(ib_lm_save_logits(m, g, file, ids, T, &stopping, &r), IB_ESTOPPED);
    CHECK_INT(ib_lm_perplexity(m, g, ids, T, &stopping, &r), IB_ESTOPPED);
    CHECK_INT(ib_lm_divergence(m, base, g, ids, T, &stopping, &d), IB_ESTOPPED);
    CHECK(access(file, F_OK) != 0);
    char *kept = temporary("kept");
    REQUIRE(!ib_lm_save_logits(base, g, kept, ids, T, &o, &r) && !ib_lm_divergence(m, base, g, ids, T, &o, &d));
    for (int which = 0; which < 3; which++) {
        ib_status status = IB_ENOMEM;
        const int64_t held = ib_alloc_held();
        for (int n = 1; n < 10000 && status; n++) {
            ib_alloc_fail_at(n);
            status = which == 0   ? ib_lm_divergence(m, base, g, ids, T, &o, &d)
                     : which == 1 ? ib_lm_divergence_saved(m, kept, g, NULL, 0, &o, &d)
                                  : ib_lm_save_logits(m, g, file, ids, T, &o, &r);
            ib_alloc_fail_at(0);
            CHECK(!status || status == IB_ENOMEM);
            CHECK(status ? which < 2 || access(file, F_OK) != 0 : 1);
        }
        CHECK_INT(status, IB_OK);
        CHECK(ib_alloc_held() <= held + 64); /* the graph keeps what its steps have grown to */
    }
    ib_lm_free(base);
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

SUITE("divergence", T(windows_that_slide), T(figures_are_their_formulas), T(saved_logits_stand_for_a_model),
      T(nothing_is_left_behind))
