/* cases_quantize.c - between fp32 and codes, and the gradients of steps: equal in every bit. */
#include "tests/kernels/kernel_case.h"

/* Numbers about the codes -20 .. 20 of step `scale`: every third a tie, some beyond, NaN and infinities. */
static float *to_quantize(int64_t n, float scale)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f};
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = i % 41 == 40 ? odd[i % 5] : scale * (i % 3 ? 20 * x[i] : rintf(20 * x[i]) + 0.5f);
    return x;
}

static const float step[] = {0.5f, 0.0123f, 0.25f, 0.37f, 1.0f};
static const int32_t zero[] = {3, 0, -128, 5, 0};
static const ib_affine steps[] = {{&step[0], &zero[0], -8, 7, 0},
                                  {&step[1], NULL, -127, 127, 0},
                                  {&step[2], &zero[2], -128, 127, 1},
                                  {&step[3], &zero[3], -120, 100, 1},
                                  {&step[4], &zero[4], -2, 1, 0}};
enum { N_STEPS = sizeof steps / sizeof *steps };

void case_quantize(void)
{
    for (int form = 0; form < 2 * N_STEPS; form++)
        EACH_SIZE(n) {
            const ib_affine *p = &steps[form / 2];
            a_shape("n %lld, scale %g, codes %d..%d, %s%s", (long long)n, (double)*p->scale, p->qmin, p->qmax,
                    p->half_away ? "ties away" : "ties to even", form % 2 ? ", mask" : "");
            const float *x = to_quantize(n, *p->scale);
            int8_t *q = result("q", CODES, n, EXACT);
            uint8_t *mask = form % 2 ? result("mask", BITS, n, EXACT) : NULL;
            EACH_RUN(quantize)
                dev->k.quantize(dev, x, n, p, q, mask);
        }
    a_shape("NaN and infinities");
    const float odd[] = {NAN, INFINITY, -INFINITY, 0.5f, 1e30f, -1e30f};
    float *x = memcpy(reals(6), odd, sizeof odd);
    int8_t *q = result("q", CODES, 6, EXACT);
    uint8_t *mask = result("mask", BYTES, 1, EXACT);
    EACH_RUN(quantize)
        dev->k.quantize(dev, x, 6, &steps[0], q, mask);
    CHECK(!memcmp(made_by_ref(q), (int8_t[]){3, 7, -8, 4, 7, -8}, 6));
    CHECK_INT(*(const uint8_t *)made_by_ref(mask), 1 << 3);
}

void case_dequantize(void)
{
    EACH_N(n) {
        const float scale = 0.037f;
        const int32_t zero_point = -5;
        const ib_coded x = {codes(n), &scale, n % 2 ? &zero_point : NULL};
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(dequantize)
            dev->k.dequantize(dev, &x, n, y);
    }
}

static const int64_t tables[][2] = {{1, 1},  {1, 17}, {7, 3},   {16, 16},  {3, 25},
                                    {5, 33}, {13, 9}, {2, 129}, {301, 67}, {40, 576}};
enum { N_TABLES = sizeof tables / sizeof *tables };

/* Begins the shape of a table and returns its rows. */
static int64_t a_table(int t, int64_t *cols, const char *what)
{
    *cols = tables[t][1];
    a_shape("%lldx%lld%s", (long long)tables[t][0], (long long)*cols, what);
    return tables[t][0];
}

/* Positive scales. */
static float *scales(int64_t n, float least)
{
    float *s = reals(n);
    for (int64_t i = 0; i < n; i++)
        s[i] = least * (3.0f + 2 * s[i]);
    return s;
}

void case_dequantize_rows(void)
{
    for (int t = 0; t < 4 * N_TABLES; t++) {
        static const char *const what[] = {", a scale", ", a scale a row", ", a scale, groups", ", both, groups"};
        int64_t cols;
        const int64_t rows = a_table(t / 4, &cols, what[t % 4]), n_scales = t % 2 ? rows : 1;
        const int group = t % 4 > 1 ? 4 : 0, n_groups = group ? (int)((cols + 3) / 4) : 0;
        uint8_t *factor = group ? given("the factors", BYTES, rows * n_groups) : NULL;
        const ib_qweights w = {weights(rows * cols, 8), factor, group, n_groups, 8};
        const float *scale = scales(n_scales, 0.01f);
        for (int64_t i = 0; i < rows * n_groups; i++)
            factor[i] = (uint8_t)(1 + factor[i] % 15);
        float *y = result("y", REALS, rows * cols, EXACT);
        EACH_RUN(dequantize_rows)
            dev->k.dequantize_rows(dev, &w, rows, cols, scale, (int)n_scales, y);
    }
}

