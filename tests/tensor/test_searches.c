/* test_searches.c - how scales and codes are chosen: ggml's bytes with and without importances. Broken by: a sum in
 * another order, a weight of another mean square, a candidate that is left out. And the better search: never worse than
 * they are, nothing moved that lies on the lattice. */
#include "tests/check.h"

#include "tensor/lattice.h"
#include "tensor/matrix.h"
#include "tests/golden/searches.h"

enum { ROWS = 12, COLS = 768, KINDS = 7, IMPORTANCES = 4, N = ROWS * COLS };
static const char *const kinds[KINDS] = {"bell", "heavy", "one_sign", "constant", "steps", "tiny", "large"};
static float x[KINDS][N], importances[IMPORTANCES][COLS];

static void uniform(uint32_t seed, float *to, int n)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = (float)((int)(seed >> 8) - 8388608) * 0x1p-23f;
    }
}

static void make(void) /* as tests/golden/make_searches.py */
{
    static float u[4][N], v[2][COLS];
    for (int i = 0; i < 4; i++)
        uniform((const uint32_t[]){1, 22, 333, 4444}[i], u[i], N);
    for (int i = 0; i < 2; i++)
        uniform((const uint32_t[]){55555, 666666}[i], v[i], COLS);
    for (int i = 0; i < N; i++) {
        const float bell = u[0][i] + u[1][i] + u[2][i] + u[3][i], a = u[0][i];
        x[0][i] = bell;
        x[1][i] = a * a * a * a * a * 8;
        x[2][i] = i / COLS % 2 ? -fabsf(bell) : fabsf(bell);
        x[3][i] = i / 32 % 5 == 3 ? 0 : u[0][i / 32 * 32];
        x[4][i] = floorf(u[1][i] * 6 + 0.5f) * 0.0371f;
        x[5][i] = ldexpf(bell, -7 * (i / COLS));
        x[6][i] = u[2][i] * 20000;
    }
    for (int c = 0; c < COLS; c++) {
        importances[1][c] = v[0][c] * v[0][c] + 0.01f;
        importances[2][c] = (c >= 256 && c < 512) || (c >= 528 && c < 544) ? 0 : v[1][c] * v[1][c];
        importances[3][c] = v[0][c] * v[0][c] * v[0][c] * v[0][c] * v[1][c] * v[1][c] * 1000;
    }
}

static uint64_t fnv(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static ib_matrix *made(const ib_storage *f, int kind, int importance, ib_search search)
{
    ib_matrix *m = ib_matrix_quantize(f, ROWS, COLS, x[kind], importance ? importances[importance] : NULL, search);
    if (!m)
        printf("\n    %s of %s: %s ", f->name, kinds[kind], ib_error());
    REQUIRE(m != NULL);
    return m;
}

static int kind_of(const char *name)
{
    int i = 0;
    while (i < KINDS && strcmp(kinds[i], name))
        i++;
    REQUIRE(i < KINDS);
    return i;
}

static void bytes_are_ggmls(void)
{
    make();
    for (size_t i = 0; i < sizeof golden_searches / sizeof *golden_searches; i++) {
        const struct golden_search *want = &golden_searches[i];
        const ib_storage *f = ib_storage_find(want->name);
        REQUIRE(f != NULL);
        for (int k = 0; k < IMPORTANCES; k++) {
            ib_matrix *m = made(f, kind_of(want->kind), k, IB_SEARCH_GGML);
            const uint8_t *data = ib_matrix_parts_of(m).data;
            const int same = fnv(data, ib_matrix_part_bytes(m, IB_PART_data)) == want->bytes[k];
            if (!same)
                printf("\n    %s of %s, importances %d: bytes differ%s ", f->name, want->kind, k,
                       k == 1 && memcmp(data, want->begins, sizeof want->begins) ? " from the first on" : "");
            CHECK(same);
            ib_matrix_free(m);
        }
    }
}

static void what_overflows_is_refused(void)
{
    static float much[COLS];
    make();
    for (int c = 0; c < COLS; c++)
        much[c] = 1e38f;
    CHECK_ERROR(!ib_matrix_quantize(ib_storage_find("q4_k"), ROWS, COLS, x[0], much, IB_SEARCH_GGML),
                "importance is 1e+38 for column 0");
}

/* Of a row's block, in double, each column's error counting as it matters. */
static double error_of(const ib_matrix *m, int64_t first, const float *of, const float *importance)
{
    float y[256];
    double sum = 0;
    const int n = ib_matrix_format(m)->block;
    ib_matrix_decode(m, first, n, y);
    for (int i = 0; i < n; i++)
        sum += (importance ? importance[(first + i) % COLS] : 1.0) * ((double)y[i] - of[first + i]) *
               ((double)y[i] - of[first + i]);
    return sum;
}

static void best_is_never_worse_than_ggmls(void)
{
    make();
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        if (!ib_lattice_row(f))
            continue;
        for (int kind = 0; kind < KINDS; kind++)
            for (int k = 0; k < IMPORTANCES; k++) {
                const float *importance = k ? importances[k] : NULL;
                ib_matrix *theirs = made(f, kind, k, IB_SEARCH_GGML), *ours = made(f, kind, k, IB_SEARCH_BEST);
                double sum = 0, was = 0;
                int worse = 0;
                for (int64_t at = 0; at < N; at += f->block) {
                    const double a = error_of(ours, at, x[kind], importance),
                                 b = error_of(theirs, at, x[kind], importance);
                    worse += a > b;
                    sum += a;
                    was += b;
                }
                if (worse)
                    printf("\n    %s of %s, importances %d: %d blocks are worse ", f->name, kinds[kind], k, worse);
                CHECK(!worse);
                if (kind == 0 && f->block > 1) /* bells are what weights are: there is something to gain */
                    CHECK(sum < was);
                ib_matrix_free(theirs);
                ib_matrix_free(ours);
            }
    }
}

