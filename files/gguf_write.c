/* gguf_write.c - GGUF version 3, written. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/gguf.h"

enum { ALIGN = 32 };

static void put(ib_gguf_writer *w, const void *bytes, size_t n)
{
    if (w->failed)
        return;
    if (w->size + n > w->room) {
        const size_t room = (w->size + n) * 2 + 4096;
        uint8_t *grown = ib_realloc(w->head, w->size, room);
        if (!grown) {
            w->failed = 1;
            return;
        }
        w->head = grown;
        w->room = room;
    }
    memcpy(w->head + w->size, bytes, n);
    w->size += n;
}

static void put_int(ib_gguf_writer *w, uint64_t v, size_t n)
{
    put(w, &v, n);
}

static void put_text(ib_gguf_writer *w, const char *s, size_t n)
{
    put_int(w, n, 8);
    put(w, s, n);
}

static void put_key(ib_gguf_writer *w, const char *key, ib_gguf_type type)
{
    w->n_kv++;
    put_text(w, key, strlen(key));
    put_int(w, type, 4);
}

static void put_array(ib_gguf_writer *w, const char *key, ib_gguf_type of, int64_t n)
{
    put_key(w, key, IB_GGUF_ARRAY);
    put_int(w, of, 4);
    put_int(w, (uint64_t)n, 8);
}

void ib_gguf_put_kv(ib_gguf_writer *w, const ib_gguf_kv *kv)
{
    if (kv->type == IB_GGUF_ARRAY)
        put_array(w, kv->key, kv->of, kv->n);
    else
        put_key(w, kv->key, kv->type);
    put(w, kv->value, kv->bytes);
}

void ib_gguf_put_string(ib_gguf_writer *w, const char *key, const char *value)
{
    put_key(w, key, IB_GGUF_STRING);
    put_text(w, value, strlen(value));
}

void ib_gguf_put_u32(ib_gguf_writer *w, const char *key, uint32_t value)
{
    put_key(w, key, IB_GGUF_U32);
    put_int(w, value, 4);
}

void ib_gguf_put_f32(ib_gguf_writer *w, const char *key, float value)
{
    put_key(w, key, IB_GGUF_F32);
    put(w, &value, 4);
}

void ib_gguf_put_bool(ib_gguf_writer *w, const char *key, int value)
{
    put_key(w, key, IB_GGUF_BOOL);
    put_int(w, value != 0, 1);
}

void ib_gguf_put_f32s(ib_gguf_writer *w, const char *key, int64_t n, const float *value)
{
    put_array(w, key, IB_GGUF_F32, n);
    put(w, value, (size_t)n * 4);
}

void ib_gguf_put_i32s(ib_gguf_writer *w, const char *key, int64_t n, const int32_t *value)
{
    put_array(w, key, IB_GGUF_I32, n);
    put(w, value, (size_t)n * 4);
}

void ib_gguf_put_strings(ib_gguf_writer *w, const char *key, int64_t n, const char *const *text, const int *length)
{
    put_array(w, key, IB_GGUF_STRING, n);
    for (int64_t i = 0; i < n; i++)
        put_text(w, text[i], (size_t)length[i]);
}

void ib_gguf_put_tensor(ib_gguf_writer *w, const char *name, int ndim, const int64_t *shape, const ib_storage *f)
{
    int64_t rows = 1;
    put_text(w, name, strlen(name));
    put_int(w, (uint64_t)ndim, 4);
    for (int d = ndim - 1; d >= 0; d--) {
        put_int(w, (uint64_t)shape[d], 8);
        rows *= d < ndim - 1 ? shape[d] : 1;
    }
    put_int(w, (uint64_t)f->gguf_type, 4);
    put_int(w, w->offset, 8);
    w->n_tensors++;
    const int64_t bytes = ib_storage_bytes(f, rows, shape[ndim - 1]);
    if (bytes < 0 || f->gguf_type < 0) {
        ib_fail(IB_EUNSUPPORTED, "tensor '%s': GGUF has no type for %s rows of %lld", name, f->name,
                (long long)shape[ndim - 1]);
        w->failed = 1;
    }
    w->offset += ((uint64_t)bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void pad(ib_file_writer *w)
{
    static const uint8_t zero[ALIGN] = {0};
    ib_file_write(w, zero, (ALIGN - ib_file_written(w) % ALIGN) % ALIGN);
}

ib_file_writer *ib_gguf_start(ib_gguf_writer *w, const char *path)
{
    ib_file_writer *file = w->failed ? NULL : ib_file_writer_open(path);
    const uint32_t version = 3;
    ib_file_write(file, "GGUF", 4);
    ib_file_write(file, &version, 4);
    ib_file_write(file, &w->n_tensors, 8);
    ib_file_write(file, &w->n_kv, 8);
    ib_file_write(file, w->head, w->size);
    if (file)
        pad(file);
    return file;
}

void ib_gguf_data(ib_file_writer *w, const void *bytes, size_t size)
{
    ib_file_write(w, bytes, size);
    if (w)
        pad(w);
}

void ib_gguf_writer_release(ib_gguf_writer *w)
{
    ib_free(w->head);
    *w = (ib_gguf_writer){0};
}
