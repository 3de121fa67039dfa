/* cases_decoder.c - the small loops of decoders, by rows: sums in lanes and exponentials of our own, equal in every
 * bit. */
#include "tests/kernels/kernel_case.h"

static const int64_t tables[][2] = {{1, 1},  {3, 7},    {7, 16},  {16, 17},  {5, 33},
                                    {2, 64}, {1, 2048}, {9, 100}, {40, 576}, {301, 67}};
enum { N_TABLES = sizeof tables / sizeof *tables };

enum { N_GATES = 4 }; /* kinds of activation */

static float *gates(int64_t n)
{
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] *= i % 5 ? 3.0f : 60.0f;
    return x;
}

void case_glu(void)
{
    for (int kind = 0; kind < N_GATES; kind++)
        EACH_SIZE(n) {
            a_shape("n %lld, kind %d", (long long)n, kind);
            const float *gate = gates(n), *up = reals(n);
            float *y = result("y", REALS, n, EXACT);
            EACH_RUN(glu)
                k->glu(gate, up, n, kind, y);
        }
}

void case_glu_grad(void)
{
    for (int form = 0; form < 3 * N_GATES; form++)
        EACH_SIZE(n) {
            a_shape("n %lld, kind %d, form %d", (long long)n, form / 3, form % 3);
            const float *gate = gates(n), *up = reals(n), *dy = reals(n);
            float *dgate = form % 3 == 1 ? NULL : changed("dgate", REALS, n, EXACT),
                  *dup = form % 3 == 2 ? NULL : changed("dup", REALS, n, EXACT);
            EACH_RUN(glu_grad)
                k->glu_grad(gate, up, dy, n, form / 3, dgate, dup);
        }
}

void case_nll_rows(void)
{
    for (int t = 0; t < 2 * N_TABLES; t++) {
        const int64_t rows = tables[t / 2][0], cols = tables[t / 2][1];
        const int grad = t % 2;
        a_shape("%lldx%lld, grad %d", (long long)rows, (long long)cols, grad);
        int32_t *target = indices(rows, (int32_t)cols);
        target[rows / 2] = rows > 1 ? -1 : target[0]; /* does not count */
        float *x = changed("x", REALS, rows * cols, EXACT), *nll = result("nll", REALS, rows, EXACT);
        for (int64_t i = 0; i < rows * cols; i++)
            x[i] *= 20;
        EACH_RUN(nll_rows)
            k->nll_rows(x, target, rows, cols, 0.25f, grad, nll);
        CHECK(rows == 1 || ((const float *)made_by_ref(nll))[rows / 2] == 0);
    }
}

/* Both orders of pairs, part of a head, turned back, set or added to. Neighbours become vfmaddsub at the levels with
 * AVX2, one rounding less. */
void case_rope(void)
{
    static const struct {
        int heads, dim, rotated;
        int64_t rows;
    } shapes[] = {{1, 2, 2, 1},   {3, 8, 8, 5},    {2, 20, 12, 7},   {4, 64, 64, 3},
                  {5, 33, 16, 9}, {9, 64, 32, 40}, {2, 128, 128, 80}};
    enum { POSITIONS = 50 };
    for (size_t t = 0; t < 8 * (sizeof shapes / sizeof *shapes); t++) {
        const int heads = shapes[t / 8].heads, dim = shapes[t / 8].dim, rotated = shapes[t / 8].rotated;
        const int pairs = t & 1, add = t >> 1 & 1;
        const float sign = t & 4 ? -1.0f : 1.0f;
        const int64_t rows = shapes[t / 8].rows, n = rows * heads * dim;
        a_shape("rows %lld, heads %d of %d, %d rotated, pairs %d, sign %g, add %d", (long long)rows, heads, dim,
                rotated, pairs, (double)sign, add);
        const ib_rotation r = {heads, dim, rotated, pairs, indices(rows, POSITIONS), reals(POSITIONS * rotated)};
        const float *x = reals(n);
        const double bound = pairs ? 0x1p-21 : EXACT;
        float *y = add ? changed("y", REALS, n, bound) : result("y", REALS, n, bound);
        EACH_RUN(rope)
            k->rope(&r, rows, x, sign, add, y);
    }
}
