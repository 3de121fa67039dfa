/* cases_strided.c - elements at the places of another order, and rows by number: equal in every bit. */
#include "tests/kernels/kernel_tables.h"

/* Runs as they are, of two levels of rows; parts of longer rows; rows and columns, and channels and places, exchanged;
 * every second element. */
static const ib_strides orders[] = {
    {{1, 1, 1}, {0, 0, 1}, {0, 0, 1}},       {{3, 5, 7}, {35, 7, 1}, {35, 7, 1}},
    {{9, 1, 21}, {21, 0, 1}, {50, 0, 1}},    {{9, 1, 21}, {50, 0, 1}, {21, 0, 1}},
    {{1, 33, 17}, {0, 1, 33}, {0, 17, 1}},   {{4, 49, 6}, {294, 1, 49}, {294, 6, 1}},
    {{4, 6, 49}, {294, 1, 6}, {294, 49, 1}}, {{2, 3, 11}, {66, 22, 2}, {33, 1, 3}},
    {{1, 301, 67}, {0, 1, 301}, {0, 67, 1}}, {{300, 1, 67}, {67, 0, 1}, {70, 0, 1}},
};
enum { N_ORDERS = sizeof orders / sizeof *orders };

static int64_t spanned(const ib_strides *s, const int64_t *stride)
{
    int64_t last = 0;
    for (int d = 0; d < 3; d++)
        last += (s->shape[d] - 1) * stride[d];
    return last + 1;
}

static const ib_strides *an_order(int i, int bytes)
{
    const ib_strides *s = &orders[i];
    a_shape("order %d, %lldx%lldx%lld of %d bytes", i, (long long)s->shape[0], (long long)s->shape[1],
            (long long)s->shape[2], bytes);
    return s;
}

/* fp32 and codes; what lies between the places stays. */
void case_copy_strided(void)
{
    for (int i = 0; i < 2 * N_ORDERS; i++) {
        const int bytes = i % 2 ? 4 : 1;
        const ib_strides *s = an_order(i / 2, bytes);
        const element kind = bytes == 4 ? REALS : CODES;
        const char *x = given("x", kind, spanned(s, s->from));
        char *y = changed("y", kind, spanned(s, s->to), EXACT);
        EACH_RUN(copy_strided)
            dev->k.copy_strided(dev, s, x, bytes, y);
        const char *want = made_by_ref(y);
        for (int64_t a = 0; a < s->shape[0]; a++)
            for (int64_t b = 0; b < s->shape[1]; b++)
                for (int64_t c = 0; c < s->shape[2]; c++)
                    CHECK(!memcmp(want + (a * s->to[0] + b * s->to[1] + c * s->to[2]) * bytes,
                                  x + (a * s->from[0] + b * s->from[1] + c * s->from[2]) * bytes, (size_t)bytes));
    }
}

void case_add_strided(void)
{
    for (int i = 0; i < N_ORDERS; i++) {
        const ib_strides *s = an_order(i, 4);
        const float *x = reals(spanned(s, s->from));
        float *y = changed("y", REALS, spanned(s, s->to), EXACT);
        EACH_RUN(add_strided)
            dev->k.add_strided(dev, s, x, y);
    }
}

/* Rows come again and again, which their order of sums shows. */
void case_add_to_rows(void)
{
    enum { ROWS = 5 };
    EACH_TABLE(n, cols)
    {
        a_table(n, cols);
        const float *x = reals(n * cols);
        const int32_t *row = indices(n, ROWS);
        float *y = changed("y", REALS, ROWS * cols, EXACT);
        EACH_RUN(add_to_rows)
            dev->k.add_to_rows(dev, row, n, cols, x, 0.7f, y);
    }
}
