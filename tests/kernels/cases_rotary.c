/* cases_rotary.c - rotary positions: equal in every bit. */
#include "tests/kernels/kernel_case.h"

/* Both orders of pairs, part of a head, turned back, set or added to. */
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
        float *y = add ? changed("y", REALS, n, EXACT) : result("y", REALS, n, EXACT);
        EACH_RUN(rope)
            dev->k.rope(dev, &r, rows, x, sign, add, y);
    }
}
