/* test_transforms.c - what is done to a model before it is quantized: AWQ's scales and cut ranges, SmoothQuant's
 * scales. Broken by: a ratio that is not the best, statistics that are not scaled with the rows, channels without
 * values, a norm that is not given back. */
#include "tests/lm/golden_model.h"

#include "ptq/transform.h"

enum { TEXT = 400 };
static int32_t text[TEXT];

typedef struct seen {
    double error;
    const char *work;
    int matrices, stop;
    char note[8 * IB_N_ROLES][IB_PTQ_NOTE];
} seen;
static int tell(void *user, const ib_ptq_report *r)
{
    seen *s = user;
    CHECK(isfinite(r->error) && (r->nearest_error < 0 || r->error <= r->nearest_error));
    if (r->nearest_error >= 0) {
        s->error += r->error;
        snprintf(s->note[s->matrices % (8 * IB_N_ROLES)], IB_PTQ_NOTE, "%s", r->transform);
        s->matrices++;
    }
    return s->stop && s->matrices == s->stop;
}

static void make_text(void)
{
    for (int i = 0; i < TEXT; i++)
        text[i] = i * i % VOCABULARY;
    for (int i = 0; i < T; i++) {
        ids[i] = (i * i + 3) % VOCABULARY;
        pos[i] = i;
        first[i] = 0;
    }
}

/* Few channels of rows are much larger than others, as in trained models; dead: some carry nothing, and a matrix is
 * constant. */
static ib_lm *model(int dead)
{
    ib_lm *m = ib_lm_new(&wide_shape, 1);
    REQUIRE(m != NULL && !ib_lm_freeze(m, "f32"));
    make_text();
    for (int layer = 0; layer < m->c.layers; layer++) {
        ib_block *b = &m->block[layer];
        for (int i = 0; i < WIDE; i++)
            for (int k = 0; k < 2; k++) {
                float *w = ib_tensor_f32(b->norm[k ? IB_NORM_FFN : IB_NORM_ATTENTION]);
                w[i] = dead && i % 19 == 1 ? 0 : i % 23 == 5 ? 24 : 1;
            }
        for (int role = 0; role < IB_N_ROLES; role++) {
            ib_matrix **at = &b->p[role].w;
            if (!*at)
                continue;
            const int64_t rows = ib_matrix_rows(*at), cols = ib_matrix_cols(*at);
            float *w = malloc((size_t)(rows * cols) * sizeof *w);
            ib_matrix_decode(*at, 0, rows * cols, w);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t c = 0; c < cols; c++) {
                    w[r * cols + c] *= role == IB_ROLE_UP && r % 29 == 3 ? 20 : 1;
                    if (dead && (c % 31 == 7 || (role == IB_ROLE_UP && r % 37 == 4)))
                        w[r * cols + c] = 0;
                    if (dead && role == IB_ROLE_K)
                        w[r * cols + c] = 0.01f;
                }
            ib_matrix_free(*at);
            *at = ib_matrix_encode(ib_storage_find("f32"), rows, cols, w, NULL);
            free(w);
        }
    }
    return m;
}

static ib_status quantize(ib_lm *m, const char *to, const char *method, const char *transform, seen *s)
{
    *s = (seen){.stop = s->stop, .work = s->work};
    return ib_lm_quantize(m, g,
                          &(ib_ptq_opts){.to = to,
                                         .method = method,
                                         .transform = transform,
                                         .ids = text,
                                         .n = TEXT,
                                         .context = 32,
                                         .bos = -1,
                                         .folder = !strcmp(to, "int8"),
                                         .work = s->work,
                                         .tell = tell,
                                         .user = s});
}

/* Squares of what became of the logits. */
static double off(ib_lm *m, const float *want)
{
    const float *y = logits_of(m);
    double sum = 0, all = 0;
    for (int i = 0; i < T * VOCABULARY; i++) {
        sum += ((double)y[i] - want[i]) * ((double)y[i] - want[i]);
        all += (double)want[i] * want[i];
    }
    return sum / all;
}

