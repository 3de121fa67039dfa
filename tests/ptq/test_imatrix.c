/* test_imatrix.c - importance matrices: both kinds of file there and back, cut at every length, with numbers that are
 * none; whether they are a model's; sums of squares by what is written out here. Broken by: a reader that goes by a
 * file's name, a mean that is taken for a sum, values of another matrix, a sum that depends on threads. */
#include <omp.h>

#include "base/alloc.h"
#include "ptq/imatrix_file.h"
#include "ptq/ptq.h"
#include "tests/lm/golden_model.h"

static void fill(ib_imatrix *x, const char *name, int n, int mats, int64_t count)
{
    ib_imatrix_entry *e = ib_imatrix_add(x, name, strlen(name), n, mats);
    REQUIRE(e != NULL);
    for (int i = 0; i < n; i++)
        e->sum[i] = (float)(i * count) / 4;
    for (int i = 0; i < mats; i++)
        e->count[i] = count;
}

static ib_imatrix sample(void)
{
    ib_imatrix x = {.chunks = 3, .chunk = 8, .dataset = ib_strdup("emma.txt")};
    fill(&x, "blk.0.attn_q.weight", 5, 1, 24);
    fill(&x, "blk.0.ffn_down_exps.weight", 6, 2, 16);
    fill(&x, "blk.0.attn_k.weight", 5, 1, 0);
    ib_imatrix_sort(&x);
    return x;
}

/* Names do not say what a file is; means come back as they were. */
static void both_kinds_there_and_back(void)
{
    open_graph();
    ib_imatrix x = sample(), y;
    const char *name[2] = {temporary("a.dat"), temporary("b.gguf")};
    for (int kind = 0; kind < 2; kind++) {
        REQUIRE(!ib_imatrix_write(&x, name[!kind], kind) && !ib_imatrix_read(name[!kind], &y));
        CHECK_INT(y.n, 3);
        CHECK_INT(y.chunks, 3);
        CHECK_INT(y.chunk, kind ? 0 : 8);
        CHECK(y.dataset && !strcmp(y.dataset, "emma.txt"));
        for (int64_t i = 0; i < 3; i++) {
            const ib_imatrix_entry *a = &x.entry[i], *b = ib_imatrix_find(&y, a->name);
            float want[6], got[6];
            REQUIRE(b && b->n == a->n && b->mats == (kind ? 1 : a->mats));
            for (int64_t m = 0; m < a->mats; m++)
                ib_imatrix_weights(a, m, want + m * a->n / a->mats);
            for (int64_t m = 0; m < b->mats; m++)
                ib_imatrix_weights(b, m, got + m * b->n / b->mats);
            CHECK(furthest(want, got, a->n) <= 1e-6);
        }
        CHECK(!ib_imatrix_find(&y, "blk.0"));
        ib_imatrix_release(&y);
    }
    ib_imatrix_release(&x);
    close_graph();
}

static void refused(const char *file, const void *bytes, size_t n, const char *says)
{
    ib_imatrix y;
    REQUIRE(!ib_file_replace(file, bytes, n));
    const ib_status status = ib_imatrix_read(file, &y);
    CHECK(status == IB_EFORMAT && strstr(ib_error(), file) && !strchr(ib_error(), '\n') && strstr(ib_error(), says));
    if (status == IB_OK)
        ib_imatrix_release(&y);
}

