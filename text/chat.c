/* chat.c - conversations through chat templates: a model's own, or one of chat_templates.def. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/names.h"

static const struct {
    const char *name, *text;
} templates[] = {
#define TEMPLATE(name, text) {name, text},
#include "text/chat_templates.def"
#undef TEMPLATE
};

ib_status ib_chat_template_check(const char *name)
{
    IB_NEED(name);
    return IB_NAME_FIND(name, templates, IB_EUNSUPPORTED, "no chat template is named") < 0 ? IB_EUNSUPPORTED : IB_OK;
}

int ib_message_is(struct json_object *messages, size_t i, const char *role)
{
    struct json_object *m = json_object_array_get_idx(messages, i), *own = NULL;
    return json_object_object_get_ex(m, "role", &own) && !strcmp(json_object_get_string(own), role);
}

/* Roles that conversations have in general, and those that the template knows by name. */
static ib_status check_roles(const ib_template *template, const ib_chat *c)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool", "developer", "function", "ipython"};
    const size_t known = c->name ? 3 : sizeof roles / sizeof *roles;
    for (size_t i = 0; i < json_object_array_length(c->messages); i++) {
        size_t k = 0;
        while (k < known && !ib_message_is(c->messages, i, roles[k]))
            k++;
        struct json_object *role = NULL;
        json_object_object_get_ex(json_object_array_get_idx(c->messages, i), "role", &role);
        const char *text = role ? json_object_get_string(role) : "";
        if (k == known && (c->name || !ib_template_mentions(template, text)))
            return ib_fail(IB_EINVAL, "message %zu has the role '%s'; system, user and assistant are possible%s", i + 1,
                           text, c->name ? "" : ", tool, developer, and what the chat template names");
    }
    return IB_OK;
}

/* The text of the template; transformers chooses the one named tool_use where there are tools. */
static const char *source_of(const ib_tokenizer *t, const ib_chat *c)
{
    struct json_object *tools = NULL;
    const int with_tools = json_object_object_get_ex(c->more, "tools", &tools) && tools && t->tool_template;
    const char *own = with_tools ? t->tool_template : t->chat_template;
    const int i = c->name ? IB_NAME_FIND(c->name, templates, IB_EUNSUPPORTED, "no chat template is named") : -1;
    if (c->name)
        return i < 0 ? NULL : templates[i].text;
    return own ? own
               : ib_fail_null(IB_EUNSUPPORTED,
                              "%s: has no chat template: --template chatml, llama3, gemma or llama2 "
                              "renders as models of these kinds were trained",
                              t->path ? t->path : "the tokenizer");
}

static ib_template *parsed(const ib_tokenizer *t, const ib_chat *c, const char *source)
{
    char *name =
        c->name ? ib_strdup(c->name) : ib_format_text("%s: chat template", t->path ? t->path : "the tokenizer");
    ib_template *template = name ? ib_template_new(name, source, strlen(source)) : NULL;
    ib_free(name);
    if (!template && ib_error_status() == IB_EUNSUPPORTED && !c->name)
        ib_fail(IB_EUNSUPPORTED, "%s (--template NAME renders with another one)", ib_error());
    return template;
}

const ib_template *ib_chat_template(ib_tokenizer *t, const ib_chat *c)
{
    const char *source = source_of(t, c);
    if (!source || (t->parsed && !strcmp(t->parsed_source, source)))
        return source ? t->parsed : NULL;
    char *copy = ib_strdup(source);
    ib_template *template = copy ? parsed(t, c, source) : NULL;
    if (!template) {
        ib_free(copy);
        return NULL;
    }
    ib_template_free(t->parsed);
    ib_free(t->parsed_source);
    t->parsed = template;
    t->parsed_source = copy;
    return template;
}

/* {role, content, ...} as transformers passes it: members that are null are left out, thoughts have all their names. */
static struct json_object *message_of(struct json_object *m)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    struct json_object *copy = json_object_new_object(), *thoughts = NULL;
    for (size_t i = 0; i < 3 && !thoughts; i++)
        json_object_object_get_ex(m, names[i], &thoughts);
    if (thoughts)
        json_object_object_add(copy, "thinking", json_object_get(thoughts));
    json_object_object_foreach(m, key, value)
    {
        if (value)
            json_object_object_add(copy, key, json_object_get(value));
    }
    if (thoughts)
        json_object_object_add(copy, "reasoning_content", json_object_get(thoughts));
    return copy;
}

static void add_token(const ib_tokenizer *t, struct json_object *o, const char *key, int32_t id)
{
    size_t n = 0;
    const char *text = id >= 0 ? ib_token_bytes(t, id, &n) : NULL;
    if (text)
        json_object_object_add(o, key, json_object_new_string_len(text, (int)n));
}

void ib_chat_add_tokens(const ib_tokenizer *t, struct json_object *variables)
{
    add_token(t, variables, "bos_token", t->bos);
    add_token(t, variables, "eos_token", t->eos);
    add_token(t, variables, "unk_token", t->unk);
    add_token(t, variables, "pad_token", t->pad);
}

ib_status ib_chat_render(const ib_tokenizer *t, const ib_template *template, const ib_chat *c, int n, int reply,
                         ib_template_result *out)
{
    struct json_object *v = json_object_new_object(), *messages = json_object_new_array();
    for (int i = 0; i < n; i++)
        json_object_array_add(messages, message_of(json_object_array_get_idx(c->messages, (size_t)i)));
    ib_chat_add_tokens(t, v);
    json_object_object_add(v, "tools", NULL);
    json_object_object_add(v, "documents", NULL);
    if (c->more) {
        json_object_object_foreach(c->more, key, value)
        {
            json_object_object_add(v, key, json_object_get(value));
        }
    }
    json_object_object_add(v, "add_generation_prompt", json_object_new_boolean(reply));
    json_object_object_add(v, "messages", messages);
    const ib_template_opts opts = {.spans = c->learning, .same_day = c->learning};
    const ib_status status = ib_template_run(template, v, &opts, out);
    json_object_put(v);
    if (status == IB_EUNSUPPORTED && !c->name)
        return ib_fail(status, "%s (--template NAME renders with another one)", ib_error());
    return status;
}