static void awq_makes_errors_smaller(void)
{
    static const char *const to[] = {"q4_0", "q2_k"};
    open_graph();
    static float want[T * VOCABULARY];
    double with = 0, without = 0; /* errors of logits */
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        static seen s, plain, gptq, both;
        ib_lm *m = model(0);
        memcpy(want, logits_of(m), sizeof want);
        REQUIRE(!quantize(m, to[i], "imatrix", NULL, &plain));
        without += off(m, want);
        ib_lm_free(m);
        m = model(0);
        REQUIRE(!quantize(m, to[i], "gptq", NULL, &gptq));
        ib_lm_free(m);
        m = model(0);
        REQUIRE(!quantize(m, to[i], "gptq", "awq", &both));
        ib_lm_free(m);
        for (int k = i != 0; k < 2; k++) { /* the first at 1 thread too */
            ib_threads_set(k + 1);
            m = model(0);
            REQUIRE(!quantize(m, to[i], "awq", NULL, &s));
            REQUIRE(!ib_lm_save(m, dev, temporary(k ? "a.gguf" : "b.gguf"), NULL, NULL));
            ib_lm_free(m);
        }
        ib_threads_set(0);
        CHECK(i || same_file(temporary("a.gguf"), temporary("b.gguf")));
        CHECK(strstr(s.note[0], "scales of ratio") != NULL && strstr(s.note[0], "of the error without") != NULL);
        REQUIRE((m = ib_lm_open(temporary("a.gguf"))) != NULL);
        with += off(m, want);
        CHECK(s.error < 0.8 * plain.error);
        CHECK(both.error < gptq.error);
        ib_lm_free(m);
    }
    CHECK(with < without);
    close_graph();
}

static void channels_that_carry_nothing(void)
{
    static const char *const methods[] = {"nearest", "awq", "smoothquant"};
    double e[3];
    open_graph();
    for (int i = 0; i < 3; i++) {
        static float want[T * VOCABULARY];
        static seen s;
        ib_lm *m = model(1);
        memcpy(want, logits_of(m), sizeof want);
        REQUIRE(!quantize(m, "q8_0", methods[i], NULL, &s));
        e[i] = off(m, want);
        int said = 0;
        for (int k = 0; k < s.matrices; k++)
            said += strstr(s.note[k], "channels carry nothing") != NULL;
        CHECK(i ? said >= 2 * 5 : !said); /* inputs of attention and of the feed-forward part, twice */
        ib_lm_free(m);
    }
    CHECK(e[1] <= e[0] && e[2] <= e[0]);
    close_graph();
}

