/* imatrix_gguf.c - importance matrices in llama.cpp's GGUF files (imatrix_file.h has their layout). */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/gguf.h"
#include "ptq/imatrix_file.h"

static const char sums[] = ".in_sum2", counts[] = ".counts", means[] = ".in_sum";

/* How long the name before `end` is; 0: it does not end so. */
static size_t stem(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end) ? n - m : 0;
}

static const ib_entry *partner(const ib_gguf *f, const char *name, size_t length, const char *end)
{
    for (int64_t i = 0; i < f->n_entries; i++)
        if (stem(f->entry[i].name, end) == length && !strncmp(f->entry[i].name, name, length))
            return &f->entry[i];
    return NULL;
}

static int is_f32(const ib_entry *e)
{
    return e->format && !strcmp(e->type, "F32");
}

static ib_status read_entry(const ib_gguf *f, const ib_entry *e, size_t length, ib_imatrix *out)
{
    const ib_entry *c = partner(f, e->name, length, counts);
    if (!c)
        return ib_fail(IB_EFORMAT, "%s has no %.*s%s beside it", e->name, (int)length, e->name, counts);
    if (!is_f32(e) || !is_f32(c))
        return ib_fail(IB_EFORMAT, "%s is of %s, %s of %s: both have to be F32", e->name, e->type, c->name, c->type);
    const int64_t n = ib_entry_size(e), mats = ib_entry_size(c);
    if (n < 1 || mats < 1 || n % mats)
        return ib_fail(IB_EFORMAT, "%s has %lld values, but %s %lld", e->name, (long long)n, c->name, (long long)mats);
    ib_imatrix_entry *made = ib_imatrix_add(out, e->name, length, n, mats);
    if (!made)
        return IB_ENOMEM;
    memcpy(made->sum, e->data, (size_t)n * sizeof *made->sum);
    for (int64_t i = 0; i < mats; i++) {
        float count;
        memcpy(&count, c->data + (size_t)i * sizeof count, sizeof count);
        if (!(count >= 0 && count <= 9e15f && count == floorf(count)))
            return ib_fail(IB_EFORMAT, "%s: value %lld is %g, which is no count", c->name, (long long)i, (double)count);
        made->count[i] = (int64_t)count;
    }
    return IB_OK;
}

static ib_status read_tensors(const ib_gguf *f, ib_imatrix *out)
{
    size_t at = 0, length_of_type = 0;
    const ib_gguf_kv *kv = ib_gguf_find(f, "general.type");
    const char *type = kv && kv->type == IB_GGUF_STRING ? ib_gguf_next_string(kv, &at, &length_of_type) : "";
    ib_status status = IB_OK;
    if (length_of_type != 7 || memcmp(type, "imatrix", 7) != 0)
        status = ib_fail(IB_EFORMAT, "is a GGUF file of type '%.*s', not 'imatrix'",
                         (int)(length_of_type < 40 ? length_of_type : 40), type);
    for (int64_t i = 0; i < f->n_entries && !status; i++) {
        const ib_entry *e = &f->entry[i];
        const size_t length = stem(e->name, sums), of_counts = stem(e->name, counts);
        if (length)
            status = read_entry(f, e, length, out);
        else if (of_counts && !partner(f, e->name, of_counts, sums))
            status = ib_fail(IB_EFORMAT, "%s has no %.*s%s beside it", e->name, (int)of_counts, e->name, sums);
        else if (!of_counts && !stem(e->name, means)) /* sums without squares, which nothing here needs */
            status = ib_fail(IB_EFORMAT, "%s is no tensor of an importance matrix", e->name);
    }
    return status || out->n ? status : ib_fail(IB_EFORMAT, "has no entries");
}

