/* tokenizer_fields.c - what the fields of tokenizer.json may say, by the table tokenizer_fields.def. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "text/tokenizer_fields.h"
#include "base/error.h"
#include "base/number.h"

static const struct {
    const char *object, *key, *values, *why;
} fields[] = {
#define FIELD(object, key, values, why) {object, key, values, why},
#include "text/tokenizer_fields.def"
#undef FIELD
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static int one_of(const char *list, const char *value)
{
    const size_t n = strlen(value);
    for (const char *p = list; *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == n && !memcmp(p, value, n))
            return 1;
    return 0;
}

ib_status ib_tokenizer_fields(const char *object, const char *type, struct json_object *o)
{
    char name[80];
    int known = 0;
    ib_snprintf(name, sizeof name, "%s%s%s", object, *type ? " " : "", type);
    if (!json_object_is_type(o, json_type_object))
        return ib_fail(IB_EFORMAT, "%s is not an object", name);
    for (int i = 0; i < N_FIELDS; i++)
        known |= !strcmp(fields[i].object, name);
    if (!known)
        return ib_fail(IB_EUNSUPPORTED, "its %s '%s' is not supported", object, type);
    json_object_object_foreach(o, key, value)
    {
        int i = 0;
        while (i < N_FIELDS && (strcmp(fields[i].object, name) || strcmp(fields[i].key, key)))
            i++;
        if (i == N_FIELDS && value && (strcmp(key, "type") || !*type))
            return ib_fail(IB_EUNSUPPORTED, "%s: the field '%s' is unknown and may change tokens", name, key);
        if (i == N_FIELDS || !fields[i].values) /* vocabularies are long: no text is made of them */
            continue;
        const char *text =
            json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        if (!one_of(fields[i].values, text ? text : "null"))
            return ib_fail(IB_EUNSUPPORTED, "%s: '%s' is %.60s, supported is %s: %s", name, key, text ? text : "null",
                           fields[i].values, fields[i].why);
    }
    return IB_OK;
}
