/* test_grid.c - matrices of codes in groups of columns: every width of code, type of scale, size of group and order,
 * at every level, against the formula. */
#include "tests/check.h"
#include "backends/kernels.h"
#include "tensor/grid.h"

enum { ROWS = 5, COLS = 203, N = ROWS * COLS };
static uint8_t code[N], zero[N], again[N];
static float scale[N], x[N], y[N], z[N];
static int32_t group_of[COLS], order[COLS];

static const char *const types[] = {"f16", "bf16", "f32"};

/* Codes, scales that the type holds, and zeros. */
static ib_grid_codes draw(const ib_grid *g, int stream, int ordered)
{
    const int64_t groups = ib_grid_groups(g, COLS);
    const ib_rng rng = {11, (uint64_t)stream};
    uint64_t at = 0;
    for (int i = 0; i < N; i++)
        code[i] = (uint8_t)(ib_rng_uniform(rng, at++) * (float)(1 << g->bits));
    for (int64_t i = 0; i < ROWS * groups; i++) {
        const float v = ib_rng_uniform(rng, at++) + 0.001f;
        scale[i] = g->scale->index == IB_AT_f16    ? ib_half_to_float(ib_float_to_half(v))
                   : g->scale->index == IB_AT_bf16 ? ib_bf16_to_float(ib_float_to_bf16(v))
                                                   : v;
        zero[i] = (uint8_t)(ib_rng_uniform(rng, at++) * (float)(1 << g->bits));
    }
    for (int c = 0; c < COLS; c++)
        group_of[c] = (int32_t)(c * 7 % COLS % groups);
    return (ib_grid_codes){code, scale, g->symmetric ? NULL : zero, ordered ? group_of : NULL};
}

static void values_follow_from_codes(const ib_grid *g, int ordered)
{
    const ib_grid_codes c = draw(g, g->bits + 10 * ordered, ordered);
    const int64_t groups = ib_grid_groups(g, COLS), group = g->group ? g->group : COLS;
    ib_matrix *m = ib_matrix_of_codes(g, ROWS, COLS, &c);
    REQUIRE(m != NULL);
    for (int i = 0; i < N; i++) {
        const int64_t at = i / COLS * groups + (ordered ? group_of[i % COLS] : i % COLS / group);
        x[i] = (float)((int)code[i] - (c.zero ? zero[at] : 1 << (g->bits - 1))) * scale[at];
    }
    ib_matrix_decode(m, 0, N, y);
    CHECK(!memcmp(x, y, sizeof x));
    for (int l = 0; ib_device_name_at(l); l++) {
        ib_device *dev = ib_device_open(ib_device_name_at(l));
        for (int first = 0; dev && first < N; first += 61) {
            const int n = 1 + first * 7 % (N - first);
            z[n < N ? n : 0] = 42;
            dev->k.decode(dev, m, first, n, z);
            CHECK(!memcmp(x + first, z, (size_t)n * 4) && (n == N || z[n] == 42));
        }
        ib_device_close(dev);
    }
    const ib_grid is = ib_matrix_grid(m);
    CHECK(is.bits == g->bits && is.symmetric == g->symmetric && is.group == g->group && is.scale == g->scale);
    ib_matrix_codes(m, again, y, NULL, order);
    CHECK(!memcmp(again, code, sizeof code) && !memcmp(y, scale, (size_t)(ROWS * groups) * 4));
    for (int c1 = 0; c1 < COLS; c1++)
        CHECK(order[c1] == (ordered ? group_of[c1] : c1 / group));
    CHECK(ib_matrix_bytes(m) == ib_grid_bytes(g, ROWS, COLS) + (ordered ? 4 * COLS : 0));
    ib_matrix_free(m);
}

static void every_grid_decodes(void)
{
    static const int64_t sizes[] = {0, 1, 8, 32, 100};
    for (int bits = 2; bits <= 8; bits++)
        for (int k = 0; k < 30; k++)
            values_follow_from_codes(&(ib_grid){bits, k & 1, sizes[k / 2 % 5], ib_storage_find(types[k / 10])},
                                     k % 4 > 1);
}

