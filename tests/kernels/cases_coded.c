/* cases_coded.c - rows as codes, and their products with frozen matrices in integers, in every format that has them. */
#include "backends/formulas/row_codes.h"
#include "tensor/storage.h"
#include "tests/kernels/kernel_case.h"
#include "tests/kernels/kernel_faults.h"
#include "tests/stored_matrix.h"

static const int blocks[] = {32, 256, 64};

/* Rows with blocks that are zero, tiny, huge, of one sign, and with one large value. */
static float *rows_of(int64_t n, int64_t cols, int block)
{
    float *x = reals(n * cols);
    for (int64_t b = 0; b < n * cols / block; b++)
        for (int k = 0; k < block; k++) {
            float *v = x + b * block + k;
            switch (b % 7) {
            case 1: *v = b % 2 ? 0.0f : -0.0f; break;
            case 2: *v *= 1e-37f; break; /* some without an inverse */
            case 3: *v *= 1e30f; break;
            case 4: *v = k % 2 ? 1.0f : -1.0f; break; /* codes at both ends */
            case 5: *v = k == 3 ? 1000.0f : *v; break;
            default: break;
            }
        }
    return x;
}

/* Which ranges and roundings: |code| 127 is there, ties go to even, sums are those of the codes. */
static void check_codes(const float *x, int64_t n, int block, const ib_row_codes *c)
{
    const int8_t *codes = made_by_ref(c->codes);
    const float *scale = made_by_ref(c->scale);
    const int16_t *multiple = made_by_ref(c->multiple), *sums = made_by_ref(c->sums);
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)scale[i / block] * multiple[i / 16];
        CHECK(multiple[i / 16] >= 1 && multiple[i / 16] <= 15);
        CHECK(codes[i] >= -127 && (d > 0 || codes[i] == 0));
        if (d > 0)
            CHECK(fabs(x[i] - d * codes[i]) <= d * (0.5 + 1e-4));
        if (i % 16 == 0) {
            int sum = 0;
            for (int k = 0; k < 16; k++)
                sum += codes[i + k];
            CHECK_INT(sums[i / 16], sum * multiple[i / 16]);
        }
    }
}

void case_code_rows(void)
{
    for (int t = 0; t < 20; t++) {
        const int block = blocks[t < 16 ? t % 2 : 2], spoiled = t >= 12 && t < 18;
        const int64_t n = (int64_t[]){1, 3, 5, 29}[t / 2 % 4], cols = block * (t % 3 + 1 + 60 * (t == 6)),
                      all = n * cols;
        a_shape("[%lld,%lld] in blocks of %d%s", (long long)n, (long long)cols, block, spoiled ? ", not finite" : "");
        float *x = rows_of(n, cols, block);
        if (spoiled) {
            x[all - 5] = INFINITY;
            x[all - 7] = t == 13 ? NAN : -INFINITY;
        }
        ib_fault *fault = no_fault();
        const ib_row_codes c = {block, result("codes", CODES, all, EXACT), result("scale", REALS, all / block, EXACT),
                                result("multiples", HALVES, all / 16, EXACT), result("sums", HALVES, all / 16, EXACT)};
        EACH_RUN(code_rows)
            dev->k.code_rows(dev, x, n, cols, &c, (ib_site){.fault = fault, .call = 0});
        CHECK_INT(raised(fault), spoiled ? IB_FAULT_row_not_finite : 0);
        if (spoiled)
            CHECK_INT(((const ib_fault *)made_by_ref(fault))->index, n - 1);
        else
            check_codes(x, all, block, &c);
    }
}