/* Every text composed (NFC): tokenizing then changes none, and spans stay where they are. */
static struct json_object *composed(const ib_tokenizer *t, struct json_object *o, ib_status *status)
{
    if (json_object_is_type(o, json_type_string) && !*status) {
        char *text = NULL;
        size_t n = 0;
        *status = ib_tokenizer_compose(t, json_object_get_string(o), (size_t)json_object_get_string_len(o), &text, &n);
        struct json_object *s = text ? json_object_new_string_len(text, (int)n) : json_object_get(o);
        free(text);
        return s;
    }
    if (json_object_is_type(o, json_type_array)) {
        struct json_object *list = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(o); i++)
            json_object_array_add(list, composed(t, json_object_array_get_idx(o, i), status));
        return list;
    }
    if (json_object_is_type(o, json_type_object)) {
        struct json_object *copy = json_object_new_object();
        json_object_object_foreach(o, key, value)
        {
            json_object_object_add(copy, key, composed(t, value, status));
        }
        return copy;
    }
    return json_object_get(o);
}

ib_status ib_chat_tokenize(ib_tokenizer *t, const ib_chat *chat, ib_ids *out, ib_ids *mask)
{
    ib_chat c = *chat;
    ib_template_result whole = {0};
    ib_ids spans = {0};
    const ib_template *template = ib_chat_template(t, &c);
    ib_status status = template ? check_roles(template, &c) : ib_error_status();
    const int composing = mask && t->nfc && !status;
    if (composing) {
        c.messages = composed(t, chat->messages, &status);
        c.more = chat->more ? composed(t, chat->more, &status) : NULL;
    }
    const int64_t first = out->n;
    if (!status)
        status = ib_chat_render(t, template, &c, (int)json_object_array_length(c.messages), c.reply, &whole);
    if (!status && mask)
        status = ib_chat_spans(t, template, &c, &whole, &spans);
    if (!status)
        status = ib_tokenize(t, whole.text, whole.n, 1, out);
    size_t at = 0;
    int64_t span = 0;
    for (int64_t i = first; mask && i < out->n && !status; i++) {
        while (span < spans.n && (size_t)spans.id[span + 1] <= at)
            span += 3;
        status = ib_ids_append(mask, span < spans.n && (size_t)spans.id[span] <= at ? spans.id[span + 2] : 0);
        at += at < whole.n ? ib_token_surface(t, out->id[i], whole.text, at) : 0;
    }
    if (composing) {
        json_object_put(c.messages);
        json_object_put(c.more);
    }
    ib_free(whole.text);
    ib_free_ids(&whole.spans);
    ib_free_ids(&spans);
    return status;
}

/* The messages as JSON, and which are not to be learned. */
static struct json_object *listed(const ib_message *m, int n, int *unlearned)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < n; i++) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "role", json_object_new_string(m[i].role));
        json_object_object_add(o, "content",
                               json_object_new_string_len(m[i].content, (int)(m[i].n ? m[i].n : strlen(m[i].content))));
        json_object_array_add(list, o);
        unlearned[i] = m[i].unlearned;
    }
    return list;
}

static ib_status check(const char *function, const ib_message *messages, int n)
{
    IB_TAKE_FOR(function, n, n > 0, IB_EINVAL, "is %d messages", n);
    for (int i = 0; i < n; i++)
        IB_TAKE_FOR(function, messages, messages[i].role && messages[i].content, IB_EINVAL, "[%d] has no %s", i,
                    messages[i].role ? "content" : "role");
    return IB_OK;
}

char *ib_chat_text(const ib_tokenizer *t, const char *name, const ib_message *messages, int n, int reply)
{
    IB_NEED_OR(t, NULL);
    IB_NEED_OR(messages, NULL);
    if (check(__func__, messages, n))
        return NULL;
    int *unlearned = ib_alloc((size_t)n * sizeof *unlearned);
    if (!unlearned)
        return NULL;
    const ib_chat c = {.name = name, .messages = listed(messages, n, unlearned), .reply = reply};
    const char *source = source_of(t, &c);
    ib_template *template = source ? parsed(t, &c, source) : NULL;
    ib_template_result r = {0};
    if (template && !check_roles(template, &c))
        ib_chat_render(t, template, &c, n, reply, &r);
    ib_template_free(template);
    json_object_put(c.messages);
    ib_free(unlearned);
    return r.text;
}

ib_status ib_chat_tokens(ib_tokenizer *t, const char *name, const ib_message *messages, int n, int reply, ib_ids *out,
                         ib_ids *mask)
{
    IB_NEED(t);
    IB_NEED(messages);
    IB_NEED(out);
    if (check(__func__, messages, n))
        return IB_EINVAL;
    int *unlearned = ib_alloc((size_t)n * sizeof *unlearned);
    if (!unlearned)
        return IB_ENOMEM;
    const ib_chat c = {.name = name,
                       .messages = listed(messages, n, unlearned),
                       .unlearned = unlearned,
                       .reply = reply,
                       .learning = mask != NULL};
    const ib_status status = ib_chat_tokenize(t, &c, out, mask);
    json_object_put(c.messages);
    ib_free(unlearned);
    return status;
}
