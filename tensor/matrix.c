/* matrix.c - the table of storage formats, and matrices in them. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"
#include "base/names.h"
#include "tensor/grid.h"
#include "tensor/lattice.h"
#include "tensor/matrix_fields.h"
#include "tensor/storage/scaled.h"
#include "tensor/storage_places.h"

#define STORAGE(name, block, bytes, gguf, error, real, reals, exponent)                                                \
    void ib_##name##_encode_ref(const float *x, const float *importance, float square, uint8_t *b);                    \
    void ib_##name##_decode_ref(const uint8_t *b, float *y);
#define DECODED(name, block, bytes, gguf, real, reals, exponent)                                                       \
    void ib_##name##_decode_ref(const uint8_t *b, float *y);
#define SCALED(name, code, nested, error)
#define ROWS(name, error)
#define GRID(name, error)
#include "tensor/storage.def"
#undef STORAGE
#undef SCALED
#undef ROWS
#undef GRID

static const ib_storage table[] = {
#define STORAGE(name, block, bytes, gguf, error, real, reals, exponent)                                                \
    {#name, IB_AT_##name, block, bytes,   gguf, error, ib_##name##_encode_ref, ib_##name##_decode_ref, NULL,           \
     0,     real,         reals, exponent},
#define DECODED(name, block, bytes, gguf, real, reals, exponent)                                                       \
    {#name, IB_AT_##name, block, bytes, gguf, 0, NULL, ib_##name##_decode_ref, NULL, 0, real, reals, exponent},
#define SCALED(name, code, nested, error) {#name, IB_AT_##name, 1, 0, -1, error, NULL, NULL, code, nested, 0, 0, 0},
#define ROWS(name, error) {#name, IB_AT_##name, 1, 1, -1, error, NULL, NULL, NULL, 0, 0, 0, 0},
#define GRID(name, error) {#name, IB_AT_##name, 1, 0, -1, error, NULL, NULL, NULL, 0, 0, 0, 0},
#include "tensor/storage.def"
#undef STORAGE
#undef SCALED
#undef ROWS
#undef GRID
};

const ib_storage *ib_storage_at(int i)
{
    return i >= 0 && i < IB_N_STORAGE ? &table[i] : NULL;
}

static ib_status refuse_to_write(const ib_storage *f)
{
    return ib_fail(
        IB_EUNSUPPORTED,
        "%s is read, run and copied as it is, but not written: choose another format, such as iq4_xs or q2_k", f->name);
}

/* nf4-dq is nf4_dq */
static int same_name(const char *a, const char *b)
{
    while (*a && (*a == *b || (*a == '_' && *b == '-'))) {
        a++;
        b++;
    }
    return *a == *b;
}

const ib_storage *ib_storage_find(const char *name)
{
    IB_NEED_OR(name, NULL);
    for (int i = 0; i < IB_N_STORAGE; i++)
        if (same_name(table[i].name, name))
            return &table[i];
    ib_name_refuse(name, table, IB_N_STORAGE, sizeof *table, IB_EINVAL, "no storage format is named");
    return NULL;
}

const ib_storage *ib_storage_writable(const char *name)
{
    IB_NEED_OR(name, NULL);
    const ib_storage *f = ib_storage_find(name);
    return f && !f->encode && f->decode ? refuse_to_write(f), NULL : f;
}

const ib_storage *ib_storage_gguf(int gguf_type)
{
    for (int i = 0; i < IB_N_STORAGE; i++)
        if (table[i].gguf_type == gguf_type && gguf_type >= 0)
            return &table[i];
    return ib_fail_null(IB_EUNSUPPORTED, "tensor type %d is not supported", gguf_type);
}

int64_t ib_storage_bytes(const ib_storage *f, int64_t rows, int64_t cols)
{
    IB_NEED_OR(f, -1);
    IB_TAKE_OR(rows, rows > 0, -1, "is %lld", (long long)rows);
    IB_TAKE_OR(cols, cols > 0 && cols <= INT64_MAX / rows / 64, -1, "is %lld", (long long)cols);
    if (!f->decode)
        return ib_scaled_bytes(f, rows, cols);
    if (cols % f->block)
        return ib_fail(IB_EINVAL, "%s: cols: rows of %lld elements are not whole blocks of %d", f->name,
                       (long long)cols, f->block),
               -1;
    return rows * (cols / f->block) * f->bytes;
}

