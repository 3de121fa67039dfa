/* chat_spans.c - where in a rendered conversation the assistant speaks. A template that has {% generation %} says it
 * itself. Else a turn begins where the template, asked for a reply to the messages before it, leaves off, and ends with
 * the token that ends it; what is compared there must be equal byte for byte. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "data/chat.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"

static ib_status add(ib_ids *spans, size_t from, size_t to, int learned)
{
    return ib_ids_append(spans, (int32_t)from) || ib_ids_append(spans, (int32_t)to) || ib_ids_append(spans, learned)
               ? IB_ENOMEM
               : IB_OK;
}

static int learned(const ib_chat *c, size_t i)
{
    return c->unlearned && c->unlearned[i] ? -1 : 1;
}

/* One span a message of the assistant, in order, or it does not matter which is which. */
static ib_status marked(const ib_chat *c, const ib_template_result *whole, ib_ids *spans)
{
    const size_t n = json_object_array_length(c->messages), marks = (size_t)whole->spans.n / 2;
    size_t said = 0, unlearned = 0, i = 0;
    for (size_t k = 0; k < n; k++) {
        said += (size_t)ib_message_is(c->messages, k, "assistant");
        unlearned += learned(c, k) < 0;
    }
    if (unlearned && said != marks)
        return ib_fail(IB_EUNSUPPORTED,
                       "the chat template marks %zu texts as the assistant's for %zu messages: which of them have "
                       "weight 0 cannot be told",
                       marks, said);
    for (size_t k = 0; k < marks; k++, i++) {
        while (said == marks && !ib_message_is(c->messages, i, "assistant"))
            i++;
        if (add(spans, (size_t)whole->spans.id[2 * k], (size_t)whole->spans.id[2 * k + 1],
                said == marks ? learned(c, i) : 1))
            return IB_ENOMEM;
    }
    return IB_OK;
}

static int begins(const ib_template_result *whole, const ib_template_result *part)
{
    return whole->n >= part->n && !memcmp(whole->text, part->text, part->n);
}

/* The last control token in text[n] into *token, NULL if there is none: its bytes, *end behind it. */
static ib_status last_control(ib_tokenizer *t, const char *text, size_t n, const char **token, size_t *length,
                              size_t *end)
{
    ib_ids ids = {0};
    const ib_status status = ib_tokenize(t, text, n, 1, &ids);
    *token = NULL;
    for (int64_t i = ids.n - 1; i >= 0 && !*token && !status; i--)
        if (ib_token_is_control(t, ids.id[i]))
            *token = ib_token_bytes(t, ids.id[i], length);
    ib_free_ids(&ids);
    *end = n;
    while (*token && *end > *length && memcmp(text + *end - *length, *token, *length))
        --*end;
    return status;
}

static int is_space(const char *s, size_t n)
{
    while (n && strchr(" \t\r\n", s[n - 1]) && s[n - 1])
        n--;
    return !n;
}

/* `before` ends where the reply begins, `with` behind it. In the whole text too it ends with its control token; where
 * the template shortens earlier turns, as some do with thoughts, that is the first one there. */
static ib_status turn(ib_tokenizer *t, const ib_template_result *before, const ib_template_result *with,
                      const ib_template_result *whole, size_t *end)
{
    size_t length = 0, own = 0;
    if (!begins(with, before) || !begins(whole, before))
        return ib_fail(IB_EUNSUPPORTED,
                       "the chat template opens a reply otherwise than it writes this one, so what is learned of it "
                       "cannot be told: --template NAME renders with another one");
    const char *said = with->text + before->n, *token;
    const ib_status status = last_control(t, said, with->n - before->n, &token, &length, &own);
    if (status)
        return status;
    if (begins(whole, with)) {
        *end = token && is_space(said + own, with->n - before->n - own) ? before->n + own : with->n;
        return IB_OK;
    }
    const char *first = token ? memmem(said, with->n - before->n, token, length) : NULL;
    const char *there = token ? memmem(whole->text + before->n, whole->n - before->n, token, length) : NULL;
    if (!there || first + length != said + own)
        return ib_fail(IB_EUNSUPPORTED,
                       "the chat template writes this message otherwise once others follow it, so what is learned of "
                       "it cannot be told: --template NAME renders with another one");
    *end = (size_t)(there - whole->text) + length;
    return IB_OK;
}

static ib_status one_turn(ib_tokenizer *t, const ib_template *template, const ib_chat *c, size_t i,
                          const ib_template_result *whole, ib_ids *spans)
{
    ib_template_result before = {0}, with = {0};
    size_t end = 0;
    ib_status status = ib_chat_render(t, template, c, (int)i, 1, &before);
    if (!status)
        status = ib_chat_render(t, template, c, (int)i + 1, 0, &with);
    if (!status)
        status = turn(t, &before, &with, whole, &end);
    if (!status)
        status = add(spans, before.n, end, learned(c, i));
    else
        ib_error_prefix("message %zu", i + 1);
    ib_template_result *both[] = {&before, &with};
    for (int k = 0; k < 2; k++) {
        ib_free(both[k]->text);
        ib_free_ids(&both[k]->spans);
    }
    return status;
}

ib_status ib_chat_spans(ib_tokenizer *t, const ib_template *template, const ib_chat *c, const ib_template_result *whole,
                        ib_ids *spans)
{
    if (whole->n > INT32_MAX)
        return ib_fail(IB_EUNSUPPORTED, "a conversation of %zu bytes", whole->n);
    if (ib_template_generates(template))
        return marked(c, whole, spans);
    ib_status status = IB_OK;
    for (size_t i = 0; i < json_object_array_length(c->messages) && !status; i++)
        if (ib_message_is(c->messages, i, "assistant"))
            status = one_turn(t, template, c, i, whole, spans);
    return status;
}
