/* chat_spans.c - where in a rendered conversation the assistant speaks. A template that has {% generation %} says it
 * itself. Else a turn begins where the template, asked for a reply to the messages before it, leaves off, and ends with
 * the token that ends it; what is compared there must be equal byte for byte. */
#include <string.h>

#include "text/chat.h"
#include "base/alloc.h"
#include "base/argument.h"

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

/* The control tokens in text[n]: id and where it begins and ends, one behind the other. */
static ib_status controls(ib_tokenizer *t, const char *text, size_t n, ib_ids *out)
{
    ib_ids ids = {0};
    ib_status status = ib_tokenize(t, text, n, 1, &ids);
    size_t at = 0;
    for (int64_t i = 0; i < ids.n && at < n && !status; i++) {
        const size_t end = at + ib_token_surface(t, ids.id[i], text, at);
        if (ib_token_is_control(t, ids.id[i]) &&
            (ib_ids_append(out, ids.id[i]) || ib_ids_append(out, (int32_t)at) || ib_ids_append(out, (int32_t)end)))
            status = IB_ENOMEM;
        at = end;
    }
    ib_free_ids(&ids);
    return status;
}

static int is_space(const char *s, size_t n)
{
    while (n && strchr(" \t\r\n", s[n - 1]) && s[n - 1])
        n--;
    return !n;
}

/* What the assistant says alone is said[n] with the control tokens `own`, in the whole conversation a beginning of
 * `text` with the control tokens `there`: where that ends. Up to its end both have the same control tokens, behind it
 * said has but further ones, and what text has is how said ends; 0: it cannot be told. */
static size_t end_within(const char *said, size_t n, const ib_ids *own, const char *text, const ib_ids *there)
{
    int64_t k = 0;
    while (k + 2 < own->n && k + 2 < there->n && own->id[k] == there->id[k])
        k += 3;
    size_t at = k ? (size_t)own->id[k - 1] : 0;
    for (int64_t i = k; k && i <= own->n; i += 3) { /* white space between what is left, and at the end */
        const size_t next = i < own->n ? (size_t)own->id[i + 1] : n;
        if (!is_space(said + at, next - at))
            return 0;
        at = i < own->n ? (size_t)own->id[i + 2] : n;
    }
    const size_t mine = k ? (size_t)own->id[k - 1] : 0, end = k ? (size_t)there->id[k - 1] : 0;
    return end <= mine && !memcmp(said + mine - end, text, end) ? end : 0; /* nothing but what it begins with is gone */
}

/* `before` ends where the reply begins, `with` behind it. What is learned ends with the reply's last control token, if
 * white space alone is behind that. Where the template shortens earlier turns, as some do with thoughts, or ends the
 * whole in a way of its own, the control tokens say where the turn ends. */
static ib_status turn(ib_tokenizer *t, const ib_template_result *before, const ib_template_result *with,
                      const ib_template_result *whole, size_t *end)
{
    ib_ids own = {0}, there = {0};
    if (!begins(with, before) || !begins(whole, before))
        return ib_fail(IB_EUNSUPPORTED,
                       "the chat template opens a reply otherwise than it writes this one, so what is learned of it "
                       "cannot be told: --template NAME renders with another one");
    const char *said = with->text + before->n;
    const size_t n = with->n - before->n;
    ib_status status = controls(t, said, n, &own);
    const size_t last = own.n ? (size_t)own.id[own.n - 1] : 0;
    size_t length = n;
    if (!status && begins(whole, with)) {
        length = last && is_space(said + last, n - last) ? last : n;
    } else if (!status && !(status = controls(t, whole->text + before->n, whole->n - before->n, &there))) {
        length = end_within(said, n, &own, whole->text + before->n, &there);
        if (!length)
            status = ib_fail(IB_EUNSUPPORTED, "the chat template writes this message otherwise once others follow it, "
                                              "so what is learned of it cannot be told: --template NAME renders with "
                                              "another one");
    }
    *end = before->n + length;
    ib_free_ids(&own);
    ib_free_ids(&there);
    return status;
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
