/* test_frozen.c - products with frozen matrices at every level against plain C, all formats, odd shapes, few and many
 * rows, guard bytes, 1 and 3 threads with equal bits. Broken by: a tail, a wrong interleaving of a panel, a race. */
#include "tests/check.h"

#include "tests/levels.h"

enum { GUARD = 16 };
static const int64_t shapes[][2] = {{1, 256}, {33, 256}, {7, 512}, {100, 256}, {64, 768}};

static float *reals(int64_t n, uint64_t stream)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = 2 * ib_rng_uniform((ib_rng){79, stream}, (uint64_t)i) - 1;
    return x;
}

static double furthest(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double e = fabs((double)a[i] - b[i]);
        worst = e > worst || e != e ? e : worst;
    }
    return worst;
}

static void compare(const ib_matrix *w, int64_t n, const float *x, const float *dy)
{
    const int64_t ny = n * w->rows, nx = n * w->cols;
    float *want = calloc((size_t)(ny + nx), sizeof *want), *once = calloc((size_t)(ny + nx + GUARD), sizeof *once);
    for (int l = 0; ib_device_name_at(l); l++) {
        ib_device *dev = ib_device_open(ib_device_name_at(l));
        if (!dev)
            continue;
        for (int threads = 1; threads <= 3; threads += 2) {
            ib_threads_set(threads);
            float *scratch = malloc((size_t)ib_frozen_scratch(w, n) * sizeof *scratch),
                  *got = calloc((size_t)(ny + nx + GUARD), sizeof *got);
            for (int i = 0; i < GUARD; i++)
                got[ny + nx + i] = 42;
            dev->k.frozen_mul(w, n, x, 0, got, scratch);
            dev->k.frozen_mul_grad(w, n, dy, got + ny, scratch);
            float *twice = malloc((size_t)ny * sizeof *twice); /* adding gives the sum */
            memcpy(twice, got, (size_t)ny * sizeof *twice);
            dev->k.frozen_mul(w, n, x, 1, twice, scratch);
            for (int64_t i = 0; i < ny; i++)
                twice[i] -= 2 * got[i];
            double off = 0;
            for (int64_t i = 0; i < ny; i++)
                off = fabs(twice[i]) > off ? fabs(twice[i]) : off;
            CHECK(off <= 1e-4);
            free(twice);
            for (int i = 0; i < GUARD; i++)
                CHECK(got[ny + nx + i] == 42);
            if (!l)
                memcpy(want, got, (size_t)(ny + nx) * sizeof *want);
            /* bf16: two factors each within 2^-9 of |w| <= 1, |x| <= 1, errors of random sign; fp32: another order
             * of sums */
            const double bound =
                rounds_products(dev) ? 8e-3 * sqrt((double)(w->cols > w->rows ? w->cols : w->rows)) : 1e-4;
            const double e = furthest(want, got, ny + nx);
            if (!(e <= bound))
                printf("\n    %s %s [%lld,%lld] n %lld: %g ", ib_device_name(dev), w->format->name, (long long)w->rows,
                       (long long)w->cols, (long long)n, e);
            CHECK(e <= bound);
            if (threads == 1)
                memcpy(once, got, (size_t)(ny + nx) * sizeof *once);
            else
                CHECK(!memcmp(once, got, (size_t)(ny + nx) * sizeof *once));
            free(scratch);
            free(got);
        }
        ib_device_close(dev);
    }
    ib_threads_set(0);
    free(want);
    free(once);
}

static void every_format_and_level(void)
{
    static const int64_t counts[] = {1, 4, 5, 29, 45};
    for (int f = 0; ib_storage_at(f); f++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const int64_t rows = shapes[s][0], cols = shapes[s][1];
            float *w = reals(rows * cols, 1), *x = reals(45 * cols, 2), *dy = reals(45 * rows, 3);
            ib_matrix m;
            REQUIRE(!ib_matrix_encode(&m, ib_storage_at(f), rows, cols, w));
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
                compare(&m, counts[i], x, dy);
            ib_matrix_release(&m);
            free(w), free(x), free(dy);
        }
}

static void columns_that_are_no_whole_vectors(void)
{
    static const char *const names[] = {"f32", "f16", "int8", "nf4", "fp4_dq"};
    for (int f = 0; f < 5; f++)
        for (int64_t cols = 1; cols < 100; cols += 14) {
            float *w = reals(35 * cols, 1), *x = reals(13 * cols, 2), *dy = reals(13 * 35, 3);
            ib_matrix m;
            REQUIRE(!ib_matrix_encode(&m, ib_storage_find(names[f]), 35, cols, w));
            compare(&m, 13, x, dy);
            ib_matrix_release(&m);
            free(w), free(x), free(dy);
        }
}

