/* cases_frozen.c - frozen matrices in every storage format, few and many rows, and values that are kept. Weights and
 * inputs lie in [-1, 1). fp32: sums in another order. bfloat16: two factors, each within 2^-9, errors of random sign.
 */
#include "tests/kernels/kernel_case.h"
#include "tests/stored_matrix.h"

static ib_matrix *matrix; /* the one of the shape */

/* Begins the shape of a matrix of that format and size, which is encoded unless it is the last one. */
static const ib_matrix *a_matrix(const ib_storage *f, int64_t rows, int64_t cols, int64_t n)
{
    a_shape("%s [%lld,%lld], n %lld", f->name, (long long)rows, (long long)cols, (long long)n);
    if (!matrix || matrix->format != f || matrix->rows != rows || matrix->cols != cols) {
        ib_matrix_free(matrix);
        matrix = a_stored_matrix(f, rows, cols, reals(rows * cols));
    }
    return matrix;
}

static const int64_t shapes[][2] = {{1, 256}, {33, 256}, {7, 512}, {100, 256}, {64, 768}};
static const int64_t counts[] = {1, 4, 5, 29, 45};
/* Sums longer than a step (256), outputs and columns about vectors, panels and tiles (8, 16, 32, 64), one of each; and
 * rows of x about those of registers (6, 12), of the cache (96), and enough for several threads to share them. */
static const int64_t tails[][2] = {{65, 288}, {8, 576}, {127, 32}, {17, 320}, {300, 64}, {513, 96}};
static const int64_t many[] = {6, 7, 11, 12, 13, 23, 95, 97, 130, 257};
/* Rows of dy so far apart that a gradient takes wider tiles, of formats with blocks of each size. */
static const struct {
    const char *format;
    int64_t cols, n;
} far[] = {{"q8_0", 288, 13}, {"nf4", 320, 130}, {"q6_k", 512, 7}, {"f32", 195, 29}};
enum { FAR_ROWS = 4099, N_FAR = sizeof far / sizeof *far };
/* their rows may have any length */
static const char *const rowwise[] = {"f32", "f16", "int8", "groups", "nf4", "fp4_dq"};
enum {
    N_SHAPES = sizeof shapes / sizeof *shapes,
    N_COUNTS = sizeof counts / sizeof *counts,
    N_TAILS = sizeof tails / sizeof *tails,
    N_MANY = sizeof many / sizeof *many,
    N_ROWWISE = sizeof rowwise / sizeof *rowwise
};

/* Whole blocks, and spans within one; formats of single elements at any place. */
void case_decode(void)
{
    for (int f = 0; ib_storage_at(f); f++)
        for (int part = 0; part < 5; part++) {
            const ib_matrix *m = a_matrix(ib_storage_at(f), 33, 512, part);
            const int64_t first = (int64_t[]){0, 256, 512 * 7, 1, 515}[part],
                          n = (int64_t[]){512 * 33, 512 * 4, 256, 1, 777}[part];
            float *y = result("y", REALS, n, EXACT);
            EACH_RUN(decode)
                dev->k.decode(dev, m, first, n, y);
        }
    ib_matrix_free(matrix);
    matrix = NULL;
}

/* Rows in any order, again and again. */
void case_decode_rows(void)
{
    for (int f = 0; ib_storage_at(f); f++)
        for (int part = 0; part < 3; part++) {
            const int64_t n = (int64_t[]){1, 7, 50}[part];
            const ib_matrix *m = a_matrix(ib_storage_at(f), 33, 512, n);
            const int32_t *row = indices(n, 33);
            float *y = result("y", REALS, n * 512, EXACT);
            EACH_RUN_WITH(decode_rows, decode) {
                float *own = room(512 * 4);
                dev->k.decode_rows(dev, m, row, n, part == 1 ? 1.0f : 0.7f, y);
                dev->k.decode(dev, m, row[n - 1] * 512, 512, own);
                dev->v.synchronize(dev);
                for (int64_t j = 0; j < 512; j++)
                    CHECK(y[(n - 1) * 512 + j] == own[j] * (part == 1 ? 1.0f : 0.7f));
            }
        }
    ib_matrix_free(matrix);
    matrix = NULL;
}

/* The formats that have rows of tails[] take turns at them: each meets a shape, each shape one of each count. */
static const ib_matrix *of_tail(int64_t i, int64_t *n)
{
    const int64_t *shape = tails[i / N_MANY];
    *n = many[i % N_MANY];
    for (;;) {
        static int f;
        const ib_storage *format = ib_storage_at(f++);
        if (!format)
            f = 0;
        else if (shape[1] % format->block == 0)
            return a_matrix(format, shape[0], shape[1], *n);
    }
}