/* A NaN is passed over. */
void case_abs_max_rows(void)
{
    for (int t = 0; t < 2 * N_TABLES; t++) {
        int64_t cols;
        const int64_t rows = a_table(t / 2, &cols, t % 2 ? ", NaN" : "");
        float *w = reals(rows * cols), *y = result("y", REALS, rows, EXACT);
        for (int64_t i = 0; i < rows * cols && t % 2; i += 7)
            w[i] = NAN;
        EACH_RUN(abs_max_rows)
            dev->k.abs_max_rows(dev, w, rows, cols, y);
    }
}

void case_mse_scale_rows(void)
{
    for (int t = 0; t < 2 * N_TABLES; t++) {
        int64_t cols;
        const int64_t rows = a_table(t / 2, &cols, t % 2 ? ", 2 bits" : ", 4 bits");
        float *w = reals(rows * cols), *scale = result("scale", REALS, rows, EXACT);
        memset(w, 0, (size_t)cols * sizeof *w); /* a row of zeros */
        EACH_RUN(mse_scale_rows)
            dev->k.mse_scale_rows(dev, w, rows, cols, t % 2 ? 1 : 7, scale);
    }
}

void case_drop_codes(void)
{
    EACH_N(n) {
        const int8_t *x = codes(n);
        const uint8_t *mask = bits(n);
        int8_t *y = result("y", CODES, n, EXACT);
        EACH_RUN(drop_codes)
            dev->k.drop_codes(dev, x, mask, n, n % 2 ? &zero[2] : NULL, y);
    }
}

void case_scale_rows(void)
{
    for (int t = 0; t < N_TABLES; t++) {
        int64_t cols;
        const int64_t rows = a_table(t, &cols, "");
        const float *x = reals(rows * cols), *gain = reals(rows);
        float *y = changed("y", REALS, rows * cols, EXACT);
        EACH_RUN(scale_rows)
            dev->k.scale_rows(dev, x, rows, cols, gain, y);
    }
}

void case_dot_rows(void)
{
    for (int t = 0; t < N_TABLES; t++) {
        int64_t cols;
        const int64_t rows = a_table(t, &cols, "");
        const float *x = reals(rows * cols), *dy = reals(rows * cols);
        float *y = changed("y", REALS, rows, EXACT);
        EACH_RUN(dot_rows)
            dev->k.dot_rows(dev, x, dy, rows, cols, y);
    }
}

static const int widths[] = {127, 7, 1}; /* 8, 4 and 2 bits */

/* A scale for all, one a row, or one for several rows, which may end within a byte of the mask. */
void case_quantize_rows(void)
{
    for (int t = 0; t < 6 * N_TABLES; t++) {
        int64_t cols;
        const int64_t rows = a_table(t / 6, &cols, t % 2 ? ", mask" : "");
        const int64_t n_scales = t / 2 % 3 == 0 ? 1 : t / 2 % 3 == 1 || rows % 4 ? rows : rows / 4;
        const int qmax = widths[t % 3];
        float *w = reals(rows * cols), *scale = scales(n_scales, 0.2f / (float)qmax);
        w[rows * cols / 2] = NAN;
        w[0] = 1e30f;
        const ib_weight_codes p = {.w = w,
                                   .qmax = qmax,
                                   .scale = scale,
                                   .n_scales = (int)n_scales,
                                   .q = result("q", CODES, rows * cols, EXACT),
                                   .mask = t % 2 ? result("mask", BITS, rows * cols, EXACT) : NULL};
        EACH_RUN(quantize_rows)
            dev->k.quantize_rows(dev, rows, cols, &p);
    }
}

void case_quantize_groups(void)
{
    static const int group_sizes[] = {1, 4, 16, 33};
    for (int t = 0; t < 8 * N_TABLES; t++) {
        int64_t cols;
        const int64_t rows = a_table(t / 8, &cols, t % 2 ? ", mask" : "");
        const int group = group_sizes[t / 2 % 4];
        const int64_t groups = (cols + group - 1) / group;
        float *w = reals(rows * cols);
        memset(w, 0, (size_t)cols * sizeof *w); /* a row of zeros */
        const ib_weight_codes p = {.w = w,
                                   .qmax = widths[t % 3],
                                   .scale = result("scale", REALS, rows, EXACT),
                                   .group_size = group,
                                   .factor = result("factor", BYTES, rows * groups, EXACT),
                                   .q = result("q", CODES, rows * cols, EXACT),
                                   .mask = t % 2 ? result("mask", BITS, rows * cols, EXACT) : NULL};
        EACH_RUN(quantize_groups)
            dev->k.quantize_groups(dev, rows, cols, &p);
    }
}
