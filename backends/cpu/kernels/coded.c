/* coded.c - rows as codes of 8 bits, and their products with frozen matrices in integers (formulas/row_codes.h). */
#include "backends/cpu/level.h"
#include "backends/formulas/row_codes.h"
#include "tensor/storage/integers.h"
#include "tensor/storage/scaled.h"
#include "tensor/storage_places.h"

#define INTEGERS(name, block) IB_INTEGERS(name);
#include "tensor/integers.def"
#undef INTEGERS

static void (*const integers_of[IB_N_STORAGE])(const uint8_t *b, ib_integers *y) = {
#define INTEGERS(name, block) [IB_AT_##name] = IB_STORE(name, integers, IB_LEVEL),
#include "tensor/integers.def"
#undef INTEGERS
};

void IB_K(code_rows)(ib_device *dev, const float *x, int64_t n, int64_t cols, const ib_row_codes *c, ib_site at)
{
    const int block = c->block;
    const int64_t blocks = n * cols / block, of_row = cols / block;
    int8_t *codes = c->codes;
    float *scale = c->scale;
    int16_t *multiple = c->multiple, *sums = c->sums;
#pragma omp parallel for schedule(static) if (n * cols > IB_SERIAL)
    for (int64_t b = 0; b < blocks; b++)
        ib_code_block(x + b * block, block, codes + b * block, scale + b, multiple + b * (block / IB_ROW_GROUP),
                      sums + b * (block / IB_ROW_GROUP));
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t k = b * block; isnan(scale[b]) && k < (b + 1) * block; k++)
            if (!isfinite(x[k]))
                ib_raise(at, IB_FAULT_row_not_finite, b / of_row, x[k], 0, 0);
}

enum { TAKEN = 16 }; /* rows that are multiplied by a block that is taken apart once */

/* The scale of block j of row o that lies apart; 1: there is none. */
static float scale_apart(const ib_matrix *w, int64_t o, int64_t j)
{
    if (w->format->code)
        return ib_absmax_at(w, o * w->cols / IB_NF4_BLOCK + j);
    return w->format->decode ? 1.0f : ib_row_scale(w, o);
}

/* y[i][o] for rows i = 0 .. n of x, n <= TAKEN */
static void multiply(const ib_matrix *w, int64_t o, int64_t n, const ib_row_codes *x, int64_t from, float *y)
{
    const ib_storage *f = w->format;
    const int block = x->block, groups = block / IB_ROW_GROUP;
    const int64_t cols = w->cols, blocks = cols / block, bytes = f->code ? block / 2 : block / f->block * f->bytes;
    const uint8_t *b = w->data + o * blocks * bytes;
    float a[TAKEN] = {0};
    ib_integers v;
    for (int64_t j = 0; j < blocks; j++, b += bytes) {
        integers_of[f->index](b, &v);
        v.d *= scale_apart(w, o, j);
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = (from + i) * blocks + j;
            const int8_t *c = x->codes + at * block;
            const int16_t *by = x->multiple + at * groups;
            const float d = v.d * x->scale[at], m = v.m * x->scale[at];
            a[i] += d * (float)(block == IB_ROW_WIDE ? ib_coded_sum_wide(v.wide, by, c)
                                                     : ib_coded_sum(block, v.code, v.scale, by, c));
            if (v.m != 0)
                a[i] += m * (float)ib_coded_minima(block, v.min, x->sums + at * groups);
        }
    }
    for (int64_t i = 0; i < n; i++)
        y[(from + i) * w->rows + o] = a[i];
}

/* y[n,rows] = x[n,cols] W' */
void IB_K(coded_mul)(ib_device *dev, const ib_matrix *w, int64_t n, const ib_row_codes *x, float *y)
{
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < w->rows; o++)
        for (int64_t i = 0; i < n; i += TAKEN)
            multiply(w, o, ib_min64(TAKEN, n - i), x, i, y);
}