static void multiply(const ib_matrix *m, int64_t n, int add)
{
    const float *x = reals(n * m->cols);
    float *y = changed("y", REALS, n * m->rows, 1e-4);
    bound_in_bf16(y, 8e-3 * sqrt((double)m->cols));
    EACH_RUN(frozen_mul)
        dev->k.frozen_mul(dev, m, n, x, add, y, room(dev->v.frozen_words(dev, m, n) * 4));
}

void case_frozen_mul(void)
{
    for (int f = 0; ib_storage_at(f); f++)
        for (int s = 0; s < N_SHAPES * N_COUNTS; s++) {
            const int64_t n = counts[s % N_COUNTS];
            multiply(a_matrix(ib_storage_at(f), shapes[s / N_COUNTS][0], shapes[s / N_COUNTS][1], n), n, s % 2);
        }
    for (int f = 0; f < N_ROWWISE; f++)
        for (int64_t cols = 1; cols < 100; cols += 14)
            multiply(a_matrix(ib_storage_find(rowwise[f]), 35, cols, 13), 13, cols % 4 == 1);
    for (int64_t i = 0; i < N_TAILS * N_MANY; i++) {
        int64_t n;
        const ib_matrix *m = of_tail(i, &n);
        multiply(m, n, i % 3 == 0);
    }
    ib_matrix_free(matrix);
    matrix = NULL;
}

static void multiply_back(const ib_matrix *m, int64_t n)
{
    const float *dy = reals(n * m->rows);
    float *dx = changed("dx", REALS, n * m->cols, 1e-4);
    bound_in_bf16(dx, 8e-3 * sqrt((double)(m->rows > 16 ? m->rows : 16)));
    EACH_RUN(frozen_mul_grad)
        dev->k.frozen_mul_grad(dev, m, n, dy, dx, room(dev->v.frozen_words(dev, m, n) * 4));
}

void case_frozen_mul_grad(void)
{
    for (int f = 0; ib_storage_at(f); f++)
        for (int s = 0; s < N_SHAPES * N_COUNTS; s++) {
            const int64_t n = counts[s % N_COUNTS];
            multiply_back(a_matrix(ib_storage_at(f), shapes[s / N_COUNTS][0], shapes[s / N_COUNTS][1], n), n);
        }
    for (int f = 0; f < N_ROWWISE; f++)
        for (int64_t cols = 1; cols < 100; cols += 14)
            multiply_back(a_matrix(ib_storage_find(rowwise[f]), 35, cols, 13), 13);
    for (int64_t i = 0; i < N_TAILS * N_MANY; i++) {
        int64_t n;
        const ib_matrix *m = of_tail(i, &n);
        multiply_back(m, n);
    }
    for (int i = 0; i < N_FAR; i++)
        multiply_back(a_matrix(ib_storage_find(far[i].format), FAR_ROWS, far[i].cols, far[i].n), far[i].n);
    ib_matrix_free(matrix);
    matrix = NULL;
}

/* What is kept stays within its bytes: fp32, or half of that. */
void case_kept_bytes(void)
{
    EACH_N(n) {
        float *y = changed("y", REALS, n, EXACT);
        bound_in_bf16(y, 0x1p-9);
        EACH_RUN(kept_bytes) {
            const int64_t bytes = dev->k.kept_bytes(dev, n);
            CHECK(bytes == 4 * n || bytes == 2 * n);
            dev->k.keep(dev, y, n, room(bytes));
        }
    }
}

/* What a level keeps is what it goes on with, also when nothing is stored. */
void case_keep(void)
{
    EACH_N(n) {
        float *y = changed("y", REALS, n, EXACT), *z = result("z", REALS, n, EXACT);
        bound_in_bf16(y, 0x1p-9);
        bound_in_bf16(z, 0x1p-9);
        EACH_RUN_WITH(keep, recall) {
            float *again = memcpy(room(4 * n), y, (size_t)n * 4);
            void *kept = room(dev->k.kept_bytes(dev, n));
            dev->k.keep(dev, y, n, kept);
            dev->k.keep(dev, again, n, NULL);
            dev->k.recall(dev, kept, n, z);
            dev->v.synchronize(dev);
            CHECK(!memcmp(y, z, (size_t)n * 4) && !memcmp(y, again, (size_t)n * 4));
        }
    }
}

void case_recall(void)
{
    EACH_N(n) {
        float *x = reals(n), *y = result("y", REALS, n, EXACT);
        for (int64_t i = 0; i < n; i++)
            x[i] = ib_bf16_to_float(ib_float_to_bf16(x[i])); /* as every level keeps it */
        EACH_RUN_WITH(recall, keep) {
            float *kept = room(dev->k.kept_bytes(dev, n)), *own = memcpy(room(4 * n), x, (size_t)n * 4);
            dev->k.keep(dev, own, n, kept);
            dev->k.recall(dev, kept, n, y);
            dev->v.synchronize(dev);
            CHECK(!memcmp(x, y, (size_t)n * 4));
        }
    }
}
