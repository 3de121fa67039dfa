/* test_ptq.c - quantizing what is trained already: lattices of formats, triangular factors, GPTQ beside rounding, types
 * by recipes, a whole model. Broken by: a swapped code, a sum in another order, an error that goes the wrong way. */
#include "tests/lm/golden_model.h"

#include "ptq/ptq.h"
#include "ptq/triangular.h"
#include "tensor/lattice.h"
#include "tensor/matrix.h"

enum { ROWS = 12, COLS = 512, TOKENS = 900 };
static float w[ROWS * COLS], decoded[ROWS * COLS], rows[TOKENS * COLS];

static float uniform(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (float)((int)(*s >> 8) - 8388608) * 0x1p-23f;
}

static void make_values(void)
{
    uint32_t s = 7;
    for (int i = 0; i < ROWS * COLS; i++) {
        const float u = uniform(&s);
        w[i] = u * u * u;
    }
    for (int t = 0; t < TOKENS; t++) { /* neighbours are much alike */
        float last = 0;
        for (int c = 0; c < COLS; c++)
            rows[t * COLS + c] = last = 0.9f * last + uniform(&s) * (c % 17 ? 1.0f : 6.0f);
    }
}

/* Codes are written as they are read, and are what values are made of. */
static void blocks_are_recoded(void)
{
    int known = 0;
    make_values();
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        const ib_lattice_format *lattice = f->encode && f->block > 1 ? ib_lattice_of(f) : NULL;
        if (!lattice)
            continue;
        known++;
        for (int b = 0; b < 8; b++) {
            uint8_t block[256], other[256];
            float y[256];
            ib_lattice grid, again;
            const float *x = w + b * f->block;
            f->encode(x, NULL, 0, block);
            f->decode(block, y);
            ib_lattice_read(f, block, &grid);
            memcpy(other, block, (size_t)f->bytes);
            lattice->recode(grid.code, other);
            CHECK(!memcmp(block, other, (size_t)f->bytes));
            int8_t code[256];
            for (int k = 0; k < f->block; k++) {
                CHECK(grid.step[k] * (float)grid.code[k] + grid.offset[k] == y[k]);
                code[k] = ib_lattice_nearest(lattice, grid.step[k], grid.offset[k], x[k]);
                CHECK(fabsf(grid.step[k] * (float)code[k] + grid.offset[k] - x[k]) <= fabsf(y[k] - x[k]) * 1.0001f);
            }
            for (int k = 0; k < f->block; k++)
                code[k] = ib_lattice_nearest(lattice, grid.step[k], grid.offset[k], x[f->block - 1 - k]);
            lattice->recode(code, other);
            ib_lattice_read(f, other, &again);
            CHECK(!memcmp(again.code, code, (size_t)f->block));
            CHECK(!memcmp(again.step, grid.step, (size_t)f->block * sizeof *grid.step));
        }
    }
    CHECK(known >= 12);
}

static void a_factor_of_the_inverse(void)
{
    enum { N = 131 };
    static double h[N * N], u[N * N];
    uint32_t s = 3;
    for (int i = 0; i < N; i++)
        for (int k = 0; k <= i; k++)
            h[i * N + k] = h[k * N + i] = (i == k) * N + (double)uniform(&s);
    memcpy(u, h, sizeof h);
    REQUIRE(!ib_upper_inverse(u, N));
    double most = 0;
    for (int i = 0; i < N; i++) /* U'U h = 1 */
        for (int k = 0; k < N; k++) {
            double sum = 0;
            for (int a = 0; a < N; a++)
                for (int b = 0; b <= i && b <= a; b++)
                    sum += u[b * N + i] * u[b * N + a] * h[a * N + k];
            most = fmax(most, fabs(sum - (i == k)));
            CHECK(k >= i || u[i * N + k] == 0);
        }
    CHECK_NEAR(most, 0, 1e-12);
    h[5 * N + 5] = -1;
    CHECK_ERROR(ib_upper_inverse(h, N), "not positive definite at column");
}

static ib_statistics seen(unsigned needs)
{
    ib_statistics s;
    REQUIRE(!ib_statistics_new(&s, COLS, needs));
    for (int from = 0; from < TOKENS; from += 300) {
        ib_graph_begin(g, IB_EVAL);
        REQUIRE(!ib_statistics_add(&s, g, ib_input(g, 2, (int64_t[]){300, COLS}, rows + from * COLS)));
    }
    return s;
}

