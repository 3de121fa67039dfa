/* flatbuffer.c - see flatbuffer.h */
#include "files/flatbuffer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MAX_SLOTS = 16 };

/* Room for `bytes` more, written downwards; NULL if memory is out. */
static uint8_t *down(ib_flat *f, size_t bytes)
{
    if (f->failed)
        return NULL;
    if (f->n + bytes > f->room) {
        const size_t room = 2 * (f->n + bytes) + 4096;
        uint8_t *grown = ib_alloc(room);
        if (!grown) {
            f->failed = 1;
            return NULL;
        }
        if (f->n)
            memcpy(grown + room - f->n, f->buf + f->room - f->n, f->n);
        ib_free(f->buf);
        f->buf = grown;
        f->room = room;
    }
    f->n += bytes;
    return f->buf + f->room - f->n;
}

/* Zeroes, so that `bytes` written next end at a multiple of `align` from the end. */
static void pad(ib_flat *f, size_t bytes, size_t align)
{
    const size_t over = (f->n + bytes) % align;
    uint8_t *p = over ? down(f, align - over) : NULL;
    if (p)
        memset(p, 0, align - over);
}

static void put(ib_flat *f, const void *data, size_t bytes) /* little-endian, as the machine is */
{
    uint8_t *p = down(f, bytes);
    if (p && bytes)
        memcpy(p, data, bytes);
}

static void put_u16(ib_flat *f, size_t v)
{
    const uint16_t w = (uint16_t)v;
    put(f, &w, sizeof w);
}

/* An unsigned distance from itself to `ref`. */
static void put_ref(ib_flat *f, ib_flat_ref ref)
{
    const uint32_t v = (uint32_t)(f->n + 4) - ref;
    put(f, &v, sizeof v);
}

ib_flat_ref ib_flat_vector(ib_flat *f, const void *data, size_t count, size_t bytes, size_t align)
{
    const uint32_t n = (uint32_t)count;
    pad(f, count * bytes, align < 4 ? 4 : align);
    put(f, data, count * bytes);
    put(f, &n, sizeof n);
    return (ib_flat_ref)f->n;
}

ib_flat_ref ib_flat_refs(ib_flat *f, const ib_flat_ref *refs, size_t count)
{
    const uint32_t n = (uint32_t)count;
    pad(f, 0, 4);
    for (size_t i = count; i-- > 0;)
        put_ref(f, refs[i]);
    put(f, &n, sizeof n);
    return (ib_flat_ref)f->n;
}

ib_flat_ref ib_flat_text(ib_flat *f, const char *text)
{
    const size_t n = strlen(text);
    const uint32_t length = (uint32_t)n;
    pad(f, n + 1, 4);
    put(f, text, n + 1);
    put(f, &length, sizeof length);
    return (ib_flat_ref)f->n;
}

ib_flat_ref ib_flat_table(ib_flat *f, const ib_flat_field *fields, int n)
{
    size_t at[MAX_SLOTS] = {0};
    int slots = 0;
    const size_t end = f->n;
    for (int i = 0; i < n; i++) {
        if (!fields[i].bytes || (fields[i].bytes == 4 && !fields[i].ref && !fields[i].value))
            continue; /* absent, or what absence means */
        pad(f, 0, (size_t)fields[i].bytes);
        if (fields[i].ref)
            put_ref(f, fields[i].ref);
        else
            put(f, &fields[i].value, (size_t)fields[i].bytes);
        at[fields[i].slot] = f->n;
        slots = fields[i].slot >= slots ? fields[i].slot + 1 : slots;
    }
    pad(f, 0, 4);
    put(f, &(int32_t){0}, 4);
    const size_t object = f->n;
    for (int s = slots - 1; s >= 0; s--)
        put_u16(f, at[s] ? object - at[s] : 0);
    put_u16(f, object - end);
    put_u16(f, 4 + 2 * (size_t)slots);
    const int32_t back = (int32_t)(f->n - object); /* from the object to its vtable */
    if (!f->failed)
        memcpy(f->buf + f->room - object, &back, sizeof back);
    return (ib_flat_ref)object;
}

ib_status ib_flat_finish(ib_flat *f, ib_flat_ref root, const char *identifier)
{
    pad(f, 8, 16);
    put(f, identifier, 4);
    put_ref(f, root);
    return f->failed ? ib_fail(IB_ENOMEM, "out of memory") : IB_OK;
}

void ib_flat_free(ib_flat *f)
{
    ib_free(f->buf);
    *f = (ib_flat){0};
}
