/* cases_attention.c - causal attention with grouped keys, windows and several sequences; heads that are no whole
 * vectors. Queries, keys and values lie in [-1, 1). fp32: products and sums in another order. */
#include "tests/kernels/kernel_case.h"

static const struct {
    int heads, groups, dim;
    int64_t rows, window;
    ib_score_bend bend;
} shapes[] = {{1, 1, 1, 1, 0},
              {4, 2, 32, 5, 0},
              {3, 1, 64, 64, 0},
              {3, 3, 32, 65, 0},
              {6, 2, 64, 200, 0},
              {2, 1, 64, 200, 37},
              {2, 1, 20, 70, 0},
              {2, 2, 128, 130, 64},
              {4, 2, 64, 140, 0, {.cap = 0.8f}},
              {6, 3, 32, 130, 70, {.alibi = 8}},
              {3, 3, 20, 70, 0, {0.5f, 4}}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* Begins the shape: three sequences, if there are rows enough. */
static ib_attention an_attention(int i)
{
    const int64_t rows = shapes[i].rows;
    a_shape("heads %d/%d of %d, rows %lld, window %lld", shapes[i].heads, shapes[i].groups, shapes[i].dim,
            (long long)rows, (long long)shapes[i].window);
    int32_t *first = indices(rows, 1);
    for (int64_t r = rows / 3; r < rows; r++)
        first[r] = (int32_t)(r < rows / 2 ? rows / 3 : rows / 2);
    return (ib_attention){shapes[i].heads, shapes[i].groups, shapes[i].dim, 0.3f, shapes[i].window,
                          first,           shapes[i].bend};
}

static ib_qkv read_by(const ib_attention *a, int64_t rows)
{
    const int64_t nq = rows * a->heads * a->dim, nk = rows * a->groups * a->dim;
    return (ib_qkv){.q = reals(nq), .k = reals(nk), .v = reals(nk)};
}

void case_attention(void)
{
    for (int i = 0; i < N_SHAPES; i++) {
        const ib_attention a = an_attention(i);
        const int64_t rows = shapes[i].rows;
        const ib_qkv x = read_by(&a, rows);
        float *y = result("y", REALS, rows * a.heads * a.dim, 1e-4), *lse = result("lse", REALS, rows * a.heads, 1e-4);
        bound_in_bf16(y, 0.06);
        bound_in_bf16(lse, 0.06);
        EACH_RUN(attention)
            dev->k.attention(dev, &a, rows, &x, y, lse, room(dev->v.attention_words(dev, &a, rows) * 4));
    }
}

static float *gradient(const char *name, int64_t n, int wanted)
{
    float *g = wanted ? changed(name, REALS, n, 1e-4) : NULL;
    if (g)
        bound_in_bf16(g, 0.06);
    return g;
}

/* Of what the level's own forward pass made; each gradient alone not wanted. */
void case_attention_grad(void)
{
    for (int i = 0; i < N_SHAPES; i++) {
        const ib_attention a = an_attention(i);
        const int64_t rows = shapes[i].rows, nq = rows * a.heads * a.dim, nk = rows * a.groups * a.dim;
        const ib_qkv x = read_by(&a, rows);
        ib_attention_grads g = {.dy = reals(nq),
                                .dq = gradient("dq", nq, i != 1),
                                .dk = gradient("dk", nk, i != 2),
                                .dv = gradient("dv", nk, i != 3)};
        EACH_RUN_WITH(attention_grad, attention) {
            float *y = room(nq * 4), *lse = room(rows * a.heads * 4),
                  *scratch = room(dev->v.attention_words(dev, &a, rows) * 4);
            dev->k.attention(dev, &a, rows, &x, y, lse, scratch);
            g.y = y;
            g.lse = lse;
            g.delta = room(rows * a.heads * 4);
            dev->k.attention_grad(dev, &a, rows, &x, &g, scratch);
        }
    }
}

/* A cache of half precision or int8, at whose last rows the queries stand. One row, as
 * generation has it, and many: parts of a tile, several tiles, windows that end inside of blocks. */
void case_attention_cached(void)
{
    static const struct {
        int heads, groups, dim;
        int64_t before, rows, window;
        ib_score_bend bend;
    } cached[] = {{1, 1, 1, 0, 1, 0},
                  {4, 2, 32, 4, 1, 0},
                  {3, 1, 64, 66, 1, 64},
                  {6, 2, 128, 128, 1, 0},
                  {2, 1, 20, 69, 1, 69},
                  {9, 3, 64, 199, 1, 190},
                  {2, 2, 96, 63, 1, 0},
                  {1, 1, 256, 65, 1, 64},
                  {8, 8, 48, 62, 1, 0},
                  {32, 8, 64, 299, 1, 0},
                  {3, 3, 33, 162, 1, 63},
                  {4, 4, 16, 7, 1, 1},
                  {2, 1, 64, 0, 2, 0},
                  {9, 3, 64, 0, 130, 0},
                  {4, 2, 32, 61, 7, 0},
                  {2, 2, 80, 130, 67, 0},
                  {1, 1, 256, 3, 66, 40},
                  {2, 1, 64, 50, 150, 5},
                  {3, 3, 16, 0, 65, 64},
                  {2, 1, 128, 200, 9, 64},
                  {2, 1, 33, 5, 70, 66},
                  {2, 1, 48, 63, 64, 1},
                  {4, 1, 112, 1, 197, 100},
                  {1, 1, 7, 0, 3, 0},
                  {9, 3, 64, 199, 1, 190, {.alibi = 8}},
                  {4, 2, 64, 70, 1, 0, {.cap = 5}},
                  {6, 3, 32, 61, 70, 0, {.cap = 2}},
                  {3, 3, 48, 3, 66, 40, {.cap = 3, .alibi = 8}},
                  {5, 5, 7, 60, 9, 0, {.cap = 3, .alibi = 8}}};
    for (size_t i = 0; i < 2 * (sizeof cached / sizeof *cached); i++) {
        const int groups = cached[i / 2].groups, dim = cached[i / 2].dim, int8 = i % 2;
        const ib_cached_queries a = {.heads = cached[i / 2].heads,
                                     .scale = i % 3 ? 0.3f : 40.0f, /* most weights are 0 */
                                     .before = cached[i / 2].before,
                                     .rows = cached[i / 2].rows,
                                     .window = cached[i / 2].window,
                                     .bend = cached[i / 2].bend};
        const int64_t to = a.before + a.rows, n = to * groups * dim;
        a_shape("heads %d/%d of %d, %lld rows behind %lld, window %lld, %s", a.heads, groups, dim, (long long)a.rows,
                (long long)a.before, (long long)a.window, int8 ? "int8" : "half");
        ib_kv_cache c = {groups, dim, int8, NULL, NULL, NULL, NULL};
        const float *q = reals(a.rows * a.heads * dim);
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
        float *y = result("y", REALS, a.rows * a.heads * dim, EXACT);
        EACH_RUN(attention_cached)
            dev->k.attention_cached(dev, &c, &a, q, y);
    }
}

/* Rows in the middle of a cache, whose others stay as they are; a row of zeros. */
void case_cache_rows(void)
{
    static const struct {
        int groups, dim;
        int64_t at, rows;
    } appended[] = {{1, 1, 0, 1}, {2, 32, 5, 3}, {3, 33, 1, 7}, {8, 64, 0, 130}, {1, 256, 9, 1}, {5, 20, 2, 400}};
    for (size_t i = 0; i < 2 * (sizeof appended / sizeof *appended); i++) {
        const int groups = appended[i / 2].groups, dim = appended[i / 2].dim, int8 = i % 2;
        const int64_t at = appended[i / 2].at, rows = appended[i / 2].rows, all = at + rows + 2;
        a_shape("%d of %d, rows %lld of them from %lld, %s", groups, dim, (long long)rows, (long long)at,
                int8 ? "int8" : "half");
        float *k = reals(rows * groups * dim), *v = reals(rows * groups * dim);
        memset(k, 0, (size_t)dim * sizeof *k);
        const element kind = int8 ? CODES : HALVES;
        const ib_kv_cache c = {groups,
                               dim,
                               int8,
                               changed("keys", kind, all * groups * dim, EXACT),
                               changed("values", kind, all * groups * dim, EXACT),
                               int8 ? changed("scales of keys", REALS, all * groups, EXACT) : NULL,
                               int8 ? changed("scales of values", REALS, all * groups, EXACT) : NULL};
        EACH_RUN(cache_rows)
            dev->k.cache_rows(dev, &c, at, rows, k, v);
    }
}
