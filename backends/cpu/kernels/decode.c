/* decode.c - spans of frozen matrices as fp32, with this level's compilation of the formats. */
#include "backends/cpu/level.h"
#include "tensor/grid.h"
#include "tensor/storage/scaled.h"

#define STORAGE(name, block, bytes, gguf, error, real, reals, exponent)                                                \
    void IB_STORE(name, decode_run, IB_LEVEL)(const uint8_t *b, int64_t blocks, float *y);
#include "tensor/storage.def"
#undef STORAGE

static void (*const blocks_of[IB_N_STORAGE])(const uint8_t *b, int64_t blocks, float *y) = {
#define STORAGE(name, block, bytes, gguf, error, real, reals, exponent)                                                \
    [IB_AT_##name] = IB_STORE(name, decode_run, IB_LEVEL),
#include "tensor/storage.def"
#undef STORAGE
};

/* whole blocks of 64 from an even element */
static void decode_code4(const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i += IB_NF4_BLOCK) {
        const float a = ib_absmax_at(m, (first + i) / IB_NF4_BLOCK);
        const uint8_t *q = m->data + (first + i) / 2;
        for (int j = 0; j < IB_NF4_BLOCK / 2; j++) {
            y[i + 2 * j] = m->code[q[j] >> 4] * a;
            y[i + 2 * j + 1] = m->code[q[j] & 15] * a;
        }
    }
}

/* y[n] = elements first .. first + n of the flattened matrix */
void IB_K(decode)(ib_device *dev, const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const ib_storage *f = m->format;
    if (f->decode && first % f->block == 0 && n % f->block == 0) {
        blocks_of[f->index](m->data + first / f->block * f->bytes, n / f->block, y);
    } else if (f->code && first % IB_NF4_BLOCK == 0 && n % IB_NF4_BLOCK == 0) {
        decode_code4(m, first, n, y);
    } else if (f->index == IB_AT_groups) {
        ib_grid_decode(m, first, n, y);
    } else if (f->index == IB_AT_int8 && first % m->cols + n <= m->cols) {
        const float scale = m->absmax[first / m->cols];
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)(int8_t)m->data[first + i] * scale * m->unit;
    } else {
        ib_matrix_decode(m, first, n, y);
    }
}

void IB_K(decode_rows)(ib_device *dev, const ib_matrix *m, const int32_t *row, int64_t n, float a, float *y)
{
    const int64_t cols = m->cols;
#pragma omp parallel for schedule(static) if (n * cols > IB_SERIAL)
    for (int64_t i = 0; i < n; i++) {
        IB_K(decode)(dev, m, row[i] * cols, cols, y + i * cols);
        for (int64_t j = 0; a != 1.0f && j < cols; j++)
            y[i * cols + j] *= a;
    }
}