/* |X (W - Q)'|^2 / |X W'|^2 as it is written. */
static double output_error(const ib_matrix *q)
{
    double of = 0, all = 0;
    ib_matrix_decode(q, 0, ROWS * COLS, decoded);
    for (int t = 0; t < TOKENS; t++)
        for (int r = 0; r < ROWS; r++) {
            double d = 0, y = 0;
            for (int c = 0; c < COLS; c++) {
                d += (double)rows[t * COLS + c] * ((double)w[r * COLS + c] - (double)decoded[r * COLS + c]);
                y += (double)rows[t * COLS + c] * (double)w[r * COLS + c];
            }
            of += d * d;
            all += y * y;
        }
    return of / all;
}

static void gptq_makes_up_for_errors(void)
{
    make_values();
    open_graph();
    ib_statistics s = seen(IB_NEEDS_SQUARES | IB_NEEDS_HESSIAN);
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        if (f->block < 2 || !f->encode || !ib_lattice_of(f))
            continue;
        ib_ptq_task t = {.w = w, .rows = ROWS, .cols = COLS, .to = f, .of = &s, .o = &(ib_ptq_opts){0}, .g = g};
        t.energy = ib_ptq_energy(&t, w);
        ib_ptq_report r = {0};
        ib_matrix *nearest = ib_ptq_nearest(&t, &r), *gptq[2];
        for (int k = 0; k < 2; k++) {
            ib_threads_set(k + 1);
            REQUIRE((gptq[k] = ib_ptq_gptq(&t, &r)) != NULL);
        }
        const double plain = output_error(nearest), made = output_error(gptq[0]);
        if (!(made < 0.7 * plain))
            printf("\n    %s: %g, nearest %g\n", f->name, made, plain);
        CHECK(made < 0.7 * plain);
        CHECK_NEAR(ib_ptq_error(&t, gptq[0]) / made, 1, 1e-3);
        CHECK(!memcmp(ib_matrix_parts_of(gptq[0]).data, ib_matrix_parts_of(gptq[1]).data,
                      (size_t)ib_matrix_bytes(gptq[0])));
        ib_matrix_free(nearest);
        ib_matrix_free(gptq[0]);
        ib_matrix_free(gptq[1]);
    }
    ib_threads_set(0);
    ib_statistics_release(&s);
    close_graph();
}

/* Columns that nothing goes through, and fewer tokens than columns. */
static void hessians_that_have_no_inverse(void)
{
    make_values();
    open_graph();
    for (int t = 0; t < TOKENS; t++)
        for (int c = 0; c < COLS; c += 5)
            rows[t * COLS + c] = 0;
    const ib_storage *f = ib_storage_find("q4_k");
    ib_statistics s = seen(IB_NEEDS_SQUARES | IB_NEEDS_HESSIAN);
    const ib_ptq_task t = {.w = w, .rows = ROWS, .cols = COLS, .to = f, .of = &s, .o = &(ib_ptq_opts){0}};
    ib_ptq_report r = {0};
    ib_matrix *q = ib_ptq_gptq(&t, &r);
    REQUIRE(q != NULL);
    CHECK(strstr(r.note, "nothing goes through 103 of 512 columns") != NULL);
    CHECK(isfinite(output_error(q)));
    ib_matrix_free(q);
    memset(rows, 0, sizeof rows);
    ib_statistics_release(&s);
    s = seen(IB_NEEDS_SQUARES | IB_NEEDS_HESSIAN);
    REQUIRE((q = ib_ptq_gptq(&t, &r)) != NULL);
    ib_matrix_free(q);
    ib_statistics_release(&s);
    close_graph();
}