/* A .dat file of two names may end behind its entries: that is whole, too. */
static void what_is_no_importance_matrix(void)
{
    open_graph();
    for (int kind = 0; kind < 2; kind++) {
        ib_imatrix x = sample(), y;
        char *file = temporary("cut");
        size_t size;
        REQUIRE(!ib_imatrix_write(&x, file, kind));
        unsigned char *bytes = ib_file_read(file, &size);
        REQUIRE(bytes != NULL);
        /* behind the last two counts of a GGUF file 24 bytes are padding */
        const size_t entries = size - 8 - strlen("emma.txt"), numbers = kind ? size : size - 24;
        for (size_t n = 0; n < numbers; n++)
            if (!kind || n != entries)
                refused(file, bytes, n, "");
        if (kind) {
            REQUIRE(!ib_file_replace(file, bytes, entries) && !ib_imatrix_read(file, &y));
            CHECK(y.n == 3 && !y.dataset);
            ib_imatrix_release(&y);
        }
        ib_free(bytes);
        const float odd[] = {NAN, INFINITY, -1};
        for (size_t i = 0; i < 3; i++) {
            x.entry[0].count[0] = 24;
            x.entry[0].sum[4] = odd[i];
            REQUIRE(!ib_imatrix_write(&x, file, kind));
            bytes = ib_file_read(file, &size);
            refused(file, bytes, size, "blk.0.attn_k.weight: value 4 of 5 is ");
            ib_free(bytes);
        }
        x.entry[0].sum[4] = 1;
        strcpy(x.entry[0].name, x.entry[1].name); /* of one length */
        REQUIRE(!ib_imatrix_write(&x, file, kind));
        bytes = ib_file_read(file, &size);
        refused(file, bytes, size, "blk.0.attn_q.weight stands in it twice");
        ib_free(bytes);
        ib_imatrix_release(&x);
    }
    char *file = temporary("words");
    static const int32_t counts[] = {0x7fffffff, 0, 0, 0, 0, 0}, none[] = {0, 0, 0, 0, 0, 0},
                         minus[] = {-1, 1, 1, 1, 1, 1}, name[] = {1, 0x7fffffff, 0, 0, 0, 0},
                         values[] = {1, 1, 'a' | 1 << 8, 0, 0x7fffffff, 0};
    refused(file, counts, sizeof counts, "2147483647 entries do not fit its 24 bytes");
    refused(file, none, sizeof none, "0 entries");
    refused(file, minus, sizeof minus, "-1 entries");
    refused(file, name, sizeof name, "a name of 2147483647 bytes");
    refused(file, values, sizeof values, "");
    refused(file, "PK\3\4 whatever is in here, it is long enough", 40, "no importance matrix");
    ib_imatrix y;
    CHECK(ib_imatrix_read(temporary("nowhere"), &y) == IB_EIO);
    close_graph();
}

static char told[2][100];
static void missing(void *user, const char *tensor)
{
    (void)user;
    snprintf(told[0], sizeof told[0], "%s", tensor);
}
static void unknown(void *user, const char *entry)
{
    (void)user;
    snprintf(told[1], sizeof told[1], "%s", entry);
}

