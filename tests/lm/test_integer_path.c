/* test_integer_path.c - models whose products are made in integers: the same logits at every level with any number of
 * threads in every bit, near those of exact products, and what cannot run so is told. Broken by: a level that adds in
 * another order or fuses, a tile that loses a row, a format taken apart wrongly, an exact product that nobody mentions,
 * rows that are coded more than once, a prompt whose bits depend on the pieces that it is read in.
 */
#include "tensor/matrix_fields.h"
#include "tests/lm/golden_model.h"
#include "tests/stored_matrix.h"

enum { PROMPT = 5, STEPS = 4 };

/* Stores a matrix in another format, if its rows are whole blocks of that. */
static void store(ib_matrix **w, const char *format)
{
    const ib_storage *f = ib_storage_find(format);
    const int64_t rows = ib_matrix_rows(*w), cols = ib_matrix_cols(*w);
    if (cols % f->block)
        return;
    float *x = malloc(sizeof *x * (size_t)(rows * cols));
    ib_matrix_decode(*w, 0, rows * cols, x);
    ib_matrix_free(*w);
    *w = a_stored_matrix(f, rows, cols, x);
    free(x);
}

/* The linear layers of a golden model whose width of 32 is a block; those of 48 stay. */
static ib_lm *golden_in(const char *arch, const char *format)
{
    ib_lm *m = ib_lm_open(path(arch, ""));
    REQUIRE(m != NULL);
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++)
            store(&m->block[i].p[r].w, format);
    return m;
}

/* A random model with all its matrices in that format, on the integer path. */
static ib_lm *model_in(const char *format, int pairs)
{
    const ib_storage *f = ib_storage_find(format);
    const int written = f->encode || !f->decode;
    ib_lm *m = ib_lm_new(&wide_shape, 5);
    REQUIRE(m && !ib_lm_freeze(m, written ? format : "f32"));
    for (int i = 0; !written && i < m->c.layers * IB_N_ROLES; i++)
        if (m->block[i / IB_N_ROLES].p[i % IB_N_ROLES].w)
            store(&m->block[i / IB_N_ROLES].p[i % IB_N_ROLES].w, format);
    store(&m->embedding, format);
    m->pairs = pairs;
    REQUIRE(!ib_lm_set_path(m, IB_PATH_INTEGER));
    return m;
}

/* Of that name, NULL if it is not here; closed when the suite's models are gone, whose copies they may hold. */
static ib_device *opened[16];
static ib_device *device_of(const char *name)
{
    int i = 0;
    while (opened[i] && strcmp(ib_device_name(opened[i]), name))
        i++;
    REQUIRE(i + 1 < 16);
    return opened[i] ? opened[i] : (opened[i] = ib_device_open(name));
}
static void close_devices(void)
{
    for (int i = 0; opened[i]; i++) {
        ib_device_close(opened[i]);
        opened[i] = NULL;
    }
}

/* Logits of a prompt and of the likeliest tokens behind it, [STEPS + 1][VOCABULARY]; 0: there is no such device. */
static int run(ib_lm *m, const char *device, int threads, int int8, float *logits)
{
    REQUIRE(!ib_threads_set(threads));
    ib_device *d = device_of(device);
    ib_graph *graph = d ? ib_graph_new(d) : NULL;
    if (!d)
        return 0;
    ib_kv *kv = ib_kv_new(m, 32, int8);
    REQUIRE(graph && kv);
    int32_t next[PROMPT] = {1, 60, 7, 33, 2};
    int64_t n = PROMPT;
    for (int s = 0; s <= STEPS; s++, n = 1) {
        float *y = logits + s * VOCABULARY;
        const int failed = ib_lm_step(m, graph, kv, next, n, y);
        if (failed)
            printf("\n    %s: %s ", device, ib_error());
        REQUIRE(!failed);
        for (int32_t i = next[0] = 0; i < VOCABULARY; i++)
            next[0] = y[i] > y[next[0]] ? i : next[0];
    }
    ib_kv_free(kv);
    ib_graph_free(graph);
    ib_threads_set(0);
    return 1;
}

static void every_level_gives_the_same_bits(void)
{
    static float want[(STEPS + 1) * VOCABULARY], have[(STEPS + 1) * VOCABULARY];
    const char *other = getenv("ISOBIT_TEST_DEVICE");
    int formats = 0;
    for (int f = 0; ib_storage_at(f); f++) {
        const char *format = ib_storage_at(f)->name;
        ib_lm *m = model_in(format, f % 2);
        ib_lm_products p;
        CHECK(!ib_lm_products_of(m, &p));
        CHECK_INT(p.integer + p.exact, 15);
        if (p.integer) {
            CHECK_INT(p.exact, 0);
            formats++;
            CHECK(run(m, "cpu:ref", 1, f % 2, want));
            CHECK(isfinite(want[0]));
            for (int l = 0; other ? l < 1 : ib_device_name_at(l) != NULL; l++)
                for (int threads = 1; threads <= 5; threads += 2) {
                    const char *device = other ? other : ib_device_name_at(l);
                    if (!run(m, device, threads, f % 2, have))
                        continue;
                    if (memcmp(want, have, sizeof want))
                        printf("\n    %s at %s, %d threads: logits %g apart ", format, device, threads,
                               furthest(want, have, (STEPS + 1) * VOCABULARY));
                    CHECK(!memcmp(want, have, sizeof want));
                }
        }
        ib_lm_free(m);
    }
    CHECK_INT(formats, 21);
    close_devices();
}

