/* gguf_read.c - GGUF from a mapped file. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/begins.h"
#include "files/gguf.h"

/* What is left of the file; `bad` is set once by the first read past the end. */
typedef struct cursor {
    const uint8_t *p, *end;
    int bad;
} cursor;

static const uint8_t *take(cursor *c, uint64_t n)
{
    if (!c->bad && n > (uint64_t)(c->end - c->p))
        c->bad = 1;
    if (c->bad)
        return NULL;
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

static uint64_t number(cursor *c, int bytes)
{
    uint64_t v = 0;
    const uint8_t *p = take(c, (uint64_t)bytes);
    if (p)
        memcpy(&v, p, (size_t)bytes);
    return v;
}

static char *string(cursor *c)
{
    const uint64_t n = number(c, 8);
    const uint8_t *p = take(c, n);
    char *s = p ? ib_alloc((size_t)n + 1) : NULL;
    if (s)
        memcpy(s, p, (size_t)n);
    else if (!c->bad)
        c->bad = 2; /* memory */
    return s;
}

static int width(uint32_t type)
{
    static const int bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < 13 ? bytes[type] : 0;
}

static ib_status read_kv(cursor *c, ib_gguf *f, ib_gguf_kv *kv)
{
    kv->key = string(c);
    kv->type = kv->of = (ib_gguf_type)number(c, 4);
    kv->n = 1;
    if (!c->bad && kv->type == IB_GGUF_ARRAY) {
        kv->of = (ib_gguf_type)number(c, 4);
        const uint64_t n = number(c, 8);
        if (n > f->file.size)
            return ib_fail(IB_EFORMAT, "%s: key '%s' has an array of %llu elements in a file of %zu bytes", f->path,
                           kv->key, (unsigned long long)n, f->file.size);
        kv->n = (int64_t)n;
    }
    if (c->bad)
        return IB_OK;
    kv->value = c->p;
    if (kv->of == IB_GGUF_STRING) {
        for (int64_t i = 0; i < kv->n && !c->bad; i++)
            take(c, number(c, 8));
    } else if (width(kv->of)) {
        take(c, (uint64_t)kv->n * (uint64_t)width(kv->of));
    } else {
        return ib_fail(IB_EFORMAT, "%s: key '%s' has the unknown type %d", f->path, kv->key, (int)kv->of);
    }
    kv->bytes = (size_t)(c->p - kv->value);
    return IB_OK;
}

static ib_status read_info(cursor *c, ib_gguf *f, ib_entry *e, uint64_t *offset)
{
    e->name = string(c);
    const uint64_t ndim = number(c, 4);
    if (!c->bad && (ndim < 1 || ndim > 4))
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' has %llu dimensions", f->path, e->name, (unsigned long long)ndim);
    e->ndim = (int)ndim;
    int64_t size = 1;
    for (int d = e->ndim - 1; d >= 0 && !c->bad; d--) {
        const uint64_t n = number(c, 8);
        if (!c->bad && (n < 1 || n > (1ull << 40) / (uint64_t)size))
            return ib_fail(IB_EFORMAT, "%s: tensor '%s' has a dimension of %llu", f->path, e->name,
                           (unsigned long long)n);
        e->shape[d] = (int64_t)n;
        size *= (int64_t)n;
    }
    const uint32_t type = (uint32_t)number(c, 4);
    *offset = number(c, 8);
    if (c->bad)
        return IB_OK;
    if (!(e->format = ib_storage_gguf((int)type))) {
        ib_error_prefix("%s: tensor '%s'", f->path, e->name);
        return IB_EUNSUPPORTED;
    }
    for (int i = 0; i < 15 && e->format->name[i]; i++) /* q4_1 -> Q4_1 */
        e->type[i] = (char)(e->format->name[i] >= 'a' ? e->format->name[i] - 32 : e->format->name[i]);
    e->bytes = ib_storage_bytes(e->format, size / e->shape[e->ndim - 1], e->shape[e->ndim - 1]);
    if (e->bytes < 0) {
        ib_error_prefix("%s: tensor '%s'", f->path, e->name);
        return IB_EFORMAT;
    }
    return IB_OK;
}

static int by_place(const void *a, const void *b)
{
    const ib_entry *const x = *(ib_entry *const *)a, *const y = *(ib_entry *const *)b;
    return x->data != y->data ? (x->data > y->data) - (x->data < y->data)
                              : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Behind the header, which ends at byte `at`, tensors lie one behind the other, each at the next multiple of the
 * alignment; behind the last is its padding alone. */
static ib_status check_cover(const ib_gguf *f, uint64_t at, uint64_t align)
{
    const ib_entry **sorted = ib_alloc((size_t)(f->n_entries + 1) * sizeof *sorted);
    ib_status status = sorted ? IB_OK : IB_ENOMEM;
    uint64_t end = (at + align - 1) / align * align;
    for (int64_t i = 0; i < f->n_entries && sorted; i++)
        sorted[i] = &f->entry[i];
    if (sorted)
        qsort(sorted, (size_t)f->n_entries, sizeof *sorted, by_place);
    for (int64_t i = 0; i < f->n_entries && !status; i++) {
        const uint64_t from = (uint64_t)(sorted[i]->data - f->file.data);
        if (from != end)
            status = ib_fail(IB_EFORMAT, "%s: tensor '%s' begins at byte %llu, the one before ends at %llu", f->path,
                             sorted[i]->name, (unsigned long long)from, (unsigned long long)end);
        end = (from + (uint64_t)sorted[i]->bytes + align - 1) / align * align;
    }
    if (!status && f->file.size > end)
        status = ib_fail(IB_EFORMAT, "%s: holds %llu bytes behind its last tensor", f->path,
                         (unsigned long long)(f->file.size - end));
    ib_free(sorted);
    return status;
}

static ib_status read_all(ib_gguf *f)
{
    cursor c = {f->file.data, f->file.data + f->file.size, 0};
    const uint8_t *magic = take(&c, 4);
    if (!magic || memcmp(magic, "GGUF", 4))
        return ib_fail(IB_EFORMAT, "%s: is not a GGUF file%s", f->path, ib_begins_as(f->file.data, f->file.size));
    const uint32_t version = (uint32_t)number(&c, 4);
    const uint64_t tensors = number(&c, 8), kvs = number(&c, 8);
    if (!c.bad && version != 3 && version != 2)
        return ib_fail(IB_EUNSUPPORTED, "%s: GGUF version %u, 3 is supported", f->path, version);
    if (!c.bad && (tensors > f->file.size / 24 || kvs > f->file.size / 13))
        return ib_fail(IB_EFORMAT, "%s: %llu tensors and %llu keys cannot be in %zu bytes", f->path,
                       (unsigned long long)tensors, (unsigned long long)kvs, f->file.size);
    ib_status status = IB_OK;
    uint64_t *offset = NULL;
    if (!c.bad && (!(f->kv = ib_alloc((size_t)kvs * sizeof *f->kv)) ||
                   !(f->entry = ib_alloc((size_t)tensors * sizeof *f->entry)) ||
                   !(offset = ib_alloc((size_t)tensors * sizeof *offset))))
        return IB_ENOMEM;
    for (uint64_t i = 0; i < kvs && !c.bad && !status; i++) {
        f->n_kv++;
        status = read_kv(&c, f, &f->kv[i]);
    }
    for (uint64_t i = 0; i < tensors && !c.bad && !status; i++) {
        f->n_entries++;
        status = read_info(&c, f, &f->entry[i], &offset[i]);
    }
    if (!status && c.bad)
        status = c.bad == 2
                     ? IB_ENOMEM
                     : ib_fail(IB_EFORMAT, "%s: is cut short: its header ends at byte %zu", f->path, f->file.size);
    const double align = status ? 32 : ib_gguf_number(f, "general.alignment", 32);
    if (!status && !(align >= 1 && align <= 1 << 20))
        status = ib_fail(IB_EFORMAT, "%s: an alignment of %g", f->path, align);
    if (!status && align != (double)(uint64_t)align)
        status = ib_fail(IB_EFORMAT, "%s: an alignment of %g", f->path, align);
    const uint64_t at = (uint64_t)(c.p - f->file.data),
                   base = (at + (uint64_t)align - 1) / (uint64_t)align * (uint64_t)align;
    for (int64_t i = 0; i < f->n_entries && !status; i++) {
        ib_entry *e = &f->entry[i];
        if (offset[i] > f->file.size || base + offset[i] + (uint64_t)e->bytes > f->file.size)
            status = ib_fail(IB_EFORMAT, "%s: is cut short: tensor '%s' needs bytes %llu to %llu of %zu", f->path,
                             e->name, (unsigned long long)(base + offset[i]),
                             (unsigned long long)(base + offset[i] + (uint64_t)e->bytes), f->file.size);
        else
            e->data = f->file.data + base + offset[i];
    }
    ib_free(offset);
    return status ? status : check_cover(f, at, (uint64_t)align);
}

ib_gguf *ib_gguf_open_part(const char *path)
{
    ib_gguf *f = ib_alloc(sizeof *f);
    if (f && (f->path = ib_strdup(path)) && !ib_file_map(path, &f->file) && !read_all(f))
        return f;
    ib_gguf_close(f);
    return NULL;
}

void ib_gguf_close(ib_gguf *f)
{
    if (!f)
        return;
    for (int64_t i = 0; i < f->n_kv; i++)
        ib_free(f->kv[i].key);
    for (int64_t i = 0; i < f->n_entries; i++)
        ib_free(f->entry[i].name);
    for (int i = 0; i < f->n_parts; i++)
        ib_gguf_close(f->part[i]);
    ib_free(f->part);
    ib_free(f->kv);
    ib_free(f->entry);
    ib_free(f->path);
    ib_file_unmap(&f->file);
    ib_free(f);
}

const ib_gguf_kv *ib_gguf_find(const ib_gguf *f, const char *key)
{
    for (int64_t i = 0; i < f->n_kv; i++)
        if (!strcmp(f->kv[i].key, key))
            return &f->kv[i];
    return NULL;
}

const ib_entry *ib_gguf_tensor(const ib_gguf *f, const char *name)
{
    for (int64_t i = 0; i < f->n_entries; i++)
        if (!strcmp(f->entry[i].name, name)) {
            f->entry[i].used = 1;
            return &f->entry[i];
        }
    return NULL;
}

double ib_gguf_element(const ib_gguf_kv *kv, int64_t i)
{
    union {
        uint8_t b[8];
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        float f32;
        uint64_t u64;
        int64_t i64;
        double f64;
    } v = {{0}};
    memcpy(v.b, kv->value + i * width(kv->of), (size_t)width(kv->of));
    switch (kv->of) {
    case IB_GGUF_I8: return v.i8;
    case IB_GGUF_U16: return v.u16;
    case IB_GGUF_I16: return v.i16;
    case IB_GGUF_U32: return v.u32;
    case IB_GGUF_I32: return v.i32;
    case IB_GGUF_F32: return v.f32;
    case IB_GGUF_U64: return (double)v.u64;
    case IB_GGUF_I64: return (double)v.i64;
    case IB_GGUF_F64: return v.f64;
    default: return v.b[0];
    }
}

double ib_gguf_number(const ib_gguf *f, const char *key, double otherwise)
{
    const ib_gguf_kv *kv = ib_gguf_find(f, key);
    return kv && kv->of != IB_GGUF_STRING && kv->n > 0 ? ib_gguf_element(kv, 0) : otherwise;
}

const char *ib_gguf_next_string(const ib_gguf_kv *kv, size_t *at, size_t *length)
{
    uint64_t n;
    if (kv->of != IB_GGUF_STRING || *at >= kv->bytes)
        return NULL;
    memcpy(&n, kv->value + *at, 8);
    const char *s = (const char *)kv->value + *at + 8;
    *length = (size_t)n;
    *at += 8 + (size_t)n;
    return s;
}

char *ib_gguf_string(const ib_gguf *f, const char *key)
{
    const ib_gguf_kv *kv = ib_gguf_find(f, key);
    size_t at = 0, n;
    const char *s = kv && kv->type == IB_GGUF_STRING ? ib_gguf_next_string(kv, &at, &n) : NULL;
    char *copy = s ? ib_alloc(n + 1) : NULL;
    return copy ? memcpy(copy, s, n) : NULL;
}