/* Every byte of a matrix at random, its scales below 2 in size: codes that no encoder makes are there too. */
static ib_matrix *any_matrix(const ib_storage *f, int64_t rows, int64_t cols)
{
    const int64_t bytes = ib_storage_bytes(f, rows, cols);
    uint8_t *b = malloc((size_t)bytes);
    memcpy(b, given("the weights", BYTES, bytes), (size_t)bytes);
    for (int64_t i = 0; f->reals && i < bytes; i += f->bytes)
        for (int r = 0; r < f->reals; r++)
            b[i + f->real + 2 * r + 1] &= 0xBF;
    for (int64_t i = 0; !strcmp(f->name, "mxfp4") && i < bytes; i += f->bytes)
        b[i] = 96 + (b[i] & 31);
    ib_matrix *m = a_stored_matrix(f, rows, cols, reals(rows * cols));
    if (f->decode)
        memcpy(m->owned, b, (size_t)bytes);
    free(b);
    return m;
}

/* y of one output and row in double, by the matrix's own decoding, and how far off it may be: fp32's sums, and what the
 * specification says of nf4, that its codes are 1.57e-5 of the block's largest weight off, which is one of them. */
static double expected(const ib_matrix *m, int64_t o, const ib_row_codes *c, int64_t i, double *off)
{
    const double of_largest = m->format->code == ib_code_nf4 ? 1.57e-5 : 0;
    double sum = 0;
    static float w[1024];
    ib_matrix_decode(m, o * m->cols, m->cols, w);
    *off = 0;
    for (int64_t k = 0; k < m->cols; k++) {
        const int64_t at = i * m->cols + k;
        const double x = (double)c->scale[at / c->block] * c->multiple[at / 16] * c->codes[at];
        double largest = 0;
        for (int64_t j = k / c->block * c->block; j < (k / c->block + 1) * c->block; j++)
            largest = fabs((double)w[j]) > largest ? fabs((double)w[j]) : largest;
        sum += x * w[k];
        *off += 1e-5 * fabs(x * w[k]) + of_largest * fabs(x) * largest;
    }
    return sum;
}

static void multiply(const ib_storage *f, int64_t rows, int64_t cols, int64_t n)
{
    a_shape("%s [%lld,%lld], n %lld", f->name, (long long)rows, (long long)cols, (long long)n);
    ib_matrix *m = any_matrix(f, rows, cols);
    const int block = ib_matrix_integer_block(m);
    if (!block) {
        ib_matrix_free(m);
        return;
    }
    const float *x = rows_of(n, cols, block);
    const ib_row_codes c = {block, codes(n * cols), reals(n * cols / block),
                            given("the multiples", HALVES, n * cols / 16), given("the sums", HALVES, n * cols / 16)};
    ib_fault none = {0};
    plain_device()->k.code_rows(plain_device(), x, n, cols, &c, (ib_site){.fault = &none});
    float *y = result("y", REALS, n * rows, EXACT);
    EACH_RUN(coded_mul)
        dev->k.coded_mul(dev, m, n, &c, y);
    const float *ref = made_by_ref(y);
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < rows; o += 1 + rows / 5) {
            double off, want = expected(m, o, &c, i, &off);
            if (fabs(ref[i * rows + o] - want) > off)
                printf("\n    %s [%lld,%lld]: y[%lld][%lld] is %g, not %g ", f->name, (long long)rows, (long long)cols,
                       (long long)i, (long long)o, (double)ref[i * rows + o], want);
            CHECK(fabs(ref[i * rows + o] - want) <= off);
        }
    ib_matrix_free(m);
}

/* Rows about tiles of 1 to 8 outputs, one block and odd numbers of them, one product that is worth several threads. */
void case_coded_mul(void)
{
    static const int64_t outputs[] = {1, 2, 3, 4, 5, 7, 8, 9, 33}, counts[] = {1, 2, 3, 4, 5, 8, 17, 29};
    int products = 0;
    for (int f = 0; ib_storage_at(f); f++) {
        const ib_storage *s = ib_storage_at(f);
        const int block = s->code ? IB_NF4_BLOCK : s->block > 32 ? s->block : 32;
        for (int t = 0; t < 27; t++)
            multiply(s, outputs[t % 9], block * (int64_t[]){1, 3, 4, 2}[t / 7 % 4], counts[t % 8]);
        multiply(s, 100, 1024, 1);
        products++;
    }
    CHECK(products > 0);
}