static void recipes_say_types(void)
{
    ib_ptq_place p = {
        .layer = 0, .role = IB_ROLE_DOWN, .rows = 256, .cols = 256, .layers = 16, .sharing = 4, .tied = 1};
    static const struct {
        const char *recipe;
        int layer, role;
        const char *type;
    } want[] = {{"q4_k_m", 0, IB_ROLE_DOWN, "q6_k"},
                {"q4_k_m", 2, IB_ROLE_DOWN, "q4_k"},
                {"q4_k_m", 4, IB_ROLE_DOWN, "q6_k"},
                {"Q4_K_M", 15, IB_ROLE_V, "q6_k"},
                {"q2_k", 3, IB_ROLE_V, "q4_k"},
                {"q2_k", 3, IB_ROLE_O, "q3_k"},
                {"q3_k_m", 1, IB_ROLE_V, "q5_k"},
                {"q3_k_m", 2, IB_ROLE_V, "q4_k"},
                {"q3_k_l", 9, IB_ROLE_DOWN, "q5_k"},
                {"q4_0", 0, IB_ROLE_DOWN, "q4_0"},
                {"q5_k_m", 0, IB_PTQ_EMBEDDING, "q6_k"},
                {"q8_0", 0, IB_PTQ_EMBEDDING, "q8_0"},
                {"f16", 0, IB_ROLE_Q, "f16"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        p.layer = want[i].layer;
        p.role = want[i].role;
        const ib_storage *f = ib_ptq_type_of(want[i].recipe, &p);
        REQUIRE(f != NULL);
        if (strcmp(f->name, want[i].type) != 0)
            printf("\n    %s: %s, not %s\n", want[i].recipe, f->name, want[i].type);
        CHECK(!strcmp(f->name, want[i].type));
    }
    CHECK_ERROR(ib_ptq_type_of("q9", &p) == NULL, "q9");
}

static int told;
static int tell(void *user, const ib_ptq_report *r)
{
    told += r->rows > 0;
    return user && told == *(int *)user;
}

/* A model before and after: other matrices, or on an error its own. The second time it goes on behind the layers that
 * were finished before it was stopped. */
static void a_model_is_quantized(void)
{
    enum { LONG = 400 };
    open_graph();
    int32_t text[LONG];
    for (int i = 0; i < LONG; i++)
        text[i] = i * i % VOCABULARY;
    char a[96], b[96], kept[3][96];
    for (int i = 0; i < 3; i++)
        snprintf(kept[i], sizeof kept[i], i ? "%s/blk-%d.gguf" : "%s/ends.gguf", folder, i - 1);
    snprintf(a, sizeof a, "%s/a.gguf", folder);
    snprintf(b, sizeof b, "%s/b.gguf", folder);
    for (int k = 0; k < 2; k++) {
        ib_threads_set(k + 1);
        ib_lm *m = ib_lm_new(&wide_shape, 1);
        REQUIRE(m != NULL && !ib_lm_freeze(m, "f32"));
        ib_ptq_opts o = {
            .to = "q3_k_m", .ids = text, .n = LONG, .context = 32, .bos = -1, .tell = tell, .work = k ? folder : NULL};
        const ib_matrix *was = m->block[1].p[IB_ROLE_V].w;
        int stop = 9;
        told = 0;
        o.user = &stop;
        CHECK_ERROR(ib_lm_quantize(m, g, &o), "stopped at");
        CHECK(m->block[1].p[IB_ROLE_V].w == was);
        o.user = NULL;
        CHECK(!k == !!access(kept[1], F_OK));
        CHECK(!ib_lm_quantize(m, g, &o));
        CHECK(!strcmp(ib_matrix_format(m->block[1].p[IB_ROLE_V].w)->name, "q5_k"));
        CHECK(!ib_lm_save(m, dev, k ? b : a, NULL, NULL));
        ib_lm_free(m);
    }
    CHECK(same_file(a, b));
    ib_threads_set(0);
    ib_lm *m = ib_lm_new(&wide_shape, 1);
    REQUIRE(m != NULL && !ib_lm_freeze(m, "f32"));
    const ib_ptq_opts other = {.to = "q4_0", .ids = text, .n = LONG, .context = 32, .bos = -1, .work = folder};
    CHECK_ERROR(ib_lm_quantize(m, g, &other), "was made with 'to q3_k_m, ");
    ib_lm_free(m);
    for (int i = 0; i < 3; i++)
        CHECK(!unlink(kept[i]));
    unlink(a);
    unlink(b);
    rmdir(folder);
    close_graph();
}

SUITE("ptq", T(blocks_are_recoded), T(a_factor_of_the_inverse), T(gptq_makes_up_for_errors),
      T(hessians_that_have_no_inverse), T(recipes_say_types), T(a_model_is_quantized))
