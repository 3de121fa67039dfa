/* scaled.c - formats whose scales lie apart from the codes: nf4 and fp4 with and without double quantization, int8
 * rows. */
#include "tensor/storage/scaled.h"

#include <stdlib.h>

#include "arithmetic/dynamic_code.h"
#include "base/alloc.h"
#include "base/error.h"
#include "tensor/grid.h"

/* bitsandbytes' values: quantiles of the normal distribution (arXiv:2305.14314, appendix E), and a 4-bit float */
const float ib_code_nf4[16] = {-1.0f,
                               -0.6961928009986877f,
                               -0.5250730514526367f,
                               -0.39491748809814453f,
                               -0.28444138169288635f,
                               -0.18477343022823334f,
                               -0.09105003625154495f,
                               0.0f,
                               0.07958029955625534f,
                               0.16093020141124725f,
                               0.24611230194568634f,
                               0.33791524171829224f,
                               0.44070982933044434f,
                               0.5626170039176941f,
                               0.7229568362236023f,
                               1.0f};
const float ib_code_fp4[16] = {0,          0.0625f / 12, 8.0f / 12,  12.0f / 12,    4.0f / 12,  6.0f / 12,
                               2.0f / 12,  3.0f / 12,    0,          -0.0625f / 12, -8.0f / 12, -12.0f / 12,
                               -4.0f / 12, -6.0f / 12,   -2.0f / 12, -3.0f / 12};

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Dynamic 8-bit types (arXiv:1511.04561 as bitsandbytes builds them): for i = 0..6 the midpoints m of linspace(0.1, 1)
 * in 2^i parts (unsigned 2^(i+1)) give +-10^(i-6) m; 0 and 1 are added. In double, but the points in fp32. */
void ib_dynamic_map(int is_signed, float *map)
{
    int n = 0;
    for (int i = 0; i < 7; i++) {
        const int parts = is_signed ? 1 << i : 2 << i;
        const float step = (1.0f - 0.1f) / (float)parts;
        for (int j = 0; j < parts; j++) {
            /* torch.linspace in fp32: from the start in the first half, from the end in the second */
            const int points = parts + 1;
            float at[2];
            for (int e = 0; e < 2; e++)
                at[e] = j + e < points / 2 ? fmaf(step, (float)(j + e), 0.1f)
                                           : fmaf(-step, (float)(points - 1 - j - e), 1.0f);
            const float v = (float)pow(10, i - 6) * ((at[0] + at[1]) / 2.0f);
            map[n++] = v;
            if (is_signed)
                map[n++] = -v;
        }
    }
    map[n++] = 0;
    map[n++] = 1;
    qsort(map, (size_t)n, sizeof *map, compare);
}

/* Decides at the fp32 midpoints of neighbouring values; equality stays with the lower one. */
static uint8_t code4(const float *sorted, const uint8_t *name, float x)
{
    int q = 0;
    while (q < 15 && x > (sorted[q] + sorted[q + 1]) * 0.5f)
        q++;
    return name[q];
}