static ib_status read_text(const ib_gguf *f, ib_imatrix *out)
{
    const ib_gguf_kv *kv = ib_gguf_find(f, "imatrix.datasets");
    size_t at = 0, length;
    const char *s = NULL, *last = NULL;
    size_t n = 0;
    if (kv && kv->type == IB_GGUF_ARRAY && kv->of == IB_GGUF_STRING)
        while ((s = ib_gguf_next_string(kv, &at, &length)) != NULL) {
            last = s;
            n = length;
        }
    if (last && !(out->dataset = ib_alloc(n + 1)))
        return IB_ENOMEM;
    if (last)
        memcpy(out->dataset, last, n);
    const double chunks = ib_gguf_number(f, "imatrix.chunk_count", 0),
                 chunk = ib_gguf_number(f, "imatrix.chunk_size", 0);
    if (!(chunks >= 0 && chunks <= 4294967295.0 && chunk >= 0 && chunk <= 4294967295.0))
        return ib_fail(IB_EFORMAT, "%g chunks of %g tokens are none", chunks, chunk);
    out->chunks = (int64_t)chunks;
    out->chunk = (int64_t)chunk;
    return IB_OK;
}

ib_status ib_imatrix_read_gguf(const char *path, ib_imatrix *out)
{
    ib_gguf *f = ib_gguf_open(path);
    if (!f)
        return ib_error_status();
    ib_status status = read_text(f, out);
    if (!status)
        status = read_tensors(f, out);
    if (status)
        ib_error_prefix("%s", path);
    ib_gguf_close(f);
    return status;
}

/* Of an entry its two tensors' names; or NULL. */
static char *tensor_name(const ib_imatrix_entry *e, const char *end)
{
    return ib_format_text("%s%s", e->name, end);
}

static ib_status put_tensors(const ib_imatrix *x, ib_gguf_writer *head)
{
    const ib_storage *f32 = ib_storage_find("f32");
    ib_status status = f32 ? IB_OK : ib_error_status();
    for (int64_t i = 0; i < x->n && !status; i++) {
        const ib_imatrix_entry *e = &x->entry[i];
        char *sum = tensor_name(e, sums), *count = tensor_name(e, counts);
        status = sum && count ? IB_OK : IB_ENOMEM;
        if (!status) {
            ib_gguf_put_tensor(head, sum, 2, (int64_t[]){e->mats, e->n / e->mats}, f32);
            ib_gguf_put_tensor(head, count, 2, (int64_t[]){e->mats, 1}, f32);
        }
        ib_free(sum);
        ib_free(count);
    }
    return status;
}

static ib_status put_data(const ib_imatrix *x, ib_file_writer *f)
{
    for (int64_t i = 0; i < x->n; i++) {
        const ib_imatrix_entry *e = &x->entry[i];
        float *count = ib_alloc((size_t)e->mats * sizeof *count);
        if (!count)
            return IB_ENOMEM;
        for (int64_t j = 0; j < e->mats; j++)
            count[j] = (float)e->count[j];
        ib_gguf_data(f, e->sum, (size_t)e->n * sizeof *e->sum);
        ib_gguf_data(f, count, (size_t)e->mats * sizeof *count);
        ib_free(count);
    }
    return IB_OK;
}

ib_status ib_imatrix_write_gguf(const ib_imatrix *x, const char *path)
{
    ib_gguf_writer head = {0};
    const char *const set = x->dataset ? x->dataset : "";
    const int length = (int)strlen(set);
    ib_gguf_put_string(&head, "general.type", "imatrix");
    ib_gguf_put_strings(&head, "imatrix.datasets", x->dataset != NULL, &set, &length);
    ib_gguf_put_u32(&head, "imatrix.chunk_count", (uint32_t)x->chunks);
    ib_gguf_put_u32(&head, "imatrix.chunk_size", (uint32_t)x->chunk);
    ib_status status = put_tensors(x, &head);
    ib_file_writer *f = status ? NULL : ib_gguf_start(&head, path);
    if (!status)
        status = f ? put_data(x, f) : ib_error_status();
    ib_gguf_writer_release(&head);
    if (f && !status)
        return ib_file_writer_finish(f);
    ib_file_writer_drop(f);
    return status;
}
