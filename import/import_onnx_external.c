/* import_onnx_external.c - constants whose data lie in another file beside the model (ONNX, "External data"): keys
 * location, offset, length. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "import/import_onnx.h"
#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"

static const char *entry(const IbOnnx__TensorProto *t, const char *key)
{
    for (size_t i = 0; i < t->n_external_data; i++)
        if (t->external_data[i]->key && !strcmp(t->external_data[i]->key, key))
            return t->external_data[i]->value;
    return NULL;
}

/* Every key once, and none but those that are read; a checksum is not compared. */
static ib_status check_keys(const char *path, const IbOnnx__TensorProto *t)
{
    static const char *const keys[] = {"location", "offset", "length", "checksum"};
    int seen[4] = {0};
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = t->external_data[i]->key ? t->external_data[i]->key : "";
        size_t k = 0;
        while (k < 4 && strcmp(key, keys[k]))
            k++;
        if (k == 4 || seen[k]++)
            return ib_fail(IB_EFORMAT, "%s: constant '%s' lies beside it: its key '%s' %s", path,
                           t->name ? t->name : "", key, k == 4 ? "is unknown" : "stands twice");
    }
    return t->has_raw_data
               ? ib_fail(IB_EFORMAT, "%s: constant '%s' lies beside it and in it (raw_data): which is meant?", path,
                         t->name ? t->name : "")
               : IB_OK;
}

/* A number of bytes, or `otherwise` if the key is missing; -1: no such number. */
static int64_t number(const IbOnnx__TensorProto *t, const char *key, int64_t otherwise)
{
    const char *text = entry(t, key);
    char *end;
    if (!text)
        return otherwise;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    return errno || end == text || *end || v < 0 ? -1 : v;
}

/* Within the model's folder: a name that leaves it is refused. */
static int is_beside(const char *location)
{
    return location && *location && *location != '/' && strcmp(location, "..") && strncmp(location, "../", 3) &&
           !strstr(location, "/../");
}

static ib_status take(const char *path, const char *open, const ib_mapped *file, IbOnnx__TensorProto *t)
{
    const int64_t offset = number(t, "offset", 0),
                  length = number(t, "length", (int64_t)file->size - (offset < 0 ? 0 : offset));
    const int type = t->data_type, width = type == 1 || type == 6 ? 4 : type == 7 || type == 11 ? 8 : 0;
    const int64_t n = ib_import_count(t), need = n * width;
    if (need > 0 && length >= 0 && need != length)
        return ib_fail(IB_EFORMAT, "%s: constant '%s' has %lld elements of %lld bytes; of %s it takes %lld", path,
                       t->name ? t->name : "", (long long)n, (long long)width, open, (long long)length);
    if (offset < 0 || length < 0 || (size_t)offset > file->size || (size_t)length > file->size - (size_t)offset)
        return ib_fail(IB_EFORMAT, "%s: constant '%s' lies at %s, %s bytes long, of %s, which has %zu", path,
                       t->name ? t->name : "", entry(t, "offset") ? entry(t, "offset") : "0",
                       entry(t, "length") ? entry(t, "length") : "all", open, file->size);
    if (!(t->raw_data.data = ib_alloc_raw((size_t)length + 1))) /* it goes with the message: ib_import_memory */
        return IB_ENOMEM;
    if (length)
        memcpy(t->raw_data.data, file->data + offset, (size_t)length);
    t->raw_data.len = (size_t)length;
    t->has_raw_data = 1;
    return IB_OK;
}

ib_status ib_import_external(const char *path, IbOnnx__GraphProto *g)
{
    const char *slash = strrchr(path, '/');
    char *open = NULL; /* path of the mapped file: usually the same for all */
    ib_mapped file = {0};
    ib_status status = IB_OK;
    for (size_t i = 0; i < g->n_initializer && !status; i++) {
        IbOnnx__TensorProto *t = g->initializer[i];
        if (t->data_location != 1) {
            if (t->n_external_data)
                status =
                    ib_fail(IB_EFORMAT, "%s: constant '%s' has external_data and does not lie there (data_location)",
                            path, t->name ? t->name : "");
            continue;
        }
        if ((status = check_keys(path, t)))
            break;
        const char *location = entry(t, "location");
        if (!is_beside(location)) {
            status = ib_fail(IB_EFORMAT, "%s: constant '%s' lies in '%s', which is not in the model's folder", path,
                             t->name ? t->name : "", location ? location : "");
            break;
        }
        char *full = ib_format_text("%.*s%s", slash ? (int)(slash - path + 1) : 0, path, location);
        if (full && open && !strcmp(full, open)) {
            ib_free(full);
        } else {
            ib_file_unmap(&file);
            ib_free(open);
            open = full;
            file = (ib_mapped){0};
            status = full ? ib_file_map(full, &file) : IB_ENOMEM;
            if (status && full)
                ib_error_prefix("%s: constant '%s' lies beside it", path, t->name ? t->name : "");
        }
        if (!status)
            status = take(path, open, &file, t);
    }
    ib_file_unmap(&file);
    ib_free(open);
    return status;
}
