/* entry.c - see entry.h */
#include "files/entry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/number.h"

int64_t ib_entry_size(const ib_entry *e)
{
    int64_t n = 1;
    for (int d = 0; d < e->ndim; d++)
        n *= e->shape[d];
    return n;
}

ib_matrix *ib_entry_matrix(const ib_entry *e)
{
    const int64_t n = ib_entry_size(e), rows = e->ndim > 1 ? e->shape[0] : 1;
    return ib_matrix_new(e->format, rows, n / rows, &(ib_matrix_parts){.data = e->data}, NULL);
}

void ib_entry_decode(const ib_entry *e, int64_t first, int64_t n, float *y)
{
    ib_storage_decode(e->format, e->data, first, n, y);
}

/* Whether one of n 16-bit words, `stride` bytes apart, has all bits of the mask. */
static inline int any_full(const uint8_t *p, int64_t n, int stride, unsigned mask)
{
    unsigned full = 0;
    for (int64_t i = 0; i < n; i++) {
        uint16_t word;
        memcpy(&word, p + i * stride, 2);
        full |= (word & mask) == mask;
    }
    return (int)full;
}

/* n blocks of a format, the first at p; strides of single elements are constants to the compiler. */
static int not_finite(const ib_storage *f, const uint8_t *p, int64_t n)
{
    const unsigned mask = (unsigned)f->exponent;
    int bad = 0;
    for (int i = 0; i < f->reals; i++) {
        const uint8_t *at = p + f->real + 2 * i;
        bad |= f->bytes == 2   ? any_full(at, n, 2, mask)
               : f->bytes == 4 ? any_full(at, n, 4, mask)
                               : any_full(at, n, f->bytes, mask);
    }
    return bad;
}

/* Whether a block whose scale looks as if it were none decodes to other than numbers; single elements need no look. */
static int is_bad(const ib_storage *f, const uint8_t *b)
{
    float y[256];
    int bad = f->block == 1;
    if (!not_finite(f, b, 1))
        return 0;
    if (!bad)
        f->decode(b, y);
    for (int i = 0; i < f->block && !bad; i++)
        bad = !isfinite(y[i]);
    return bad;
}
static int64_t first_bad(const ib_storage *f, const uint8_t *p, int64_t n)
{
    int64_t i = not_finite(f, p, n) ? 0 : n;
    while (i < n && !is_bad(f, p + i * f->bytes))
        i++;
    return i;
}

/* The whole pages of what was looked at go back to the file. */
static void give_back(const uint8_t *p, int64_t bytes)
{
    const uintptr_t page = 4096, from = ((uintptr_t)p + page - 1) / page * page;
    const uintptr_t to = ((uintptr_t)p + (uintptr_t)bytes) / page * page;
    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

void ib_entry_give_back(const ib_entry *e)
{
    give_back(e->data, e->bytes);
}

ib_status ib_entry_check_finite(const ib_entry *e)
{
    const ib_storage *f = e->format;
    const int64_t blocks = f && f->reals ? e->bytes / f->bytes : 0, piece = f && f->bytes ? (1 << 22) / f->bytes : 1;
    const int64_t pieces = (blocks + piece - 1) / piece;
    int64_t first = INT64_MAX;
#pragma omp parallel for schedule(static) if (pieces > 1) reduction(min : first)
    for (int64_t i = 0; i < pieces; i++) {
        const uint8_t *p = e->data + i * piece * f->bytes;
        const int64_t n = blocks - i * piece < piece ? blocks - i * piece : piece;
        const int64_t at = first_bad(f, p, n);
        if (at < n && i * piece + at < first)
            first = i * piece + at;
        give_back(p, n * f->bytes);
    }
    if (first == INT64_MAX)
        return IB_OK;
    return ib_fail(IB_ENUMERIC, "tensor '%s' holds %s at %lld", e->name,
                   f->block > 1 ? "a scale that is not finite in the block" : "a number that is not finite",
                   (long long)(first * f->block));
}

char *ib_entry_shape_text(const ib_entry *e, char *buf, size_t size)
{
    size_t n = (size_t)ib_snprintf(buf, size, "[");
    for (int d = 0; d < e->ndim && n < size; d++)
        n += (size_t)ib_snprintf(buf + n, size - n, "%s%lld", d ? "," : "", (long long)e->shape[d]);
    if (n < size)
        ib_snprintf(buf + n, size - n, "]");
    return buf;
}