const ib_storage *ib_storage_fallback(const ib_storage *f, int64_t cols)
{
    IB_NEED_OR(f, NULL);
    IB_TAKE_OR(cols, cols > 0, NULL, "is %lld", (long long)cols);
    static const char *const other[][2] = {{"q2_k", "q4_0"},  {"q3_k", "q4_0"},  {"q4_k", "q5_0"},
                                           {"q5_k", "q5_1"},  {"q6_k", "q8_0"},  {"iq4_xs", "iq4_nl"},
                                           {"tq1_0", "q4_0"}, {"tq2_0", "q4_0"}, {"q2_0", "q4_0"}};
    if (!f->decode || cols % f->block == 0)
        return f;
    for (size_t i = 0; i < sizeof other / sizeof *other && cols % 32 == 0; i++)
        if (!strcmp(f->name, other[i][0]))
            return ib_storage_find(other[i][1]);
    return ib_storage_find("f16");
}

/* 1 if a block came out as other than numbers where numbers went in, or was given what is none. Within +-60000 every
 * format's scales, half precision among them, are finite unless sums of importances are not, so most blocks are only
 * looked at. Single values (f16) may be infinities and NaN, which stay what they are. */
static int lost(const ib_storage *f, const float *x, const float *importance, const uint8_t *b)
{
    float y[256];
    int large = importance != NULL, bad = 0;
    for (int i = 0; i < f->block; i++)
        large |= !(x[i] >= -60000 && x[i] <= 60000);
    if (!large)
        return 0;
    f->decode(b, y);
    for (int i = 0; i < f->block; i++)
        bad |= isfinite(x[i]) ? !isfinite(y[i]) : f->block > 1;
    return bad;
}

/* Names the largest of n values that are too large together, or the one that is no number. */
static ib_status refuse_block(const ib_storage *f, const float *x, int64_t n, int64_t first, int64_t cols)
{
    int64_t at = 0;
    for (int64_t i = 1; i < n && isfinite(x[at]); i++)
        at = !isfinite(x[i]) || fabsf(x[i]) > fabsf(x[at]) ? i : at;
    return ib_fail(IB_ENUMERIC, "element %lld of row %lld is %g, which %s cannot hold",
                   (long long)((first + at) % cols), (long long)((first + at) / cols), x[at], f->name);
}

typedef struct encoding {
    const ib_storage *format;
    int64_t rows, cols;
    const float *x, *importance;
    ib_search search;
    const char *function; /* that was called */
    int spare;            /* blocks without importance are as those of matrices without any */
} encoding;

/* The importance of a block's columns, or NULL where it does not count. */
static const float *that_counts(const encoding *e, int64_t at)
{
    const float *w = e->importance ? e->importance + at : NULL;
    int none = e->spare;
    for (int i = 0; w && none && i < e->format->block; i++)
        none = w[i] == 0;
    return none ? NULL : w;
}

float ib_mean_square(const float *x, int64_t n)
{
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum / (float)n;
}

/* Blocks that hold their scales, into b. */
static ib_status encode_blocks(const encoding *e, uint8_t *b)
{
    const ib_storage *f = e->format;
    const int64_t blocks = e->cols / f->block;
    /* what is far beyond all scales, or no number, is not encoded: squares of it would be the row's */
    const float most = f->exponent == 0x7c00 ? 1e12f : FLT_MAX;
    int64_t bad = INT64_MAX;
#pragma omp parallel for schedule(static) if (e->rows * blocks > 4096) reduction(min : bad)
    for (int64_t r = 0; r < e->rows; r++) {
        for (int64_t i = 0; i < e->cols && f->block > 1 && bad == INT64_MAX; i++)
            if (!(fabsf(e->x[r * e->cols + i]) <= most))
                bad = r * blocks + i / f->block;
        if (bad != INT64_MAX)
            continue;
        const float square = e->importance ? ib_mean_square(e->x + r * e->cols, e->cols) : 0;
        for (int64_t i = 0; i < blocks; i++) {
            const float *x = e->x + r * e->cols + i * f->block, *importance = that_counts(e, i * f->block);
            uint8_t *block = b + (r * blocks + i) * f->bytes;
            if (e->search != IB_SEARCH_BEST || !ib_lattice_exact(f, x, block)) {
                f->encode(x, importance, square, block);
                if (e->search == IB_SEARCH_BEST)
                    ib_lattice_best(f, x, importance, block);
            }
            if (bad == INT64_MAX && lost(f, x, importance, block))
                bad = r * blocks + i;
        }
    }
    if (bad == INT64_MAX)
        return IB_OK;
    const int64_t at = bad * f->block % e->cols;
    for (int64_t i = at; e->importance && i < at + f->block; i++)
        if (e->importance[i] > 1e15f)
            return ib_fail(IB_EINVAL, "%s: importance is %g for column %lld: sums of such ones overflow", e->function,
                           (double)e->importance[i], (long long)i);
    return refuse_block(f, e->x + bad * f->block, f->block, bad * f->block, e->cols);
}