enum { LONG = 150 };

/* Logits behind LONG tokens that are read in pieces of `piece`, whose second layer looks back at 70. */
static int read_in_pieces(ib_lm *m, const char *device, int64_t piece, int int8, float *logits)
{
    int32_t id[LONG];
    ib_device *d = device_of(device);
    ib_graph *graph = d ? ib_graph_new(d) : NULL;
    if (!d)
        return 0;
    ib_kv *kv = ib_kv_new(m, LONG, int8);
    REQUIRE(graph && kv);
    for (int i = 0; i < LONG; i++)
        id[i] = i * 31 % VOCABULARY;
    for (int64_t i = 0; i < LONG; i += piece)
        REQUIRE(!ib_lm_step(m, graph, kv, id + i, i + piece < LONG ? piece : LONG - i, logits));
    ib_kv_free(kv);
    ib_graph_free(graph);
    return 1;
}

/* A row's bits do not depend on the rows that it comes with, at each level alike. */
static void pieces_give_the_same_bits(void)
{
    static const int64_t pieces[] = {LONG, 1, 3, 64, 100};
    static float want[VOCABULARY], have[VOCABULARY];
    const char *other = getenv("ISOBIT_TEST_DEVICE");
    ib_lm *m = model_in("q4_0", 0);
    m->c.window = 70;
    m->block[1].local = 1;
    for (int int8 = 0; int8 < 2; int8++) {
        CHECK(read_in_pieces(m, "cpu:ref", LONG, int8, want));
        for (int l = 0; other ? l < 1 : ib_device_name_at(l) != NULL; l++)
            for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                const char *device = other ? other : ib_device_name_at(l);
                if (!read_in_pieces(m, device, pieces[i], int8, have))
                    continue;
                if (memcmp(want, have, sizeof want))
                    printf("\n    %s, %lld at a time: logits %g apart ", device, (long long)pieces[i],
                           furthest(want, have, VOCABULARY));
                CHECK(!memcmp(want, have, sizeof want));
            }
    }
    ib_lm_free(m);
    close_devices();
}

/* Of rows with codes, at most 1/254 of a block's largest value is lost; where all is exact, prompts see keys that the
 * cache has rounded to halves. */
static void integers_are_near_exact_ones(void)
{
    open_graph();
    static float exact[(STEPS + 1) * VOCABULARY], integer[(STEPS + 1) * VOCABULARY];
    for (int f = 0; ib_storage_at(f); f++) {
        const char *format = ib_storage_at(f)->name;
        ib_lm *m = model_in(format, 0);
        ib_lm_products p;
        CHECK(run(m, "cpu:base", 2, 0, integer));
        CHECK(!ib_lm_products_of(m, &p));
        REQUIRE(!ib_lm_set_path(m, IB_PATH_EXACT));
        CHECK(run(m, "cpu:base", 2, 0, exact));
        double size = 0;
        for (int i = 0; i < VOCABULARY; i++)
            size = fabs(exact[i]) > size ? fabs(exact[i]) : size;
        const double e = furthest(exact, integer, VOCABULARY);
        if (p.integer ? e > 0.05 * size || e == 0 : e > 2e-3 * size)
            printf("\n    %s: %g of %g ", format, e, size);
        CHECK(p.integer ? e > 0 && e <= 0.05 * size : e <= 2e-3 * size);
        ib_lm_free(m);
    }
    close_devices();
    close_graph();
}

static double perplexity_of(ib_lm *m, ib_path way)
{
    ib_perplexity_result r;
    REQUIRE(!ib_lm_set_path(m, way));
    REQUIRE(!ib_lm_perplexity(m, g, ids, T, &(ib_perplexity_opts){.context = T, .bos = -1}, &r));
    return r.perplexity;
}