/* Blocks that ggml has made, and blocks of any codes and scales: what they hold comes back, also where no code is the
 * lowest one. */
static void what_lies_on_the_lattice_stays(void)
{
    static float y[N], z[N];
    make();
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        if (!ib_lattice_row(f))
            continue;
        int changed = 0;
        for (int kind = 0; kind < KINDS; kind++)
            for (int k = 0; k < IMPORTANCES; k++)
                for (int search = 0; search < IB_N_SEARCHES; search++) {
                    ib_matrix *once = made(f, kind, k, (ib_search)search);
                    ib_matrix_decode(once, 0, N, y);
                    if (kind == 2) /* no code is the lowest */
                        for (int j = 0; j < N; j += f->block)
                            for (int c = 0; c < f->block && ib_lattice_row(f)->least == -8; c++)
                                y[j + c] = ib_lattice_row(f)->most_min ? y[j + c] : fabsf(y[j + c]) * 0.5f;
                    ib_matrix *twice = ib_matrix_quantize(f, ROWS, COLS, y, k ? importances[k] : NULL, IB_SEARCH_BEST);
                    REQUIRE(twice != NULL);
                    ib_matrix_decode(twice, 0, N, z);
                    for (int j = 0; j < N; j += f->block) {
                        int differs = 0;
                        for (int c = j; c < j + f->block; c++)
                            differs |= y[c] != z[c];
                        changed += differs;
                    }
                    ib_matrix_free(once);
                    ib_matrix_free(twice);
                }
        if (changed)
            printf("\n    %s: %d blocks changed ", f->name, changed);
        CHECK_INT(changed, 0);
    }
}

/* Where nothing is known of a block's columns, it is as without importances, and nothing of it is lost. */
static void what_no_text_reached_is_kept(void)
{
    static float none[COLS];
    make();
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        if (!ib_lattice_row(f))
            continue;
        ib_matrix *plain = ib_matrix_quantize(f, ROWS, COLS, x[0], NULL, IB_SEARCH_BEST),
                  *blind = ib_matrix_quantize(f, ROWS, COLS, x[0], none, IB_SEARCH_BEST),
                  *gaps = made(f, 0, 2, IB_SEARCH_BEST), *rounded = made(f, 0, 0, IB_SEARCH_GGML);
        REQUIRE(plain && blind);
        CHECK(!memcmp(ib_matrix_parts_of(plain).data, ib_matrix_parts_of(blind).data,
                      ib_matrix_part_bytes(plain, IB_PART_data)));
        for (int row = 0; row < ROWS; row++)
            for (int c = 256; c < 512; c += f->block)
                CHECK(error_of(gaps, row * COLS + c, x[0], NULL) <= error_of(rounded, row * COLS + c, x[0], NULL));
        ib_matrix_free(plain);
        ib_matrix_free(blind);
        ib_matrix_free(gaps);
        ib_matrix_free(rounded);
    }
}

static void what_is_no_number_is_refused(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
    make();
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        for (int k = 0; k < 4 && ib_lattice_row(f); k++)
            for (int search = 0; search < IB_N_SEARCHES; search++) {
                const float was = x[0][COLS + 300];
                x[0][COLS + 300] = bad[k];
                CHECK_ERROR(!ib_matrix_quantize(f, ROWS, COLS, x[0], k & 1 ? importances[1] : NULL, (ib_search)search),
                            "element 300 of row 1 is ");
                x[0][COLS + 300] = was;
            }
    }
}

SUITE("searches", T(bytes_are_ggmls), T(what_overflows_is_refused), T(best_is_never_worse_than_ggmls),
      T(what_lies_on_the_lattice_stays), T(what_no_text_reached_is_kept), T(what_is_no_number_is_refused))
