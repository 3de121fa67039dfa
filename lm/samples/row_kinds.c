/* row_kinds.c - see row_kinds.h */
#include "base/number.h"
#include "lm/samples/row_kinds.h"

#include <isobit/finetune.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct row_kind {
    const char *name;
    size_t asked, answer, more; /* in ib_row_values */
    const char *asked_key, *answer_key, *more_key, *join;
    enum { CONVERSATION, PLAIN, TURNS, FROM_AND_VALUE } form;
} row_kind;

#define KIND(name, asked, answer, more, join, form)                                                                    \
    {name,                                                                                                             \
     offsetof(ib_row_values, asked),                                                                                   \
     offsetof(ib_row_values, answer),                                                                                  \
     offsetof(ib_row_values, more),                                                                                    \
     #asked,                                                                                                           \
     #answer,                                                                                                          \
     #more,                                                                                                            \
     join,                                                                                                             \
     form},
static const row_kind kinds[] = {
#include "lm/samples/row_kinds.def"
};
enum { KINDS = sizeof kinds / sizeof *kinds };
_Static_assert((int)KINDS <= (int)IB_ROW_KINDS, "the information counts all kinds");

const char *ib_row_kind_name(int i)
{
    return i >= 0 && i < KINDS ? kinds[i].name : NULL;
}

static struct json_object *member(const ib_row_values *v, size_t at)
{
    return *(struct json_object *const *)((const char *)v + at);
}

/* The row's keys, as many as a line has room for. */
static ib_status of_no_kind(struct json_object *o)
{
    char list[120] = "";
    size_t n = 0;
    json_object_object_foreach(o, name, rows)
    {
        if (json_object_is_type(rows, json_type_array) &&
            json_object_is_type(json_object_array_get_idx(rows, 0), json_type_object))
            return ib_fail(IB_EFORMAT,
                           "has no keys of a row, but a list of objects, '%s': if those are the rows, write that list "
                           "alone",
                           name);
    }
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        if (n < sizeof list)
            n += (size_t)ib_snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", key);
    }
    if (n >= sizeof list) { /* cut, but no character in halves */
        size_t end = sizeof list - 1;
        while (end && (list[end - 1] & 0xC0) == 0x80)
            end--;
        end -= end && list[end - 1] & 0x80;
        list[end] = 0;
    }
    return ib_fail(IB_EFORMAT,
                   "has neither messages, nor prompt and completion, nor text, nor the keys of Alpaca, Dolly or "
                   "ShareGPT, but %s%s: --columns prompt=KEY,completion=KEY says which are which",
                   *list ? list : "no keys", n >= sizeof list ? "..." : "");
}

int ib_row_kind(struct json_object *o, ib_row_ignore *keys, ib_row_values *out)
{
    int kind = 0;
    if (ib_row_collect(IB_PLACE_ROW, o, keys, out))
        return -1;
    while (kind < KINDS && !(member(out, kinds[kind].asked) && member(out, kinds[kind].answer)))
        kind++;
    if (kind == KINDS) {
        if (!ib_row_refused(IB_PLACE_ROW, o, keys)) {
            for (int i = 0; i < KINDS; i++)
                if (kinds[i].form != PLAIN && kinds[i].asked == kinds[i].answer &&
                    json_object_object_get_ex(o, kinds[i].asked_key, NULL))
                    return ib_fail(IB_EFORMAT, "has no %s", kinds[i].asked_key), -1;
            of_no_kind(o);
        }
        return -1;
    }
    if (ib_row_check(IB_PLACE_ROW, o, keys))
        return -1;
    if (out->system && kinds[kind].form != TURNS && kinds[kind].form != FROM_AND_VALUE)
        return ib_fail(IB_EUNSUPPORTED,
                       "the key 'system': make it the first of messages, with the role system (or --ignore-columns "
                       "system)"),
               -1;
    for (int i = 0; i < KINDS; i++) { /* whatever else a row would be read for */
        const struct {
            size_t at;
            const char *key;
        } others[] = {{kinds[i].asked, kinds[i].asked_key},
                      {kinds[i].answer, kinds[i].answer_key},
                      {kinds[i].more, kinds[i].more_key}};
        for (int k = 0; k < 3; k++)
            if (member(out, others[k].at) && others[k].at != kinds[kind].asked && others[k].at != kinds[kind].answer &&
                others[k].at != kinds[kind].more)
                return ib_fail(IB_EFORMAT,
                               "has more than one of the kinds of rows: '%s' beside the keys of %s: --ignore-columns "
                               "says which to leave",
                               others[k].key, kinds[kind].name),
                       -1;
    }
    return kind;
}

static ib_status put_turn(struct json_object *list, const char *role, const char *text, size_t n)
{
    struct json_object *m = json_object_new_object();
    json_object_object_add(m, "role", json_object_new_string(role));
    json_object_object_add(m, "content", json_object_new_string_len(text, (int)n));
    return json_object_array_add(list, m) ? IB_ENOMEM : IB_OK;
}