/* No value is further from x than half a step, but those that a symmetric grid clips; what lies on the grid stays. */
static void rounding_is_to_nearest(void)
{
    for (int bits = 2; bits <= 8; bits++)
        for (int symmetric = 0; symmetric < 2; symmetric++) {
            const ib_grid g = {bits, symmetric, 32, ib_storage_find("f32")};
            for (int i = 0; i < N; i++)
                x[i] = i % COLS < 32 ? 0 : 2 * ib_rng_uniform((ib_rng){3, 1}, (uint64_t)i) - (i % COLS < 64 ? 0 : 1);
            ib_matrix *m = ib_matrix_of_grid(&g, ROWS, COLS, x);
            REQUIRE(m != NULL);
            ib_matrix_decode(m, 0, N, y);
            ib_matrix_codes(m, again, scale, NULL, NULL);
            for (int i = 0; i < N; i++) {
                const double d = scale[i / COLS * 7 + i % COLS / 32];
                const int clipped = symmetric && again[i] == (1 << bits) - 1;
                CHECK(fabs((double)y[i] - x[i]) <= (clipped ? 1.001 : 0.501) * d);
                CHECK(i % COLS >= 32 || y[i] == 0);
            }
            ib_matrix_free(m);
            m = symmetric ? NULL : ib_matrix_of_grid(&g, ROWS, COLS, y);
            for (int i = 0; m && i < N; i++) {
                ib_matrix_decode(m, i, 1, z);
                CHECK_NEAR(z[0], y[i], 1e-5);
            }
            ib_matrix_free(m);
        }
}

static void what_is_no_grid_is_refused(void)
{
    ib_grid g = {4, 0, 32, ib_storage_find("f16")};
    ib_grid_codes c = draw(&g, 1, 1);
    code[COLS + 3] = 16;
    CHECK_ERROR(!ib_matrix_of_codes(&g, ROWS, COLS, &c), "has the code 16 in row 1, column 3, beyond 4 bits");
    code[COLS + 3] = 15;
    zero[8] = 16;
    CHECK_ERROR(!ib_matrix_of_codes(&g, ROWS, COLS, &c), "has the zero 16 in row 1, group 1, beyond 4 bits");
    zero[8] = 0;
    group_of[5] = 7;
    CHECK_ERROR(!ib_matrix_of_codes(&g, ROWS, COLS, &c), "has column 5 in group 7 of 7");
    group_of[5] = 6;
    for (int k = 0; k < 3; k++) {
        scale[2] = (float[]){NAN, 1e6f, 0.1f}[k];
        CHECK_ERROR(!ib_matrix_of_codes(&g, ROWS, COLS, &c), "row 0, group 2, which f16 does not hold");
    }
    scale[2] = 0.5f;
    ib_matrix *m = ib_matrix_of_codes(&g, ROWS, COLS, &c);
    CHECK(m != NULL);
    ib_matrix_free(m);
    g.symmetric = 1;
    CHECK_ERROR(!ib_matrix_of_codes(&g, ROWS, COLS, &c), "has zeros, but the grid is symmetric");
    for (int i = 0; i < N; i++)
        x[i] = i == COLS + 9 ? 3e6f : 1;
    CHECK_ERROR(!ib_matrix_of_grid(&g, ROWS, COLS, x), "row 1, columns 0 to 31: their scale is beyond f16");
    x[4] = INFINITY;
    CHECK_ERROR(!ib_matrix_of_grid(&g, ROWS, COLS, x), "element 4 of row 0 is inf");
    g.bits = 9;
    CHECK_ERROR(!ib_matrix_of_grid(&g, ROWS, COLS, x), "has codes of 9 bits");
    g = (ib_grid){4, 0, 32, ib_storage_find("q4_0")};
    CHECK_ERROR(!ib_matrix_of_grid(&g, ROWS, COLS, x), "has scales in q4_0");
}

SUITE("grid", T(every_grid_decodes), T(rounding_is_to_nearest), T(what_is_no_grid_is_refused))