static ib_matrix *encode(const encoding *e)
{
    const ib_storage *f = e->format;
    const int64_t rows = e->rows, cols = e->cols;
    IB_TAKE_FOR(e->function, rows, rows > 0, NULL, "is %lld", (long long)rows);
    IB_TAKE_FOR(e->function, cols, cols > 0, NULL, "is %lld", (long long)cols);
    const int64_t bytes = ib_storage_bytes(f, rows, cols);
    if (bytes < 0)
        return NULL;
    for (int64_t i = 0; e->importance && i < cols; i++)
        IB_TAKE_FOR(e->function, importance, e->importance[i] >= 0 && isfinite(e->importance[i]), NULL,
                    "is %g for column %lld", (double)e->importance[i], (long long)i);
    if (!f->encode && f->decode)
        return refuse_to_write(f), NULL;
    if (!f->encode) {
        for (int64_t i = 0; i < rows * cols; i++)
            if (!isfinite(e->x[i]))
                return refuse_block(f, e->x + i, 1, i, cols), NULL;
        return ib_scaled_encode(f, rows, cols, e->x);
    }
    uint8_t *b = ib_alloc((size_t)bytes);
    if (!b)
        return NULL;
    if (encode_blocks(e, b)) {
        ib_free(b);
        return NULL;
    }
    return ib_matrix_new(f, rows, cols, &(ib_matrix_parts){.data = b}, b);
}

ib_matrix *ib_matrix_quantize(const ib_storage *f, int64_t rows, int64_t cols, const float *x, const float *importance,
                              ib_search search)
{
    IB_NEED_OR(f, NULL);
    IB_NEED_OR(x, NULL);
    IB_TAKE_OR(search, search >= 0 && search < IB_N_SEARCHES, NULL, "is %d", search);
    return encode(&(encoding){f, rows, cols, x, importance, search, __func__, search == IB_SEARCH_BEST});
}

ib_matrix *ib_matrix_encode(const ib_storage *f, int64_t rows, int64_t cols, const float *x, const float *importance)
{
    IB_NEED_OR(f, NULL);
    IB_NEED_OR(x, NULL);
    return encode(&(encoding){f, rows, cols, x, importance, IB_SEARCH_GGML, __func__, 1});
}

void ib_storage_decode(const ib_storage *f, const uint8_t *data, int64_t first, int64_t n, float *y)
{
    float block[256];
    for (int64_t i = first, end = first + n; i < end;) {
        const int64_t b = i / f->block, at = i % f->block, take = f->block - at < end - i ? f->block - at : end - i;
        f->decode(data + b * f->bytes, block);
        memcpy(y + (i - first), block + at, (size_t)take * sizeof *y);
        i += take;
    }
}

void ib_matrix_decode(const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    IB_NEED_OR(m, );
    IB_NEED_OR(y, );
    IB_TAKE_OR(first, first >= 0 && first <= m->rows * m->cols, , "is %lld of %lld elements", (long long)first,
               (long long)(m->rows * m->cols));
    IB_TAKE_OR(n, n >= 0 && n <= m->rows * m->cols - first, , "is %lld, of %lld elements from %lld", (long long)n,
               (long long)(m->rows * m->cols), (long long)first);
    const ib_storage *f = m->format;
    if (f->index == IB_AT_groups) {
        ib_grid_decode(m, first, n, y);
        return;
    }
    if (f->decode) {
        ib_storage_decode(f, m->data, first, n, y);
        return;
    }
    for (int64_t i = first; i < first + n; i++)
        y[i - first] = f->code ? m->code[m->data[i / 2] >> (i & 1 ? 0 : 4) & 15] * ib_absmax_at(m, i / IB_NF4_BLOCK)
                               : (float)(int8_t)m->data[i] * m->absmax[i / m->cols] * m->unit;
}