int64_t ib_scaled_bytes(const ib_storage *f, int64_t rows, int64_t cols)
{
    const int64_t n = rows * cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK;
    if (f->index == IB_AT_groups)
        return ib_grid_bytes(&(ib_grid){.bits = IB_GRID_BITS, .group = IB_GRID_GROUP}, rows, cols);
    if (!f->code)
        return n + 4 * rows;
    return (n + 1) / 2 + (f->nested ? blocks + 4 * ((blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK) : 4 * blocks);
}

static int64_t aligned(int64_t n)
{
    return (n + 63) / 64 * 64;
}

static ib_matrix *encode_rows(const ib_storage *f, int64_t rows, int64_t cols, const float *x)
{
    int8_t *q = ib_alloc((size_t)(aligned(rows * cols) + 4 * rows));
    if (!q)
        return NULL;
    float *scale = (float *)(q + aligned(rows * cols));
    for (int64_t r = 0; r < rows; r++) {
        float amax = 0;
        for (int64_t c = 0; c < cols; c++)
            amax = fabsf(x[r * cols + c]) > amax ? fabsf(x[r * cols + c]) : amax;
        scale[r] = amax / 127;
        for (int64_t c = 0; c < cols; c++)
            q[r * cols + c] = (int8_t)(amax ? clamp_int(nearest(x[r * cols + c] / scale[r]), -127, 127) : 0);
    }
    return ib_matrix_new(f, rows, cols, &(ib_matrix_parts){.data = (const uint8_t *)q, .absmax = scale}, q);
}

/* absmax [blocks] -> 8-bit codes of (absmax - mean) in blocks of 256 */
static void nest(ib_matrix_parts *p, int64_t blocks, const float *absmax, uint8_t *code, float *nested, float *map)
{
    double sum = 0;
    for (int64_t i = 0; i < blocks; i++)
        sum += absmax[i];
    const float offset = p->offset = (float)(sum / (double)blocks);
    ib_dynamic_map(1, map);
    for (int64_t i = 0; i < blocks; i += IB_NESTED_BLOCK) {
        float amax = 0;
        const int64_t end = i + IB_NESTED_BLOCK < blocks ? i + IB_NESTED_BLOCK : blocks;
        for (int64_t j = i; j < end; j++)
            amax = fabsf(absmax[j] - offset) > amax ? fabsf(absmax[j] - offset) : amax;
        nested[i / IB_NESTED_BLOCK] = amax;
        for (int64_t j = i; j < end; j++)
            code[j] = ib_dynamic_code(map, amax ? (absmax[j] - offset) * (1.0f / amax) : 0);
    }
    p->absmax8 = code;
    p->nested = nested;
    p->map = map;
}

ib_matrix *ib_scaled_encode(const ib_storage *f, int64_t rows, int64_t cols, const float *x)
{
    if (f->index == IB_AT_groups)
        return ib_matrix_of_grid(&(ib_grid){.bits = IB_GRID_BITS, .group = IB_GRID_GROUP}, rows, cols, x);
    if (!f->code)
        return encode_rows(f, rows, cols, x);
    const int64_t n = rows * cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK, bytes = (n + 1) / 2;
    const int64_t groups = (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK;
    uint8_t *q = ib_alloc((size_t)(aligned(bytes) + (f->nested ? aligned(blocks) + 4 * (groups + 256) : 4 * blocks)));
    float *absmax = f->nested ? ib_alloc((size_t)blocks * 4) : (float *)(q + aligned(bytes));
    if (!q || !absmax) {
        if (f->nested)
            ib_free(absmax); /* else it lies in q */
        ib_free(q);
        return NULL;
    }
    float sorted[16];
    uint8_t name[16];
    for (int i = 0; i < 16; i++) { /* insertion sort of the code's values; of +0 and -0 only the first is used */
        int j = i;
        for (; j && sorted[j - 1] > f->code[i]; j--) {
            sorted[j] = sorted[j - 1];
            name[j] = name[j - 1];
        }
        sorted[j] = f->code[i];
        name[j] = (uint8_t)i;
    }
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t end = (b + 1) * IB_NF4_BLOCK < n ? (b + 1) * IB_NF4_BLOCK : n;
        float amax = 0;
        for (int64_t i = b * IB_NF4_BLOCK; i < end; i++)
            amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
        absmax[b] = amax;
        const float inverse = amax ? 1.0f / amax : 0.0f;
        for (int64_t i = b * IB_NF4_BLOCK; i < end; i++)
            q[i / 2] |= (uint8_t)(code4(sorted, name, x[i] * inverse) << (i & 1 ? 0 : 4));
    }
    ib_matrix_parts p = {.data = q, .code = f->code, .absmax = absmax};
    if (f->nested) {
        float *nested = (float *)(q + aligned(bytes) + aligned(blocks));
        nest(&p, blocks, absmax, q + aligned(bytes), nested, nested + groups);
        ib_free(absmax);
        p.absmax = NULL;
    }
    return ib_matrix_new(f, rows, cols, &p, q);
}
