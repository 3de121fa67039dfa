/* samples_row.c - one row of any kind as a sample: its tokens, and which of them are learned. */
#include "base/argument.h"
#include "lm/samples/row_kinds.h"
#include "lm/samples/samples_reader.h"

static ib_status put(ib_samples_reader *r, int32_t id, int learned)
{
    return ib_ids_append(&r->ids, id) || ib_ids_append(&r->mask, learned) ? IB_ENOMEM : IB_OK;
}

ib_status ib_samples_put_text(ib_samples_reader *r, const char *text, size_t n, int learned)
{
    const int64_t before = r->ids.n;
    ib_status status = ib_tokenize(r->t, text, n, !r->o->literal, &r->ids);
    for (int64_t i = before; i < r->ids.n && !status; i++)
        status = ib_ids_append(&r->mask, learned);
    return status;
}

/* A member that must be text. */
static ib_status put_member(ib_samples_reader *r, const char *key, struct json_object *v, int learned)
{
    if (!json_object_is_type(v, json_type_string))
        return ib_fail(IB_EFORMAT, "%s is not text; conversations go into messages", key);
    return ib_samples_put_text(r, json_object_get_string(v), (size_t)json_object_get_string_len(v), learned);
}

static ib_status put_bos(ib_samples_reader *r)
{
    return ib_tokenizer_adds_bos(r->t) ? put(r, ib_tokenizer_bos(r->t), 0) : IB_OK;
}

/* The end token, if the text has not brought it. */
static ib_status put_eos(ib_samples_reader *r, int learned)
{
    const int32_t eos = ib_tokenizer_eos(r->t);
    const int64_t last = r->ids.n - 1;
    if (eos < 0 || (!r->o->literal && last >= 0 && r->ids.id[last] == eos && r->mask.id[last]))
        return IB_OK;
    return put(r, eos, learned);
}

static ib_status put_object(ib_samples_reader *r, struct json_object *o)
{
    ib_row_values v;
    ib_status status;
    const int kind = ib_row_kind(o, &r->ignore, &v);
    struct json_object *messages = kind < 0 ? NULL : ib_row_messages(kind, &v, &status);
    if (kind < 0 || (!messages && status))
        return ib_error_status();
    r->s->info.kinds[kind]++;
    if ((r->chat = messages != NULL)) {
        status = ib_samples_chat(r->t, r->o, &r->ignore, messages, &v, &r->ids, &r->mask);
        json_object_put(messages);
        return status;
    }
    if (v.tools || v.documents || v.chat_template_kwargs)
        return ib_fail(IB_EUNSUPPORTED, "the key '%s' goes with messages, which the row has not",
                       v.tools       ? "tools"
                       : v.documents ? "documents"
                                     : "chat_template_kwargs");
    if ((status = put_bos(r)))
        return status;
    r->s->info.prompts += v.prompt != NULL;
    if (v.text)
        status = put_member(r, "text", v.text, 1);
    else if (!(status = put_member(r, "prompt", v.prompt, r->o->train_on_prompts)))
        status = put_member(r, "completion", v.completion, 1);
    return status ? status : put_eos(r, 1);
}

/* The text that the template makes, whose end is learned if what stands before it is. */
static ib_status put_prompt(ib_samples_reader *r, struct json_object *o)
{
    if (!json_object_is_type(o, json_type_object))
        return ib_fail(IB_EFORMAT, "a row for a prompt template is an object");
    ib_status status = put_bos(r);
    const int64_t first = r->ids.n;
    r->s->info.templated++;
    if (!status)
        status = ib_samples_render(r, o);
    return status || r->ids.n == first ? status : put_eos(r, r->mask.id[r->ids.n - 1]);
}

static ib_status two_bos(const ib_samples_reader *r)
{
    const int32_t bos = ib_tokenizer_bos(r->t), eos = ib_tokenizer_eos(r->t);
    if (r->ids.n > 1 && bos >= 0 && bos != eos && ib_tokenizer_adds_bos(r->t) && r->ids.id[0] == bos &&
        r->ids.id[1] == bos)
        return ib_fail(IB_EINVAL, "begins with two BOS tokens: the text brings one and the model adds one");
    return IB_OK;
}

ib_status ib_samples_put_row(ib_samples_reader *r, struct json_object *o)
{
    const int32_t eos = ib_tokenizer_eos(r->t);
    ib_status status;
    r->chat = !r->prompt && json_object_is_type(o, json_type_array);
    r->s->info.kinds[0] += r->chat; /* messages, as the list alone */
    if (r->prompt)
        status = put_prompt(r, o);
    else if (r->chat)
        status = ib_samples_chat(r->t, r->o, &r->ignore, o, NULL, &r->ids, &r->mask);
    else if (json_object_is_type(o, json_type_object))
        status = put_object(r, o);
    else
        status = ib_fail(IB_EFORMAT, "a row is an object or a list of messages");
    if (status || (status = two_bos(r)))
        return status;
    const int64_t end = r->ids.n < r->seq ? r->ids.n : r->seq;
    r->s->info.chats += r->chat;
    r->s->learns_end |= eos < 0 && !r->chat; /* a model without an end token has none to learn */
    for (int64_t i = 1; i < end; i++)
        r->s->learns_end |= r->mask.id[i] && ib_token_is_control(r->t, r->ids.id[i]);
    status = ib_samples_add(r->s, r->ids.id, r->mask.id, r->ids.n, r->seq, r->o->no_pack);
    r->ids.n = r->mask.n = 0;
    return status;
}
