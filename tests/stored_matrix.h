/* stored_matrix.h - matrices in any storage format: encoded, or, of formats that are read alone, of any codes, with
 * scales that make them about as large as what is asked for. */
#ifndef IB_TESTS_STORED_MATRIX_H
#define IB_TESTS_STORED_MATRIX_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/matrix_fields.h"
#include "tests/check.h"

/* n bytes as tests/golden/make_formats.py has them: blocks whose scales are below 2. */
static inline void any_blocks(const ib_storage *f, uint8_t *b, int64_t n)
{
    uint32_t s = 2024;
    for (int64_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        b[i] = (uint8_t)(s >> 24);
    }
    for (int64_t i = 0; i < n; i += f->bytes)
        for (int r = 0; r < f->reals; r++)
            if (!strcmp(f->name, "mxfp4"))
                b[i] = 96 + (b[i] & 31);
            else
                b[i + f->real + 2 * r + 1] &= 0xBF;
}

/* d of a block, in half precision; iq1_m has four bits of it in each of four words. */
static inline void put_scale(const ib_storage *f, uint8_t *b, float d)
{
    const uint16_t h = ib_float_to_half(d);
    if (!strcmp(f->name, "iq1_m"))
        for (int i = 0; i < 4; i++)
            b[49 + 2 * i] = (uint8_t)((b[49 + 2 * i] & 15) | (h >> 4 * i & 15) << 4);
    else
        memcpy(b + f->real, &h, 2);
}

static inline double square_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum / (double)n;
}

/* Yours to ib_matrix_free. */
static inline ib_matrix *a_stored_matrix(const ib_storage *f, int64_t rows, int64_t cols, const float *x)
{
    if (f->encode || !f->decode) {
        ib_matrix *made = ib_matrix_encode(f, rows, cols, x, NULL);
        REQUIRE(made != NULL);
        return made;
    }
    const int64_t bytes = ib_storage_bytes(f, rows, cols), n = rows * cols;
    uint8_t *b = ib_alloc((size_t)bytes);
    float *y = malloc(sizeof *y * (size_t)n);
    REQUIRE(b && y && bytes > 0);
    any_blocks(f, b, bytes);
    ib_matrix *m = ib_matrix_new(f, rows, cols, &(ib_matrix_parts){.data = b}, b);
    REQUIRE(m != NULL);
    float d = 0x1p-9f;
    for (int turn = 0; turn < 2; turn++) {
        for (int64_t i = 0; i < bytes; i += f->bytes)
            put_scale(f, b + i, d);
        ib_matrix_decode(m, 0, n, y);
        d *= (float)sqrt(square_of(x, n) / square_of(y, n));
    }
    free(y);
    return m;
}

#endif
