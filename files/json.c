/* json.c - JSON files through json-c. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/json_scan.h"
#include "files/safetensors.h"

struct json_object *ib_json_read(const char *path)
{
    size_t size, at = 0;
    unsigned char *file = ib_file_read(path, &size);
    if (!file)
        return NULL;
    const size_t mark = size >= 3 && !memcmp(file, "\xef\xbb\xbf", 3) ? 3 : 0; /* of byte order: says UTF-8 */
    const char *text = (const char *)file + mark;
    struct json_object *o = ib_json_parse(text, size - mark, &at, 0);
    size_t end = at;
    ib_json_space(text, size - mark, &end);
    if (o && end < size - mark) {
        ib_fail(IB_EFORMAT, "something stands behind its end");
        json_object_put(o);
        o = NULL;
        at = end;
    }
    if (!o) {
        long long line, byte;
        ib_json_place(text, at, &line, &byte);
        ib_error_prefix("%s: is not JSON: line %lld, byte %lld", path, line, byte);
    }
    ib_free(file);
    return o;
}

struct json_object *ib_json_get(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) ? v : NULL;
}

double ib_json_number(struct json_object *o, const char *key, double otherwise)
{
    struct json_object *v = ib_json_get(o, key);
    return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double) ||
                   json_object_is_type(v, json_type_boolean)
               ? json_object_get_double(v)
               : otherwise;
}

const char *ib_json_text(struct json_object *o, const char *key)
{
    struct json_object *v = ib_json_get(o, key);
    return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

ib_status ib_json_write(const char *path, struct json_object *o)
{
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    const ib_status status =
        text ? ib_file_replace(path, text, strlen(text)) : ib_fail(IB_ENOMEM, "%s: out of memory", path);
    json_object_put(o);
    return status;
}
