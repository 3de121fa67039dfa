/* test_searches.c - how scales and codes are chosen: ggml's bytes with and without importances. Broken by: a sum in
 * another order, a weight of another mean square, a candidate that is left out. */
#include "tests/check.h"

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

SUITE("searches", T(bytes_are_ggmls), T(what_overflows_is_refused))
