/* inspect_file.c - isobit inspect for GGUF files, safetensors and Hugging Face or PEFT folders. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/language/language_session.h"
#include "files/gguf.h"
#include "files/safetensors.h"

/* Prints as text, or collects as JSON. */
typedef struct listing {
    struct json_object *metadata, *tensors; /* NULL: text */
    int64_t elements, bytes, count;
} listing;

static void metadata(listing *l, const char *key, const char *value)
{
    if (l->metadata)
        json_object_object_add(l->metadata, key, json_object_new_string(value));
    else
        printf("%-44s %s\n", key, value);
}

static void tensor(listing *l, const ib_entry *e)
{
    char shape[64];
    ib_entry_shape_text(e, shape, sizeof shape);
    l->elements += ib_entry_size(e);
    l->bytes += e->bytes;
    l->count++;
    if (l->tensors) {
        struct json_object *o = json_object_new_object(), *dims = json_object_new_array();
        for (int d = 0; d < e->ndim; d++)
            json_object_array_add(dims, json_object_new_int64(e->shape[d]));
        json_object_object_add(o, "name", json_object_new_string(e->name));
        json_object_object_add(o, "type", json_object_new_string(e->type));
        json_object_object_add(o, "shape", dims);
        json_object_object_add(o, "bytes", json_object_new_int64(e->bytes));
        json_object_array_add(l->tensors, o);
    } else {
        printf("%-64s %-8s %-18s %12lld bytes\n", e->name, e->type, shape, (long long)e->bytes);
    }
}

static void gguf_value(const ib_gguf_kv *kv, char *buf, size_t size)
{
    size_t at = 0, n, used = 0;
    if (kv->type == IB_GGUF_ARRAY)
        used += (size_t)snprintf(buf, size, "%lld of them: ", (long long)kv->n);
    for (int64_t i = 0; i < kv->n && i < 6 && used < size; i++) {
        const char *s = kv->of == IB_GGUF_STRING ? ib_gguf_next_string(kv, &at, &n) : NULL;
        used += kv->of == IB_GGUF_STRING
                    ? (size_t)snprintf(buf + used, size - used, "%s%.*s", i ? ", " : "",
                                       s ? (int)(n < 300 ? n : 300) : 0, s ? s : "")
                    : (size_t)snprintf(buf + used, size - used, "%s%.9g", i ? ", " : "", ib_gguf_element(kv, i));
    }
    if (kv->n > 6 && used < size)
        snprintf(buf + used, size - used, ", ...");
    for (char *p = buf; *p; p++) /* a line each */
        *p = *p == '\n' || *p == '\r' ? ' ' : *p;
}

static int list_gguf(listing *l, const char *path)
{
    ib_gguf *f = ib_gguf_open(path);
    char value[2048];
    for (int64_t i = 0; f && i < f->n_kv; i++) {
        value[0] = 0;
        gguf_value(&f->kv[i], value, sizeof value);
        metadata(l, f->kv[i].key, value);
    }
    for (int64_t i = 0; f && i < f->n_entries; i++)
        tensor(l, &f->entry[i]);
    ib_gguf_close(f);
    return f ? 0 : complain();
}

static int list_safetensors(listing *l, const char *path)
{
    ib_safetensors *f = ib_safetensors_open(path);
    if (f && json_object_is_type(f->metadata, json_type_object)) {
        json_object_object_foreach(f->metadata, key, value) metadata(l, key, json_object_get_string(value));
    }
    for (int64_t i = 0; f && i < f->n_entries; i++)
        tensor(l, &f->entry[i]);
    ib_safetensors_close(f);
    return f ? 0 : complain();
}

/* config.json or adapter_config.json, then the weights beside it. */
static int list_folder(listing *l, const char *folder)
{
    static const char *const configs[] = {"config.json", "adapter_config.json"};
    struct stat info;
    char path[4096];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, configs[i]);
        if (stat(path, &info))
            continue;
        struct json_object *o = ib_json_read(path);
        if (!o)
            return complain();
        if (json_object_is_type(o, json_type_object)) {
            json_object_object_foreach(o, key, value)
                metadata(l, key, json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
        }
        json_object_put(o);
        snprintf(path, sizeof path, "%s/adapter_model.safetensors", folder);
        return list_safetensors(l, i ? path : folder);
    }
    fprintf(stderr, "isobit: %s: holds neither config.json nor adapter_config.json\n", folder);
    return 1;
}

int inspect_file(const char *path, int json)
{
    listing l = {json ? json_object_new_object() : NULL, json ? json_object_new_array() : NULL, 0, 0, 0};
    struct stat info;
    const size_t n = strlen(path);
    const int status = !stat(path, &info) && S_ISDIR(info.st_mode)        ? list_folder(&l, path)
                       : n > 12 && !strcmp(path + n - 12, ".safetensors") ? list_safetensors(&l, path)
                                                                          : list_gguf(&l, path);
    if (!status && json) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "metadata", json_object_get(l.metadata));
        json_object_object_add(o, "tensors", json_object_get(l.tensors));
        json_object_object_add(o, "elements", json_object_new_int64(l.elements));
        json_object_object_add(o, "bytes", json_object_new_int64(l.bytes));
        print_json(o);
    } else if (!status) {
        printf("%lld tensors, %lld elements, %.1f MB, %.2f bits an element\n", (long long)l.count,
               (long long)l.elements, (double)l.bytes / 1e6,
               l.elements ? 8.0 * (double)l.bytes / (double)l.elements : 0.0);
    }
    json_object_put(l.metadata);
    json_object_put(l.tensors);
    return status;
}

int is_language_file(const char *path)
{
    struct stat info;
    char magic[4] = "";
    const size_t n = strlen(path);
    if (!stat(path, &info) && S_ISDIR(info.st_mode))
        return 1;
    FILE *f = fopen(path, "rb");
    const int gguf = f && fread(magic, 1, 4, f) == 4 && !memcmp(magic, "GGUF", 4);
    if (f)
        fclose(f);
    return gguf || (n > 12 && !strcmp(path + n - 12, ".safetensors")) || (n > 5 && !strcmp(path + n - 5, ".gguf"));
}