void ib_matrix_free(ib_matrix *m)
{
    if (!m)
        return;
    if (m->copy)
        m->drop(m->copy);
    ib_free(m->owned);
    ib_free(m);
}

const ib_storage *ib_matrix_format(const ib_matrix *m)
{
    IB_NEED_OR(m, NULL);
    return m->format;
}

int64_t ib_matrix_rows(const ib_matrix *m)
{
    IB_NEED_OR(m, 0);
    return m->rows;
}

int64_t ib_matrix_cols(const ib_matrix *m)
{
    IB_NEED_OR(m, 0);
    return m->cols;
}

int64_t ib_matrix_bytes(const ib_matrix *m)
{
    IB_NEED_OR(m, 0);
    if (m->format->index != IB_AT_groups)
        return ib_storage_bytes(m->format, m->rows, m->cols);
    size_t bytes = 0;
    for (int i = 0; i < IB_N_PARTS; i++)
        bytes += ib_matrix_part_bytes(m, i);
    return (int64_t)bytes;
}

/* ---- inside the library ---- */

ib_matrix *ib_matrix_new(const ib_storage *f, int64_t rows, int64_t cols, const ib_matrix_parts *parts, void *owned)
{
    ib_matrix *m = ib_alloc(sizeof *m);
    if (!m) {
        ib_free(owned);
        return NULL;
    }
    *m = (ib_matrix){.format = f,
                     .rows = rows,
                     .cols = cols,
                     .offset = parts->offset,
                     .unit = parts->unit ? parts->unit : 1,
                     .grid = parts->grid,
                     .owned = owned};
#define MATRIX_PART(type, name, count) m->name = parts->name;
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
    for (int i = 0; f->code && i < 16; i++)
        m->other_code |= m->code[i] != f->code[i];
    return m;
}

ib_matrix_parts ib_matrix_parts_of(const ib_matrix *m)
{
    IB_ASSERT(!m->home, "what is looked at lies in the host's memory");
    return (ib_matrix_parts){
#define MATRIX_PART(type, name, count) .name = m->name,
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
        .offset = m->offset, .unit = m->unit, .grid = m->grid};
}

size_t ib_matrix_part_bytes(const ib_matrix *m, int part)
{
    const ib_storage *f = m->format;
    const int64_t rows = m->rows, n = rows * m->cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK,
                  groups = (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK,
                  pitch = ib_grid_pitch(m->grid.bits, m->cols);
    const size_t bytes[] = {
#define MATRIX_PART(type, name, count) m->name ? (size_t)(count) * sizeof(type) : 0,
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
    };
    return bytes[part];
}

ib_matrix *ib_matrix_borrow(const ib_matrix *m)
{
    const ib_matrix_parts parts = ib_matrix_parts_of(m);
    return ib_matrix_new(m->format, m->rows, m->cols, &parts, NULL);
}

void ib_matrix_give_back(const ib_matrix *m)
{
    const uintptr_t page = 4096, from = ((uintptr_t)m->data + page - 1) / page * page,
                    to = ((uintptr_t)m->data + ib_matrix_part_bytes(m, IB_PART_data)) / page * page;
    if (!m->owned && to > from)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

int ib_matrix_integer_block(const ib_matrix *m)
{
    static const int block_of[IB_N_STORAGE] = {
#define INTEGERS(name, block) [IB_AT_##name] = block,
#include "tensor/integers.def"
#undef INTEGERS
    };
    const int block = block_of[m->format->index];
    return block && m->cols % block == 0 && !m->other_code ? block : 0;
}

size_t ib_matrix_room(void)
{
    return sizeof(ib_matrix);
}

ib_matrix *ib_matrix_view(void *room, const float *x, int64_t rows, int64_t cols, struct ib_device *home)
{
    ib_matrix *m = room;
    *m = (ib_matrix){.format = &table[IB_AT_f32], .rows = rows, .cols = cols, .data = (const uint8_t *)x, .home = home};
    return m;
}