/* What the model's blocks read, counted by a text that is run here too; then with entries taken, added and widened. */
static void a_model_and_its_own(void)
{
    enum { CONTEXT = 8, BOS = 1 };
    open_graph();
    read_golden("llama");
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m != NULL);
    const char *file = temporary("own.gguf"), *again = temporary("again.gguf");
    ib_imatrix_opts o = {.ids = ids, .n = T, .context = CONTEXT, .bos = BOS, .process_output = 1, .dataset = "ids"};
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    REQUIRE(!ib_lm_imatrix(m, g, file, &o));
    omp_set_num_threads(4);
    REQUIRE(!ib_lm_imatrix(m, g, again, &o));
    omp_set_num_threads(threads);
    size_t n, n2;
    unsigned char *a = ib_file_read(file, &n), *b = ib_file_read(again, &n2);
    CHECK(n == n2 && !memcmp(a, b, n));
    ib_free(a);
    ib_free(b);
    ib_imatrix x;
    REQUIRE(!ib_imatrix_read(file, &x));
    CHECK_INT(x.chunks, 3);
    CHECK_INT(x.chunk, CONTEXT);
    CHECK_INT(x.n, m->c.layers * IB_N_ROLES + 1);
    /* the head reads the normed hidden states of windows with the BOS in the place of their first token */
    double *squares = calloc((size_t)m->c.width, sizeof *squares);
    for (int w = 0; w < 3; w++) {
        int32_t row[CONTEXT], at[CONTEXT], zero[CONTEXT] = {0};
        for (int i = 0; i < CONTEXT; i++) {
            row[i] = i ? ids[w * CONTEXT + i - 1] : BOS;
            at[i] = i;
        }
        ib_graph_begin(g, IB_EVAL);
        const float *h = numbers_of(ib_lm_hidden(m, g, &(ib_lm_batch){CONTEXT, row, at, zero}, 0));
        for (int i = 0; i < CONTEXT; i++)
            for (int j = 0; j < m->c.width; j++)
                squares[j] += (double)h[i * m->c.width + j] * (double)h[i * m->c.width + j];
    }
    const ib_imatrix_entry *head = ib_imatrix_find(&x, m->head ? "output.weight" : "token_embd.weight");
    REQUIRE(head && head->n == m->c.width);
    CHECK_INT(head->count[0], 3 * CONTEXT);
    for (int j = 0; j < m->c.width; j++)
        CHECK_NEAR(head->sum[j], squares[j], 1e-4 * squares[j] + 1e-6);
    free(squares);
    /* rows that are one for several products; those of others are not */
    const ib_imatrix_entry *q = ib_imatrix_find(&x, "blk.0.attn_q.weight"),
                           *v = ib_imatrix_find(&x, "blk.0.attn_v.weight"),
                           *up = ib_imatrix_find(&x, "blk.0.ffn_up.weight"),
                           *q1 = ib_imatrix_find(&x, "blk.1.attn_q.weight");
    REQUIRE(q && v && up && q1);
    CHECK(!memcmp(q->sum, v->sum, (size_t)q->n * 4) && memcmp(q->sum, up->sum, (size_t)q->n * 4) != 0 &&
          memcmp(q->sum, q1->sum, (size_t)q->n * 4) != 0);
    const ib_imatrix_check lax = {.missing = missing, .unknown = unknown}, strict = {.strict = 1};
    CHECK(!ib_imatrix_fits(&x, m, &lax) && !ib_imatrix_fits(&x, m, &strict) && !*told[0] && !*told[1]);
    char *name = x.entry[0].name;
    x.entry[0].name = ib_strdup("blk.9.attn_k.weight");
    ib_imatrix_sort(&x);
    CHECK(!ib_imatrix_fits(&x, m, &lax) && !strcmp(told[0], name) && !strcmp(told[1], "blk.9.attn_k.weight"));
    CHECK_ERROR(ib_imatrix_fits(&x, m, &strict), "has no entry for it");
    ib_free(name);
    ib_imatrix_entry *wide = (ib_imatrix_entry *)ib_imatrix_find(&x, "blk.1.ffn_down.weight");
    wide->n--;
    CHECK_ERROR(ib_imatrix_fits(&x, m, &lax), "blk.1.ffn_down.weight: the importance matrix has ");
    ib_imatrix_release(&x);
    o.n = 3;
    CHECK_ERROR(ib_lm_imatrix(m, g, file, &o), "the text has 3 tokens, a window of 8 needs 7");
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

static int stop(void *user, int64_t done, int64_t total)
{
    (void)user, (void)total;
    return done == 2;
}

static void every_allocation_may_fail(void)
{
    open_graph();
    read_golden("llama");
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m != NULL);
    char *file = temporary("made"), *kept[2] = {temporary("kept0"), temporary("kept1")};
    ib_imatrix_opts o = {
        .ids = ids, .n = T, .context = 8, .bos = -1, .process_output = 1, .dataset = "ids", .progress = stop};
    CHECK_INT(ib_lm_imatrix(m, g, file, &o), IB_ESTOPPED);
    CHECK(access(file, F_OK) != 0);
    o.progress = NULL;
    for (int kind = 0; kind < 2; kind++) {
        o.dat = kind;
        REQUIRE(!ib_lm_imatrix(m, g, kept[kind], &o));
        ib_status status = IB_ENOMEM;
        for (int n = 1; n < 10000 && status; n++) {
            ib_alloc_fail_at(n);
            status = ib_lm_imatrix(m, g, file, &o);
            ib_alloc_fail_at(0);
            CHECK((!status || status == IB_ENOMEM) && (!status || access(file, F_OK) != 0));
        }
        CHECK_INT(status, IB_OK);
        remove(file);
        const int64_t held = ib_alloc_held();
        status = IB_ENOMEM;
        for (int n = 1; n < 10000 && status; n++) {
            ib_imatrix x;
            ib_alloc_fail_at(n);
            status = ib_imatrix_read(kept[kind], &x);
            ib_alloc_fail_at(0);
            CHECK(!status || status == IB_ENOMEM);
            if (!status)
                ib_imatrix_release(&x);
            CHECK_INT(ib_alloc_held(), held);
        }
        CHECK_INT(status, IB_OK);
    }
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

SUITE("imatrix", T(both_kinds_there_and_back), T(what_is_no_importance_matrix), T(a_model_and_its_own),
      T(every_allocation_may_fail))