/* Attention with grouped keys, windows and several sequences, forward and backward. */
static void attention_at_every_level(void)
{
    static const struct {
        int heads, groups, dim;
        int64_t rows, window;
    } cases[] = {{4, 2, 32, 5, 0},    {3, 1, 64, 64, 0}, {3, 3, 32, 65, 0},   {6, 2, 64, 200, 0},
                 {2, 1, 64, 200, 37}, {2, 1, 20, 70, 0}, {2, 2, 128, 130, 64}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const int64_t rows = cases[c].rows, nq = rows * cases[c].heads * cases[c].dim,
                      nk = rows * cases[c].groups * cases[c].dim, nl = rows * cases[c].heads;
        int32_t *first = malloc((size_t)rows * sizeof *first);
        for (int64_t i = 0; i < rows; i++)
            first[i] = (int32_t)(i < rows / 3 ? 0 : i < rows / 2 ? rows / 3 : rows / 2);
        const ib_attention a = {cases[c].heads, cases[c].groups, cases[c].dim, 0.3f, cases[c].window, first};
        float *q = reals(nq, 11), *k = reals(nk, 12), *v = reals(nk, 13), *dy = reals(nq, 14);
        /* y, dq [nq], dk, dv [nk], lse [nl] */
        const int64_t total = 2 * nq + 2 * nk + nl;
        float *want = calloc((size_t)total, sizeof *want), *once = calloc((size_t)total, sizeof *once);
        for (int l = 0; ib_device_name_at(l); l++) {
            ib_device *dev = ib_device_open(ib_device_name_at(l));
            if (!dev)
                continue;
            for (int threads = 1; threads <= 3; threads += 2) {
                ib_threads_set(threads);
                float *got = calloc((size_t)(total + GUARD), sizeof *got),
                      *scratch = malloc((size_t)ib_attention_scratch(&a, rows) * sizeof *scratch);
                float *delta = malloc((size_t)nl * sizeof *delta), *y = got, *dq = y + nq, *dk = dq + nq, *dv = dk + nk,
                      *lse = dv + nk;
                const ib_qkv x = {.q = q, .k = k, .v = v};
                dev->k.attention(&a, rows, &x, y, lse, scratch);
                dev->k.attention_grad(
                    &a, rows, &x,
                    &(ib_attention_grads){.y = y, .dy = dy, .lse = lse, .dq = dq, .dk = dk, .dv = dv, .delta = delta},
                    scratch);
                for (int i = 0; i < GUARD; i++)
                    CHECK(got[total + i] == 0);
                if (!l)
                    memcpy(want, got, (size_t)total * sizeof *want);
                const double e = furthest(want, got, total), bound = rounds_products(dev) ? 0.06 : 1e-4;
                if (!(e <= bound))
                    printf("\n    %s case %zu: %g ", ib_device_name(dev), c, e);
                CHECK(e <= bound);
                if (threads == 1)
                    memcpy(once, got, (size_t)total * sizeof *once);
                else
                    CHECK(!memcmp(once, got, (size_t)total * sizeof *once));
                free(got), free(scratch), free(delta);
            }
            ib_device_close(dev);
        }
        ib_threads_set(0);
        free(first), free(q), free(k), free(v), free(dy), free(want), free(once);
    }
}

/* What a level keeps is what it goes on with. */
static void kept_values_come_back(void)
{
    for (int l = 0; ib_device_name_at(l); l++) {
        ib_device *dev = ib_device_open(ib_device_name_at(l));
        if (!dev)
            continue;
        for (int64_t n = 1; n < 9000; n += 1234) {
            float *x = reals(n, 5), *y = reals(n, 5), *z = malloc((size_t)n * sizeof *z);
            void *kept = malloc((size_t)dev->k.kept_bytes(n));
            dev->k.keep(x, n, kept);
            dev->k.keep(y, n, NULL);
            dev->k.recall(kept, n, z);
            CHECK(!memcmp(x, z, (size_t)n * sizeof *x) && !memcmp(x, y, (size_t)n * sizeof *x));
            free(x), free(y), free(z), free(kept);
        }
        ib_device_close(dev);
    }
}

SUITE("frozen", T(attention_at_every_level), T(kept_values_come_back), T(every_format_and_level),
      T(columns_that_are_no_whole_vectors))
