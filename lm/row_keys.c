/* row_keys.c - see row_keys.h */
#include "lm/row_keys.h"

#include <stddef.h>
#include <string.h>

#include "tensor/error.h"

typedef struct row_key {
    ib_row_place place;
    const char *name;
    enum { READ_IT, FREE_IT, REFUSE_IT } what;
    size_t at;
    const char *why;
} row_key;

#define READ(place, name, member) {IB_PLACE_##place, name, READ_IT, offsetof(ib_row_values, member), NULL},
#define FREE(place, name, why) {IB_PLACE_##place, name, FREE_IT, 0, why},
#define REFUSED(place, name, why) {IB_PLACE_##place, name, REFUSE_IT, 0, why},
static const row_key keys[] = {
#include "lm/row_keys.def"
};

static int says_nothing(struct json_object *v)
{
    return !v || (json_object_is_type(v, json_type_array) && !json_object_array_length(v)) ||
           (json_object_is_type(v, json_type_object) && !json_object_object_length(v));
}

static int listed(ib_row_ignore *ignore, const char *name)
{
    const size_t n = strlen(name);
    uint64_t bit = 1;
    for (const char *p = ignore->list ? ignore->list : ""; *p; p += strcspn(p, ","), p += *p == ',', bit <<= 1)
        if (strcspn(p, ",") == n && !memcmp(p, name, n)) {
            ignore->met |= bit;
            return 1;
        }
    return 0;
}

ib_status ib_row_read(ib_row_place place, struct json_object *o, ib_row_ignore *ignore, ib_row_values *out)
{
    *out = (ib_row_values){0};
    json_object_object_foreach(o, name, value)
    {
        const row_key *k = keys, *end = keys + sizeof keys / sizeof *keys;
        if (listed(ignore, name))
            continue;
        while (k < end && (k->place != place || strcmp(k->name, name)))
            k++;
        if (k < end && k->what == READ_IT)
            *(struct json_object **)((char *)out + k->at) = says_nothing(value) ? NULL : value;
        else if (!says_nothing(value) && k == end)
            return ib_fail(
                IB_EUNSUPPORTED,
                "the key '%s' is unknown and may change what is to be learned: remove it, or --ignore-columns %s", name,
                name);
        else if (!says_nothing(value) && k->what == REFUSE_IT)
            return ib_fail(IB_EUNSUPPORTED, "the key '%s': %s (or --ignore-columns %s)", name, k->why, name);
    }
    return IB_OK;
}