/* Every architecture, in files; what is stopped leaves norms, biases and matrices as they were. */
static void every_architecture(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        static float want[T * VOCABULARY];
        static seen s;
        ib_lm *m = ib_lm_open(path(archs[a], "")), *back;
        REQUIRE(m != NULL);
        memcpy(want, logits_of(m), sizeof want);
        for (int i = 0; i < TEXT; i++)
            text[i] = i * i % VOCABULARY;
        s.stop = 5;
        CHECK_ERROR(quantize(m, "q8_0", "awq", NULL, &s), "stopped at");
        CHECK(furthest(logits_of(m), want, T * VOCABULARY) == 0);
        s.stop = 0;
        REQUIRE(!quantize(m, "q8_0", "awq", NULL, &s));
        REQUIRE(!ib_lm_save(m, dev, temporary("m.gguf"), NULL, NULL));
        REQUIRE((back = ib_lm_open(temporary("m.gguf"))) != NULL);
        const double e = off(back, want);
        if (!(e < 1e-3))
            printf("\n    %s: %g ", archs[a], e);
        CHECK(e < 1e-3);
        int scaled = 0, not = 0;
        for (int k = 0; k < s.matrices; k++) {
            scaled += strstr(s.note[k], "ratio") != NULL;
            not += strstr(s.note[k], "not scaled") != NULL;
        }
        CHECK(scaled + not == s.matrices);
        int fixed = 0; /* products whose rows cannot be scaled */
        for (int k = 0; k < m->c.layers * IB_N_ROLES; k++) {
            const char *why;
            const ib_fold_place f = {m, dev, k / IB_N_ROLES, ib_input_of(k % IB_N_ROLES), NULL};
            fixed += m->block[f.layer].p[k % IB_N_ROLES].w && !ib_fold_channels(&f, &why);
        }
        CHECK(not == fixed);
        ib_lm_free(back);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

/* Norms and biases of finished layers are kept with the matrices. */
static void stopped_and_taken_up(void)
{
    open_graph();
    for (int k = 0; k < 3; k++) { /* at once; stopped in the second layer; taken up */
        static seen s;
        ib_lm *m = model(0);
        s.stop = k == 1 ? 9 : 0;
        s.work = k ? temporary("kept") : NULL;
        if (k == 1)
            REQUIRE(!mkdir(s.work, 0777));
        const ib_status status = quantize(m, "q4_0", "awq", NULL, &s);
        CHECK(status == (k == 1 ? IB_ESTOPPED : IB_OK));
        if (k != 1)
            REQUIRE(!ib_lm_save(m, dev, temporary(k ? "b.gguf" : "a.gguf"), NULL, NULL));
        CHECK(k != 2 || s.matrices == 7);
        ib_lm_free(m);
    }
    CHECK(same_file(temporary("a.gguf"), temporary("b.gguf")));
    static seen s;
    ib_lm *m = model(0);
    s.work = temporary("kept");
    CHECK_ERROR(quantize(m, "q4_0", "gptq", NULL, &s), "was made with");
    ib_lm_free(m);
    close_graph();
}

static void smoothquant_in_integers(void)
{
    open_graph();
    static float want[T * VOCABULARY];
    static seen s;
    double e[2];
    for (int k = 0; k < 2; k++) {
        ib_lm *m = model(0), *back;
        memcpy(want, logits_of(m), sizeof want);
        REQUIRE(!quantize(m, "int8", k ? "smoothquant" : "imatrix", NULL, &s));
        CHECK(!strcmp(ib_matrix_format(m->block[1].p[IB_ROLE_DOWN].w)->name, "int8"));
        REQUIRE(!ib_lm_save(m, dev, temporary("hf"), NULL, NULL));
        REQUIRE((back = ib_lm_open(temporary("hf"))) != NULL);
        REQUIRE(!ib_lm_set_path(back, IB_PATH_INTEGER));
        ib_lm_products n;
        REQUIRE(!ib_lm_products_of(back, &n));
        CHECK(n.integer == 2 * 7);
        e[k] = off(back, want);
        ib_lm_free(back);
        ib_lm_free(m);
    }
    CHECK(e[1] < 0.7 * e[0]);
    close_graph();
}

static void refused(void)
{
    open_graph();
    ib_lm *m = model(0);
    static seen s;
    CHECK_ERROR(quantize(m, "q4_0", "gptq", "spin", &s), "no transform is named");
    CHECK_ERROR(ib_lm_quantize(m, g, &(ib_ptq_opts){.to = "q4_0", .method = "nearest", .transform = "awq"}),
                "transform awq needs a calibration text");
    CHECK_ERROR(ib_lm_quantize(m, g, &(ib_ptq_opts){.to = "q4_0", .folder = 1}), "q4_0 is no type of Hugging Face");
    CHECK_ERROR(ib_lm_quantize(m, g, &(ib_ptq_opts){.to = "int8"}), "int8 is no type of GGUF");
    CHECK(ib_ptq_transform_at(0) != NULL && ib_ptq_transform_at(99) == NULL);
    ib_lm_free(m);
    close_graph();
}

SUITE("transforms", T(awq_makes_errors_smaller), T(channels_that_carry_nothing), T(every_architecture),
      T(stopped_and_taken_up), T(smoothquant_in_integers), T(refused))
