/* imatrix_dat.c - importance matrices in llama.cpp's older files (imatrix_file.h has their layout). */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"
#include "ptq/imatrix_file.h"

enum { LONGEST_NAME = 1024, LEAST_ENTRY = 4 + 1 + 4 + 4 + 4 };

/* What is left of the file. */
typedef struct rest {
    const uint8_t *at;
    size_t n;
} rest;

static int take(rest *r, void *to, size_t n)
{
    if (r->n < n)
        return 0;
    memcpy(to, r->at, n);
    r->at += n;
    r->n -= n;
    return 1;
}

static ib_status cut(const char *what, int64_t i, int64_t n)
{
    return ib_fail(IB_EFORMAT, "is cut short in %s %lld of %lld", what, (long long)i + 1, (long long)n);
}

static ib_status read_entry(rest *r, int64_t i, int64_t n, ib_imatrix *out)
{
    int32_t length, calls, values;
    if (!take(r, &length, 4))
        return cut("entry", i, n);
    if (length < 1 || length > LONGEST_NAME)
        return ib_fail(IB_EFORMAT, "entry %lld of %lld has a name of %d bytes: it is no importance matrix",
                       (long long)i + 1, (long long)n, length);
    const char *name = (const char *)r->at;
    if (r->n < (size_t)length + 8)
        return cut("entry", i, n);
    if (memchr(name, 0, (size_t)length))
        return ib_fail(IB_EFORMAT, "entry %lld of %lld has a zero in its name", (long long)i + 1, (long long)n);
    r->at += length;
    r->n -= (size_t)length;
    if (!take(r, &calls, 4) || !take(r, &values, 4))
        return cut("entry", i, n);
    if (calls < 0 || values < 1)
        return ib_fail(IB_EFORMAT, "%.*s: %d values of %d calls are none", length, name, values, calls);
    if (r->n / sizeof(float) < (size_t)values)
        return cut("entry", i, n);
    ib_imatrix_entry *e = ib_imatrix_add(out, name, (size_t)length, values, 1);
    if (!e)
        return IB_ENOMEM;
    take(r, e->sum, (size_t)values * sizeof *e->sum);
    e->count[0] = calls;
    return IB_OK;
}

/* Chunks and the text's name; older files end before them. */
static ib_status read_end(rest *r, ib_imatrix *out)
{
    int32_t chunks, length;
    if (!r->n)
        return IB_OK;
    if (!take(r, &chunks, 4) || !take(r, &length, 4))
        return ib_fail(IB_EFORMAT, "is cut short behind its last entry");
    if (chunks < 0 || length < 0)
        return ib_fail(IB_EFORMAT, "%d chunks of a text whose name has %d bytes are none", chunks, length);
    if (r->n != (size_t)length)
        return ib_fail(IB_EFORMAT, "%zu bytes are left for the text's name, which has %d", r->n, length);
    out->chunks = chunks;
    if (!length)
        return IB_OK;
    if (!(out->dataset = ib_alloc((size_t)length + 1)))
        return IB_ENOMEM;
    take(r, out->dataset, (size_t)length);
    return IB_OK;
}

ib_status ib_imatrix_read_dat(const uint8_t *data, size_t size, ib_imatrix *out)
{
    rest r = {data, size};
    int32_t n;
    if (!take(&r, &n, 4))
        return ib_fail(IB_EFORMAT, "has %zu bytes: it is no importance matrix", size);
    if (n < 1 || (size_t)n > r.n / LEAST_ENTRY)
        return ib_fail(IB_EFORMAT, "%d entries do not fit its %zu bytes: it is no importance matrix, or cut short", n,
                       size);
    ib_status status = IB_OK;
    for (int64_t i = 0; i < n && !status; i++)
        status = read_entry(&r, i, n, out);
    return status ? status : read_end(&r, out);
}

/* calls = the count in chunks, rounded up; values are mean squares times calls, and calls where nothing was counted. */
static ib_status write_entry(const ib_imatrix *x, const ib_imatrix_entry *e, ib_file_writer *f)
{
    int64_t most = 0;
    for (int64_t i = 0; i < e->mats; i++)
        most = e->count[i] > most ? e->count[i] : most;
    const int64_t chunk = x->chunk ? x->chunk : 1, each = e->n / e->mats, calls = (most + chunk - 1) / chunk;
    const size_t length = strlen(e->name);
    if (calls > INT32_MAX || e->n > INT32_MAX || length > LONGEST_NAME)
        return ib_fail(IB_EUNSUPPORTED, "%s: %lld values of %lld calls do not fit a .dat file", e->name,
                       (long long)e->n, (long long)calls);
    float *value = ib_alloc((size_t)e->n * sizeof *value);
    if (!value)
        return IB_ENOMEM;
    for (int64_t m = 0; m < e->mats; m++)
        ib_imatrix_weights(e, m, value + m * each);
    for (int64_t i = 0; i < e->n; i++)
        value[i] *= (float)calls;
    const int32_t head[3] = {(int32_t)length, (int32_t)calls, (int32_t)e->n};
    ib_file_write(f, head, 4);
    ib_file_write(f, e->name, length);
    ib_file_write(f, head + 1, 8);
    ib_file_write(f, value, (size_t)e->n * sizeof *value);
    ib_free(value);
    return IB_OK;
}

ib_status ib_imatrix_write(const ib_imatrix *x, const char *path, int dat)
{
    if (!dat)
        return ib_imatrix_write_gguf(x, path);
    const size_t length = x->dataset ? strlen(x->dataset) : 0;
    const int32_t n = (int32_t)x->n, end[2] = {(int32_t)x->chunks, (int32_t)length};
    ib_file_writer *f = ib_file_writer_open(path);
    if (!f)
        return ib_error_status();
    ib_file_write(f, &n, 4);
    ib_status status = IB_OK;
    for (int64_t i = 0; i < x->n && !status; i++)
        status = write_entry(x, &x->entry[i], f);
    ib_file_write(f, end, sizeof end);
    ib_file_write(f, x->dataset, length);
    if (!status)
        return ib_file_writer_finish(f);
    ib_file_writer_drop(f);
    return status;
}