/* With the models' adapters, which stay fp32; widths of 48 have no whole blocks, so that some products are exact. */
static void perplexity_is_near(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = golden_in(archs[a], a % 2 ? "q8_0" : "q4_1");
        for (int adapted = 0; adapted < 2; adapted++) {
            REQUIRE(!adapted || !ib_lm_adapter_open(m, path(archs[a], "adapter")));
            const double exact = perplexity_of(m, IB_PATH_EXACT), integer = perplexity_of(m, IB_PATH_INTEGER);
            if (fabs(integer / exact - 1) > 0.03 || integer == exact)
                printf("\n    %s: %g in integers, %g exact ", archs[a], integer, exact);
            CHECK(integer != exact && fabs(integer / exact - 1) <= 0.03);
        }
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

static void what_is_exact_is_told(void)
{
    open_graph();
    read_golden("llama");
    ib_lm *m = golden_in("llama", "q4_0");
    ib_lm_products p;
    REQUIRE(!ib_lm_products_of(m, &p));
    CHECK_INT(p.integer, 0);
    CHECK_INT(p.exact, 15);
    CHECK(strstr(p.exact_formats, " of q4_0") != NULL);
    REQUIRE(!ib_lm_set_path(m, IB_PATH_INTEGER) && !ib_lm_products_of(m, &p));
    CHECK(p.integer > 0 && p.exact > 0 && p.integer + p.exact == 15);
    CHECK(!strstr(p.exact_formats, "q4_0") && strstr(p.exact_formats, " of "));
    CHECK_ERROR(ib_lm_set_path(m, (ib_path)7), "path is 7");
    ib_graph_begin(g, IB_TRAIN);
    CHECK_ERROR(!ib_lm_hidden(m, g, batch(), 0), "have no gradient");
    ib_lm_free(m);
    ib_safetensors_close(golden);
    m = ib_lm_new(&wide_shape, 1);
    REQUIRE(m && !ib_lm_set_path(m, IB_PATH_INTEGER) && !ib_lm_products_of(m, &p));
    CHECK(!strcmp(p.exact_formats, "15 of f32"));
    ib_lm_free(m);
    close_graph();
}

/* Files of bitsandbytes bring a table of their own: its integers are known if it is the format's. */
static void other_tables_have_no_integers(void)
{
    static float x[64];
    for (int i = 0; i < 64; i++)
        x[i] = (float)(i - 31) / 32;
    for (int f = 0; ib_storage_at(f); f++) {
        const ib_storage *s = ib_storage_at(f);
        if (!s->code)
            continue;
        ib_matrix *m = ib_matrix_encode(s, 1, 64, x, NULL);
        ib_matrix_parts p = ib_matrix_parts_of(m);
        float code[16];
        memcpy(code, p.code, sizeof code);
        p.code = code;
        for (int other = 0; other < 2; other++) {
            code[5] = nextafterf(s->code[5], other ? 2 : s->code[5]);
            ib_matrix *own = ib_matrix_new(s, 1, 64, &p, NULL);
            CHECK_INT(ib_matrix_integer_block(own), other ? 0 : 64);
            ib_matrix_free(own);
        }
        ib_matrix_free(m);
    }
}

static int coded;
static void (*code_rows)(ib_device *, const float *, int64_t, int64_t, const ib_row_codes *, ib_site);
static void count_codes(ib_device *dev, const float *x, int64_t n, int64_t cols, const ib_row_codes *c, ib_site at)
{
    coded++;
    code_rows(dev, x, n, cols, c, at);
}

/* Rows that several layers read are coded once, or once for each size of blocks. */
static void rows_are_coded_once(void)
{
    static float logits[VOCABULARY];
    ib_lm *m = model_in("q4_0", 0);
    ib_device *d = ib_device_open("cpu:base");
    ib_graph *graph = ib_graph_new(d);
    ib_kv *kv = ib_kv_new(m, 32, 0);
    REQUIRE(d && graph && kv);
    code_rows = d->k.code_rows;
    d->k.code_rows = count_codes;
    for (int mixed = 0; mixed < 2; mixed++) {
        if (mixed) {
            store(&m->block[0].p[IB_ROLE_K].w, "q4_k");
            store(&m->block[1].p[IB_ROLE_UP].w, "q6_k");
        }
        coded = 0;
        REQUIRE(!ib_lm_step(m, graph, kv, (int32_t[]){1, 60}, 2, logits));
        CHECK_INT(coded, 2 * 4 + 1 + 2 * mixed); /* of 2 layers q k v, o, gate up, down; the head */
    }
    ib_kv_free(kv);
    ib_graph_free(graph);
    ib_device_close(d);
    ib_lm_free(m);
}

static void rows_that_are_not_finite(void)
{
    open_graph();
    ib_lm *m = model_in("q8_0", 0);
    static float x[3 * WIDE], y[3 * WIDE];
    const ib_lora_opts o = {.integer = 1};
    for (int bad = 0; bad < 2; bad++) {
        x[2 * WIDE + 77] = bad ? -INFINITY : 0.5f;
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *t = ib_input(g, 2, (int64_t[]){3, WIDE}, x),
                  *product = ib_lora_linear(g, t, m->block[0].p[IB_ROLE_Q].w, NULL, &o);
        if (bad)
            CHECK_ERROR(!product || ib_tensor_read(product, y), "row 2 of its input holds -inf");
        else
            CHECK(product && !ib_tensor_read(product, y));
    }
    ib_lm_free(m);
    close_graph();
}

SUITE("integer path", T(every_level_gives_the_same_bits), T(pieces_give_the_same_bits), T(integers_are_near_exact_ones),
      T(perplexity_is_near), T(what_is_exact_is_told), T(other_tables_have_no_integers), T(rows_are_coded_once),
      T(rows_that_are_not_finite))