/* asked, with what joins it; then the answer. */
static ib_status put_turns(const row_kind *k, const ib_row_values *v, struct json_object *list)
{
    const struct {
        struct json_object *value;
        const char *key;
    } texts[] = {
        {member(v, k->asked), k->asked_key}, {member(v, k->more), k->more_key}, {member(v, k->answer), k->answer_key}};
    size_t n[3] = {0}, join = strlen(k->join);
    for (int i = 0; i < 3; i++) {
        if (texts[i].value && !json_object_is_type(texts[i].value, json_type_string))
            return ib_fail(IB_EFORMAT, "%s is not text", texts[i].key);
        n[i] = texts[i].value ? (size_t)json_object_get_string_len(texts[i].value) : 0;
    }
    join = n[1] ? join : 0;
    char *question = ib_alloc(n[0] + join + n[1] + 1);
    if (!question)
        return IB_ENOMEM;
    memcpy(question, json_object_get_string(texts[0].value), n[0]);
    memcpy(question + n[0], k->join, join);
    if (n[1])
        memcpy(question + n[0] + join, json_object_get_string(texts[1].value), n[1]);
    ib_status status = put_turn(list, "user", question, n[0] + join + n[1]);
    ib_free(question);
    return status ? status : put_turn(list, "assistant", json_object_get_string(texts[2].value), n[2]);
}

/* What the row says of all its turns, where it says something. */
static ib_status put_system(struct json_object *list, struct json_object *system)
{
    if (system && !json_object_is_type(system, json_type_string))
        return ib_fail(IB_EFORMAT, "system is not text");
    const size_t n = system ? (size_t)json_object_get_string_len(system) : 0;
    return n ? put_turn(list, "system", json_object_get_string(system), n) : IB_OK;
}

static int is_system(struct json_object *message)
{
    struct json_object *role = NULL;
    json_object_object_get_ex(message, "role", &role);
    return role && !strcmp(json_object_get_string(role), "system");
}

/* A turn of ShareGPT as a message; what else it says stays beside. */
static ib_status put_said(struct json_object *list, struct json_object *said)
{
    static const char *const roles[][2] = {{"human", "user"},          {"user", "user"},     {"gpt", "assistant"},
                                           {"assistant", "assistant"}, {"system", "system"}, {"tool", "tool"},
                                           {"observation", "tool"}};
    if (!json_object_is_type(said, json_type_object) || json_object_object_get_ex(said, "role", NULL))
        return json_object_array_add(list, json_object_get(said)) ? IB_ENOMEM : IB_OK; /* it is a message, or none */
    struct json_object *from = json_object_object_get(said, "from"), *m = json_object_new_object();
    const char *who = json_object_is_type(from, json_type_string) ? json_object_get_string(from) : NULL;
    size_t i = 0;
    if (json_object_array_add(list, m))
        return IB_ENOMEM;
    if (!who)
        return ib_fail(IB_EFORMAT, "has no from, who says it");
    while (i < sizeof roles / sizeof *roles &&
           (strlen(who) != (size_t)json_object_get_string_len(from) || strcmp(roles[i][0], who)))
        i++;
    if (i == sizeof roles / sizeof *roles)
        return ib_fail(IB_EFORMAT, "is from '%s'; human, gpt, system, tool and observation are possible", who);
    json_object_object_add(m, "role", json_object_new_string(roles[i][1]));
    json_object_object_foreach(said, key, value)
    {
        const int content = !strcmp(key, "value");
        if (content && json_object_object_get_ex(said, "content", NULL))
            return ib_fail(IB_EFORMAT, "has both value and content");
        if (strcmp(key, "from"))
            json_object_object_add(m, content ? "content" : key, json_object_get(value));
    }
    return IB_OK;
}

struct json_object *ib_row_messages(int kind, const ib_row_values *v, ib_status *status)
{
    const row_kind *k = &kinds[kind];
    struct json_object *from = member(v, k->asked);
    *status = IB_OK;
    if (k->form == PLAIN)
        return NULL;
    if (k->form == CONVERSATION)
        return json_object_get(from);
    struct json_object *list = json_object_new_array();
    *status = put_system(list, v->system);
    const size_t first = json_object_array_length(list);
    if (*status)
        ;
    else if (k->form == TURNS)
        *status = put_turns(k, v, list);
    else if (!json_object_is_type(from, json_type_array))
        *status = ib_fail(IB_EFORMAT, "%s is not a list of turns", k->asked_key);
    else
        for (size_t i = 0; i < json_object_array_length(from) && !*status; i++)
            if ((*status = put_said(list, json_object_array_get_idx(from, i))))
                ib_error_prefix("message %zu", i + 1);
    for (size_t i = first; first && i < json_object_array_length(list) && !*status; i++)
        if (is_system(json_object_array_get_idx(list, i)))
            *status = ib_fail(IB_EFORMAT, "has the key 'system' and a message from system: which of them holds is not "
                                          "said (--ignore-columns system leaves the message)");
    if (!*status)
        return list;
    json_object_put(list);
    return NULL;
}
