/* safetensors.c - see safetensors.h */
#include "files/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/json_scan.h"

static const struct {
    const char *name, *format;
    int bytes;
} dtypes[] = {{"F32", "f32", 4}, {"F16", "f16", 2}, {"BF16", "bf16", 2}, {"F64", NULL, 8}, {"I64", NULL, 8},
              {"I32", NULL, 4},  {"I16", NULL, 2},  {"I8", NULL, 1},     {"U8", NULL, 1},  {"BOOL", NULL, 1}};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

/* Of up to `most` whole numbers. */
static int is_list_of_integers(struct json_object *list, size_t most)
{
    int good = json_object_is_type(list, json_type_array) && json_object_array_length(list) <= most;
    for (size_t i = 0; good && i < json_object_array_length(list); i++)
        good = json_object_is_type(json_object_array_get_idx(list, i), json_type_int);
    return good;
}

/* Texts by name, as the format has it. */
static ib_status check_metadata(const char *path, struct json_object *o)
{
    if (!json_object_is_type(o, json_type_object))
        return ib_fail(IB_EFORMAT, "%s: its __metadata__ is no object", path);
    json_object_object_foreach(o, key, value)
    {
        if (!json_object_is_type(value, json_type_string))
            return ib_fail(IB_EFORMAT, "%s: '%s' of its __metadata__ is no text", path, key);
    }
    return IB_OK;
}

static ib_status read_entry(const char *path, const char *name, struct json_object *o, const uint8_t *data,
                            uint64_t size, ib_entry *e)
{
    struct json_object *shape = ib_json_get(o, "shape"), *at = ib_json_get(o, "data_offsets");
    const char *dtype = ib_json_text(o, "dtype");
    int t = 0;
    while (t < N_DTYPES && (!dtype || strcmp(dtypes[t].name, dtype)))
        t++;
    if (t == N_DTYPES)
        return ib_fail(IB_EUNSUPPORTED, "%s: tensor '%s' has the type %s", path, name, dtype ? dtype : "(none)");
    if (!is_list_of_integers(shape, 4) || !is_list_of_integers(at, 2) || json_object_array_length(at) != 2)
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' has no shape of up to 4 dimensions with two offsets, all integers",
                       path, name);
    json_object_object_foreach(o, key, value)
    {
        if (value != shape && value != at && strcmp(key, "dtype"))
            return ib_fail(IB_EFORMAT, "%s: tensor '%s' has a member '%s', which the format does not know", path, name,
                           key);
    }
    ib_snprintf(e->type, sizeof e->type, "%s", dtype);
    e->ndim = (int)json_object_array_length(shape);
    uint64_t n = (uint64_t)dtypes[t].bytes;
    for (int d = 0; d < e->ndim; d++) {
        e->shape[d] = json_object_get_int64(json_object_array_get_idx(shape, (size_t)d));
        if (e->shape[d] < 0 || e->shape[d] > (1ll << 40) || (e->shape[d] && n > (1ull << 43) / (uint64_t)e->shape[d]))
            return ib_fail(IB_EFORMAT, "%s: tensor '%s' has a dimension of %lld", path, name, (long long)e->shape[d]);
        n *= (uint64_t)e->shape[d];
    }
    if (!e->ndim) { /* a scalar */
        e->ndim = 1;
        e->shape[0] = 1;
    }
    const int64_t from = json_object_get_int64(json_object_array_get_idx(at, 0)),
                  to = json_object_get_int64(json_object_array_get_idx(at, 1));
    if (from < 0 || to < from || (uint64_t)to > size || (uint64_t)(to - from) != n)
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' has offsets %lld to %lld, but needs %llu of %llu bytes", path, name,
                       (long long)from, (long long)to, (unsigned long long)n, (unsigned long long)size);
    e->data = data + from;
    e->bytes = to - from;
    e->format = dtypes[t].format ? ib_storage_find(dtypes[t].format) : NULL;
    e->name = ib_strdup(name);
    return e->name ? IB_OK : IB_ENOMEM;
}

