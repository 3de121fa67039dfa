/* cases_attention.c - causal attention with grouped keys, windows and several sequences; heads that are no whole
 * vectors. Queries, keys and values lie in [-1, 1). fp32: products and sums in another order. */
#include "tests/kernels/kernel_case.h"

/* A cache of half precision or int8; the rows before `from` and behind `to` are noise. */
void case_attention_cached(void)
{
    static const struct {
        int heads, groups, dim;
        int64_t from, to;
    } cached[] = {{1, 1, 1, 0, 1},   {4, 2, 32, 0, 5},    {3, 1, 64, 3, 67},    {6, 2, 128, 0, 129},
                  {2, 1, 20, 1, 70}, {9, 3, 64, 10, 200}, {2, 2, 96, 0, 64},    {1, 1, 256, 2, 66},
                  {8, 8, 48, 0, 63}, {32, 8, 64, 0, 300}, {3, 3, 33, 100, 163}, {4, 4, 16, 7, 8}};
    for (size_t i = 0; i < 2 * (sizeof cached / sizeof *cached); i++) {
        const int heads = cached[i / 2].heads, groups = cached[i / 2].groups, dim = cached[i / 2].dim, int8 = i % 2;
        const int64_t from = cached[i / 2].from, to = cached[i / 2].to, n = to * groups * dim;
        a_shape("heads %d/%d of %d, rows %lld..%lld, %s", heads, groups, dim, (long long)from, (long long)to,
                int8 ? "int8" : "half");
        ib_kv_cache c = {groups, dim, int8, NULL, NULL, NULL, NULL};
        const float *q = reals((int64_t)heads * dim);
        c.k = given("keys", int8 ? CODES : HALVES, n);
        c.v = given("values", int8 ? CODES : HALVES, n);
        if (int8) {
            c.k_scale = reals(to * groups);
            c.v_scale = reals(to * groups);
            for (int64_t j = 0; j < to * groups; j++) {
                c.k_scale[j] = (1.5f + c.k_scale[j]) / 256;
                c.v_scale[j] = (1.5f + c.v_scale[j]) / 256;
            }
        }
        float *y = result("y", REALS, (int64_t)heads * dim, 1e-4);
        EACH_RUN(attention_cached)
            k->attention_cached(&c, heads, 0.3f, from, to, q, y);
    }
}
