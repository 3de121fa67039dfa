/* samples_chat.c - the messages of a row, with its tools and what else its chat template makes use of, as tokens. What
 * the template says nothing of would be lost: it is refused. */
#include <string.h>

#include "text/chat.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "lm/samples/row_keys.h"
#include "lm/samples/samples.h"

typedef struct conversation {
    const ib_samples_opts *o;
    ib_row_ignore *ignore;
    const ib_template *template;
    struct json_object *messages, *more;
    int *unlearned;
    int some_unlearned;
} conversation;

static ib_status says_nothing(const char *key)
{
    return ib_fail(IB_EUNSUPPORTED, "the key '%s': the chat template says nothing of it (or --ignore-columns %s)", key,
                   key);
}

/* The texts of a list of parts, one behind the other; NULL: failed. */
static struct json_object *join_parts(struct json_object *list, ib_row_ignore *ignore)
{
    char *joined = NULL;
    size_t n = 0, room = 1;
    ib_status status = IB_OK;
    for (int pass = 0; pass < 2 && !status; pass++) { /* measured, then copied */
        if (pass && !(joined = ib_alloc(room)))
            status = IB_ENOMEM;
        for (size_t i = 0; i < json_object_array_length(list) && !status; i++) {
            struct json_object *part = json_object_array_get_idx(list, i);
            ib_row_values v = {0};
            if (json_object_is_type(part, json_type_object) && ib_row_read(IB_PLACE_PART, part, ignore, &v)) {
                status = ib_error_status();
            } else if (!json_object_is_type(v.type, json_type_string) ||
                       strcmp(json_object_get_string(v.type), "text") ||
                       !json_object_is_type(v.text, json_type_string)) {
                status = ib_fail(
                    IB_EUNSUPPORTED,
                    "part %zu of its content is not {\"type\": \"text\", \"text\": \"...\"}: text alone is learned",
                    i + 1);
            } else {
                const size_t bytes = (size_t)json_object_get_string_len(v.text);
                if (pass)
                    memcpy(joined + n, json_object_get_string(v.text), bytes);
                n += pass ? bytes : 0;
                room += bytes;
            }
        }
    }
    struct json_object *text = status ? NULL : json_object_new_string_len(joined, (int)n);
    ib_free(joined);
    return text;
}

/* Content as the template takes it: a list of parts, if it looks into them, else their texts. */
static ib_status put_content(conversation *c, const ib_row_values *v, struct json_object *m)
{
    if (json_object_is_type(v->content, json_type_array)) {
        struct json_object *text = join_parts(v->content, c->ignore); /* checks the parts in any case */
        if (!text)
            return ib_error_status();
        if (ib_template_mentions(c->template, "text")) {
            json_object_put(text);
            text = json_object_get(v->content);
        }
        json_object_object_add(m, "content", text);
    } else if (json_object_is_type(v->content, json_type_string)) {
        json_object_object_add(m, "content", json_object_get(v->content));
    } else if (v->content || !v->tool_calls) {
        return ib_fail(IB_EFORMAT, "has no content that is text");
    }
    return IB_OK;
}

static ib_status put_more(conversation *c, const ib_row_values *v, const char *role, struct json_object *m)
{
    const int thoughts = ib_template_mentions(c->template, "reasoning_content") ||
                         ib_template_mentions(c->template, "thinking") ||
                         ib_template_mentions(c->template, "reasoning");
    const int tool = !strcmp(role, "tool"); /* what names the call that it answers may be left out */
    const struct {
        const char *key;
        struct json_object *value;
        int used;
    } members[] = {{"tool_calls", v->tool_calls, ib_template_mentions(c->template, "tool_calls")},
                   {"name", v->name, tool || ib_template_mentions(c->template, "name")},
                   {"tool_call_id", v->tool_call_id, tool || ib_template_mentions(c->template, "tool_call_id")},
                   {"reasoning_content", v->reasoning_content, thoughts},
                   {"reasoning", v->reasoning, thoughts},
                   {"thinking", v->thinking, thoughts}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i].value && !members[i].used)
            return says_nothing(members[i].key);
        if (members[i].value)
            json_object_object_add(m, members[i].key, json_object_get(members[i].value));
    }
    return IB_OK;
}

static ib_status read_weight(conversation *c, const ib_row_values *v, const char *role, size_t i)
{
    const int number =
        json_object_is_type(v->weight, json_type_int) || json_object_is_type(v->weight, json_type_double);
    const double weight = v->weight ? json_object_get_double(v->weight) : 1;
    if (!v->weight)
        return IB_OK;
    if (!number || (weight != 0 && weight != 1))
        return ib_fail(IB_EUNSUPPORTED, "has the weight %s; 0 (not learned) and 1 are possible",
                       json_object_to_json_string(v->weight));
    if (strcmp(role, "assistant") && (weight == 0) == c->o->train_on_prompts)
        return ib_fail(IB_EUNSUPPORTED, "has the weight %g as %s: weights are for what the assistant says", weight,
                       role);
    c->unlearned[i] = weight == 0;
    c->some_unlearned |= weight == 0;
    return IB_OK;
}