static int by_place(const void *a, const void *b)
{
    const ib_entry *const x = *(ib_entry *const *)a, *const y = *(ib_entry *const *)b;
    return x->data != y->data ? (x->data > y->data) - (x->data < y->data)
                              : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* n tensors must cover `size` bytes without holes or overlaps (github.com/huggingface/safetensors, "Format"). */
static ib_status check_cover(const char *path, ib_entry *entries, int n, const uint8_t *data, size_t size)
{
    const ib_entry **sorted = ib_alloc((size_t)(n + 1) * sizeof *sorted);
    ib_status status = sorted ? IB_OK : IB_ENOMEM;
    size_t end = 0;
    for (int i = 0; i < n && sorted; i++)
        sorted[i] = &entries[i];
    if (sorted)
        qsort(sorted, (size_t)n, sizeof *sorted, by_place);
    for (int i = 0; i < n && !status; i++) {
        const size_t from = (size_t)((const uint8_t *)sorted[i]->data - data);
        if (from != end)
            status = ib_fail(IB_EFORMAT, "%s: tensor '%s' begins at byte %zu of the data, the one before ends at %zu",
                             path, sorted[i]->name, from, end);
        end = from + (size_t)sorted[i]->bytes;
    }
    if (!status && end != size)
        status = ib_fail(IB_EFORMAT, "%s: holds %zu bytes of data, its tensors take %zu", path, size, end);
    ib_free(sorted);
    return status;
}

static ib_status add_file(ib_safetensors *f, const char *path)
{
    ib_mapped *files =
        ib_realloc(f->file, (size_t)f->n_files * sizeof *files, (size_t)(f->n_files + 1) * sizeof *files);
    if (!files)
        return IB_ENOMEM;
    f->file = files;
    ib_mapped *m = &files[f->n_files];
    if (ib_file_map(path, m))
        return ib_error_status();
    f->n_files++;
    uint64_t length = 0;
    if (m->size >= 8)
        memcpy(&length, m->data, 8);
    if (m->size < 8 || length > m->size - 8 || length > 100 << 20 || length < 2 || m->data[8] != '{')
        return ib_fail(IB_EFORMAT, "%s: is not a safetensors file, or is cut short", path);
    const char *text = (const char *)m->data + 8;
    size_t at = 0;
    struct json_object *head = ib_json_parse(text, length, &at, 0);
    ib_status status = head ? IB_OK : ib_error_status();
    if (head)
        ib_json_space(text, length, &at);
    else
        ib_error_prefix("%s: its header is not JSON: byte %zu", path, at);
    if (!status && (at != length || !json_object_is_type(head, json_type_object)))
        status = ib_fail(IB_EFORMAT, "%s: its header of %llu bytes is not JSON", path, (unsigned long long)length);
    const int count = status ? 0 : json_object_object_length(head), before = f->n_entries;
    ib_entry *entries = ib_realloc(f->entry, (size_t)f->n_entries * sizeof *entries,
                                   (size_t)(f->n_entries + count + 1) * sizeof *entries);
    if (!entries)
        status = IB_ENOMEM;
    else
        f->entry = entries;
    if (!status) {
        json_object_object_foreach(head, name, value)
        {
            if (!strcmp(name, "__metadata__")) {
                if ((status = check_metadata(path, value)))
                    break;
                if (!f->metadata)
                    f->metadata = json_object_get(value);
                continue;
            }
            if ((status = read_entry(path, name, value, m->data + 8 + length, m->size - 8 - length,
                                     &f->entry[f->n_entries])))
                break;
            f->n_entries++;
        }
    }
    if (!status)
        status =
            check_cover(path, f->entry + before, f->n_entries - before, m->data + 8 + length, m->size - 8 - length);
    json_object_put(head);
    return status;
}

/* The index and the files say the same: each tensor that it lists lies in the file that it names, and no other does. */
static ib_status check_index(const ib_safetensors *f, struct json_object *map, struct json_object *files,
                             const char *index_path)
{
    json_object_object_foreach(map, tensor, file)
    {
        const ib_entry *e = ib_safetensors_find(f, tensor);
        const char *name = json_object_get_string(file);
        const ib_mapped *m = &f->file[json_object_get_int(ib_json_get(files, name))];
        const uint8_t *at = e ? e->data : NULL;
        if (!at || at < m->data || at > m->data + m->size)
            return ib_fail(IB_EFORMAT, "%s: says that tensor '%s' is in %s, which does not hold it", index_path, tensor,
                           name);
    }
    for (int i = 0; i < f->n_entries; i++)
        if (!json_object_object_get_ex(map, f->entry[i].name, NULL))
            return ib_fail(IB_EFORMAT, "%s: lists no tensor '%s', which its files hold", index_path, f->entry[i].name);
    return f->n_entries == json_object_object_length(map)
               ? IB_OK
               : ib_fail(IB_EFORMAT, "%s: lists %d tensors, its files hold %lld, some twice", index_path,
                         json_object_object_length(map), (long long)f->n_entries);
}

/* Every file that the index names, once. */
static ib_status add_shards(ib_safetensors *f, const char *folder, const char *index_path)
{
    struct json_object *index = ib_json_read(index_path), *map = ib_json_get(index, "weight_map"),
                       *seen = json_object_new_object();
    ib_status status = !index          ? ib_error_status()
                       : !map || !seen ? ib_fail(IB_EFORMAT, "%s: has no weight_map", index_path)
                                       : IB_OK;
    if (!status && json_object_is_type(map, json_type_object)) {
        json_object_object_foreach(map, tensor, file)
        {
            const char *name = json_object_get_string(file);
            if (!json_object_is_type(file, json_type_string) || !*name || strchr(name, '/')) {
                status = ib_fail(IB_EFORMAT, "%s: says that tensor '%s' is in '%s', which is no file of this folder",
                                 index_path, tensor, name ? name : "");
                break;
            }
            if (json_object_object_get_ex(seen, name, NULL))
                continue;
            json_object_object_add(seen, name, json_object_new_int(f->n_files));
            char *path = ib_format_text("%s/%s", folder, name);
            status = path ? add_file(f, path) : IB_ENOMEM;
            ib_free(path);
            if (status)
                break;
        }
        status = status ? status : check_index(f, map, seen, index_path);
    } else if (!status) {
        status = ib_fail(IB_EFORMAT, "%s: weight_map is no object", index_path);
    }
    json_object_put(index);
    json_object_put(seen);
    return status;
}

ib_safetensors *ib_safetensors_open(const char *path)
{
    struct stat info;
    ib_safetensors *f = ib_alloc(sizeof *f);
    char *whole = ib_format_text("%s/model.safetensors", path),
         *index = ib_format_text("%s/model.safetensors.index.json", path);
    ib_status status = f && whole && index ? IB_OK : IB_ENOMEM;
    if (!status && !stat(path, &info) && S_ISDIR(info.st_mode)) {
        if (!stat(whole, &info))
            status = add_file(f, whole);
        else if (!stat(index, &info))
            status = add_shards(f, path, index);
        else
            status = ib_fail(IB_EIO, "%s: holds neither model.safetensors nor model.safetensors.index.json", path);
    } else if (!status) {
        status = add_file(f, path);
    }
    ib_free(whole);
    ib_free(index);
    if (status) {
        ib_safetensors_close(f);
        return NULL;
    }
    return f;
}

void ib_safetensors_close(ib_safetensors *f)
{
    if (!f)
        return;
    for (int64_t i = 0; i < f->n_entries; i++)
        ib_free(f->entry[i].name);
    for (int i = 0; i < f->n_files; i++)
        ib_file_unmap(&f->file[i]);
    json_object_put(f->metadata);
    ib_free(f->entry);
    ib_free(f->file);
    ib_free(f);
}

const ib_entry *ib_safetensors_find(const ib_safetensors *f, const char *name)
{
    for (int64_t i = 0; i < f->n_entries; i++)
        if (!strcmp(f->entry[i].name, name)) {
            f->entry[i].used = 1;
            return &f->entry[i];
        }
    return NULL;
}

ib_status ib_safetensors_write(const char *path, int n, const ib_safetensors_item *items, const char *const *metadata)
{
    struct json_object *head = json_object_new_object(), *meta = json_object_new_object();
    size_t at = 0;
    for (int i = 0; metadata && metadata[i]; i += 2)
        json_object_object_add(meta, metadata[i], json_object_new_string(metadata[i + 1]));
    json_object_object_add(head, "__metadata__", meta);
    for (int i = 0; i < n; i++) {
        struct json_object *o = json_object_new_object(), *shape = json_object_new_array(),
                           *offsets = json_object_new_array();
        json_object_object_add(o, "dtype", json_object_new_string(items[i].dtype));
        for (int d = 0; d < items[i].ndim; d++)
            json_object_array_add(shape, json_object_new_int64(items[i].shape[d]));
        json_object_object_add(o, "shape", shape);
        json_object_array_add(offsets, json_object_new_int64((int64_t)at));
        at += items[i].bytes;
        json_object_array_add(offsets, json_object_new_int64((int64_t)at));
        json_object_object_add(o, "data_offsets", offsets);
        json_object_object_add(head, items[i].name, o);
    }
    const char *text = json_object_to_json_string_ext(head, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!text) {
        json_object_put(head);
        return ib_fail(IB_ENOMEM, "%s: out of memory", path);
    }
    const size_t length = strlen(text);
    const uint64_t padded = (length + 7) / 8 * 8;
    ib_file_writer *w = ib_file_writer_open(path);
    ib_file_write(w, &padded, 8);
    ib_file_write(w, text, length);
    ib_file_write(w, "       ", (size_t)padded - length);
    for (int i = 0; i < n; i++)
        ib_file_write(w, items[i].data, items[i].bytes);
    json_object_put(head);
    return ib_file_writer_finish(w);
}
