/* row_keys.c - see row_keys.h */
#include "lm/samples/row_keys.h"

#include <stddef.h>
#include <string.h>

#include <isobit/finetune.h>

#include "base/error.h"

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
#include "lm/samples/row_keys.def"
};

int ib_row_says_nothing(struct json_object *v)
{
    return !v || (json_object_is_type(v, json_type_array) && !json_object_array_length(v)) ||
           (json_object_is_type(v, json_type_object) && !json_object_object_length(v));
}

int ib_row_set_aside(ib_row_ignore *ignore, const char *name)
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

/* The key that a member of a row stands for: --columns may say another than its own. */
static const row_key *key_of(ib_row_place place, ib_row_ignore *ignore, const char *name)
{
    const size_t n = strlen(name);
    const char *p = place == IB_PLACE_ROW && ignore->columns ? ignore->columns : "";
    size_t bytes = n;
    for (uint64_t bit = 1; *p; p += strcspn(p, ","), p += *p == ',', bit <<= 1) {
        const size_t key = strcspn(p, "="), whole = strcspn(p, ",");
        if (whole - key - 1 == n && !memcmp(p + key + 1, name, n)) {
            ignore->mapped |= bit;
            name = p;
            bytes = key;
            break;
        }
    }
    for (const row_key *k = keys; k < keys + sizeof keys / sizeof *keys; k++)
        if (k->place == place && strlen(k->name) == bytes && !memcmp(k->name, name, bytes))
            return k;
    return NULL;
}

ib_status ib_row_columns_check(const char *columns)
{
    ib_row_ignore none = {0};
    char key[64];
    for (const char *p = columns; *p;) {
        const size_t whole = strcspn(p, ","), n = strcspn(p, "=");
        if (n >= whole || n >= sizeof key || n + 1 == whole)
            return ib_fail(IB_EINVAL, "ib_samples_open: columns: '%.*s' is not KEY=NAME, as in prompt=question",
                           (int)whole, p);
        memcpy(key, p, n);
        key[n] = 0;
        const row_key *k = key_of(IB_PLACE_ROW, &none, key);
        if (!k || k->what != READ_IT)
            return ib_fail(IB_EINVAL,
                           "ib_samples_open: columns: '%s' is no key of rows: prompt, completion, text, messages, "
                           "instruction, input, output, ... are possible",
                           key);
        for (const char *q = columns; q < p; q += strcspn(q, ",") + 1)
            if (strcspn(q, ",") - strcspn(q, "=") == whole - n && !memcmp(q + strcspn(q, "="), p + n, whole - n))
                return ib_fail(IB_EINVAL, "ib_samples_open: columns: '%.*s' stands twice", (int)(whole - n - 1),
                               p + n + 1);
        p += whole;
        p += *p == ',';
    }
    return IB_OK;
}

ib_status ib_row_collect(ib_row_place place, struct json_object *o, ib_row_ignore *ignore, ib_row_values *out)
{
    *out = (ib_row_values){0};
    json_object_object_foreach(o, name, value)
    {
        const row_key *k = ib_row_set_aside(ignore, name) ? NULL : key_of(place, ignore, name);
        if (!k || k->what != READ_IT || ib_row_says_nothing(value))
            continue;
        struct json_object **at = (struct json_object **)((char *)out + k->at);
        if (*at)
            return ib_fail(IB_EFORMAT, "has '%s' twice: by itself and by --columns", k->name);
        *at = value;
    }
    return IB_OK;
}

const char *ib_row_unused_key(int i)
{
    for (const row_key *k = keys; i >= 0 && k < keys + sizeof keys / sizeof *keys; k++)
        if (k->what == FREE_IT && !i--)
            return k->name;
    return NULL;
}

/* Which one of that name ib_row_unused_key() has first: a message's id is no other than a row's. */
static uint64_t unused_bit(const char *name)
{
    int i = 0;
    while (strcmp(ib_row_unused_key(i), name))
        i++;
    return 1ull << i;
}

static ib_status check(ib_row_place place, struct json_object *o, ib_row_ignore *ignore, int known)
{
    json_object_object_foreach(o, name, value)
    {
        const row_key *k = key_of(place, ignore, name);
        if (ib_row_says_nothing(value) || ib_row_set_aside(ignore, name))
            continue;
        if (!k && !known)
            return ib_fail(
                IB_EUNSUPPORTED,
                "the key '%s' is unknown and may change what is to be learned: remove it, or --ignore-columns %s", name,
                name);
        if (k && k->what == REFUSE_IT)
            return ib_fail(IB_EUNSUPPORTED, "the key '%s': %s (or --ignore-columns %s)", name, k->why, name);
        if (k && k->what == FREE_IT)
            ignore->unused |= unused_bit(k->name);
    }
    return IB_OK;
}

ib_status ib_row_check(ib_row_place place, struct json_object *o, ib_row_ignore *ignore)
{
    return check(place, o, ignore, 0);
}

ib_status ib_row_refused(ib_row_place place, struct json_object *o, ib_row_ignore *ignore)
{
    return check(place, o, ignore, 1);
}

ib_status ib_row_read(ib_row_place place, struct json_object *o, ib_row_ignore *ignore, ib_row_values *out)
{
    const ib_status status = ib_row_collect(place, o, ignore, out);
    return status ? status : check(place, o, ignore, 0);
}