static ib_status read_message(conversation *c, struct json_object *o, size_t i)
{
    ib_row_values v;
    if (!json_object_is_type(o, json_type_object))
        return ib_fail(IB_EFORMAT, "is not an object with role and content");
    ib_status status = ib_row_read(IB_PLACE_MESSAGE, o, c->ignore, &v);
    if (status)
        return status;
    const char *role = json_object_is_type(v.role, json_type_string) ? json_object_get_string(v.role) : NULL;
    if (!role)
        return ib_fail(IB_EFORMAT, "has no role");
    if (strlen(role) != (size_t)json_object_get_string_len(v.role))
        return ib_fail(IB_EFORMAT, "has U+0000 in its role");
    struct json_object *m = json_object_new_object();
    json_object_array_add(c->messages, m);
    json_object_object_add(m, "role", json_object_get(v.role));
    if (!(status = put_content(c, &v, m)) && !(status = put_more(c, &v, role, m)))
        status = read_weight(c, &v, role, i);
    return status;
}

/* tools, documents and arguments of the template as its variables. */
static ib_status read_more(conversation *c, const ib_row_values *row)
{
    static const char *const taken[] = {"messages", "tools", "documents", "add_generation_prompt"};
    const struct {
        const char *key;
        struct json_object *value;
    } lists[] = {{"tools", row->tools}, {"documents", row->documents}};
    for (size_t i = 0; i < 2; i++) {
        if (lists[i].value && !json_object_is_type(lists[i].value, json_type_array))
            return ib_fail(IB_EFORMAT, "%s is not a list", lists[i].key);
        if (lists[i].value)
            json_object_object_add(c->more, lists[i].key, json_object_get(lists[i].value));
    }
    if (!row->chat_template_kwargs)
        return IB_OK;
    if (!json_object_is_type(row->chat_template_kwargs, json_type_object))
        return ib_fail(IB_EFORMAT, "chat_template_kwargs is not an object");
    json_object_object_foreach(row->chat_template_kwargs, key, value)
    {
        for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
            if (!strcmp(key, taken[i]))
                return ib_fail(IB_EFORMAT, "chat_template_kwargs has '%s', which the row itself gives", key);
        json_object_object_add(c->more, key, json_object_get(value));
    }
    return IB_OK;
}

static ib_status all_used(const conversation *c)
{
    json_object_object_foreach(c->more, key, value)
    {
        (void)value;
        const int own = !strcmp(key, "tools") || !strcmp(key, "documents");
        if (!ib_template_mentions(c->template, key))
            return own ? says_nothing(key)
                       : ib_fail(IB_EUNSUPPORTED,
                                 "the key 'chat_template_kwargs': the chat template says nothing of '%s'", key);
    }
    return IB_OK;
}

ib_status ib_samples_chat(ib_tokenizer *t, const ib_samples_opts *o, ib_row_ignore *ignore, struct json_object *list,
                          const ib_row_values *row, ib_ids *ids, ib_ids *mask)
{
    const size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!n)
        return ib_fail(IB_EFORMAT, "messages is not a list of messages");
    conversation c = {
        o, ignore, NULL, json_object_new_array(), json_object_new_object(), ib_alloc(n * sizeof *c.unlearned), 0};
    const ib_chat chat = {
        .name = o->chat, .messages = c.messages, .more = c.more, .unlearned = c.unlearned, .learning = 1};
    ib_status status = c.unlearned ? IB_OK : IB_ENOMEM;
    if (!status && row)
        status = read_more(&c, row);
    if (!status && !(c.template = ib_chat_template(t, &chat)))
        status = ib_error_status();
    if (!status)
        status = all_used(&c);
    for (size_t i = 0; i < n && !status; i++)
        if ((status = read_message(&c, json_object_array_get_idx(list, i), i)))
            ib_error_prefix("message %zu", i + 1);
    const int all = o->train_on_prompts && !c.some_unlearned; /* who says what does not matter then */
    const int64_t first = ids->n;
    if (!status)
        status = ib_chat_tokenize(t, &chat, ids, all ? NULL : mask);
    for (int64_t i = first; all && i < ids->n && !status; i++)
        status = ib_ids_append(mask, 0);
    for (int64_t i = 0; i < mask->n && !status; i++) /* -1: of a message that is not learned */
        mask->id[i] = mask->id[i] > 0 || (!mask->id[i] && o->train_on_prompts);
    json_object_put(c.messages);
    json_object_put(c.more);
    ib_free(c.unlearned);
    return status;
}
