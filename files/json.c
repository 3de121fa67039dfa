/* json.c - JSON files through json-c. */
#include <string.h>

#include "files/safetensors.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

struct json_object *ib_json_read(const char *path)
{
    size_t size;
    unsigned char *text = ib_file_read(path, &size);
    if (!text)
        return NULL;
    struct json_object *o = NULL;
    struct json_tokener *t = json_tokener_new();
    if (t && size < INT32_MAX)
        o = json_tokener_parse_ex(t, (const char *)text, (int)size + 1); /* the byte behind the end is 0 */
    if (!o || json_tokener_get_error(t) != json_tokener_success) {
        ib_fail(IB_EFORMAT, "%s: is not JSON: %s at byte %zu", path, t ? json_tokener_error_desc(json_tokener_get_error(t)) : "no memory",
                t ? json_tokener_get_parse_end(t) : 0);
        json_object_put(o);
        o = NULL;
    }
    if (t)
        json_tokener_free(t);
    ib_free(text);
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
    return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_boolean)
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
    const ib_status status = text ? ib_file_replace(path, text, strlen(text)) : ib_fail(IB_ENOMEM, "%s: out of memory", path);
    json_object_put(o);
    return status;
}
