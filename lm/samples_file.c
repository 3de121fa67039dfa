/* samples_file.c - JSONL and plain text as training rows. */
#include <stdlib.h>
#include <string.h>

#include "files/safetensors.h"
#include "lm/samples.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"

typedef struct reader {
    ib_tokenizer *t;
    const ib_samples_opts *o;
    ib_samples *s;
    ib_ids ids, mask; /* of the sample under way */
    int seq, chat;      /* chat: the sample came as messages */
} reader;

static ib_status put(reader *r, int32_t id, int learned)
{
    return ib_ids_append(&r->ids, id) || ib_ids_append(&r->mask, learned) ? IB_ENOMEM : IB_OK;
}

static ib_status put_text(reader *r, const char *text, size_t n, int learned)
{
    const int64_t before = r->ids.n;
    ib_status status = ib_tokenize(r->t, text, n, 0, &r->ids);
    for (int64_t i = before; i < r->ids.n && !status; i++)
        status = ib_ids_append(&r->mask, learned);
    return status;
}

static ib_status put_bos(reader *r)
{
    return ib_tokenizer_adds_bos(r->t) ? put(r, ib_tokenizer_bos(r->t), 0) : IB_OK;
}

static ib_status put_eos(reader *r)
{
    return ib_tokenizer_eos(r->t) >= 0 ? put(r, ib_tokenizer_eos(r->t), 1) : IB_OK;
}

static ib_status put_messages(reader *r, struct json_object *list)
{
    const int n = json_object_is_type(list, json_type_array) ? (int)json_object_array_length(list) : 0;
    ib_message *m = n ? ib_alloc((size_t)n * sizeof *m) : NULL;
    if (!n)
        return ib_fail(IB_EFORMAT, "has no messages");
    if (!m)
        return IB_ENOMEM;
    ib_status status = IB_OK;
    for (int i = 0; i < n && !status; i++) {
        struct json_object *o = json_object_array_get_idx(list, (size_t)i);
        m[i] = (ib_message){ib_json_text(o, "role"), ib_json_text(o, "content")};
        if (!m[i].role || !m[i].content)
            status = ib_fail(IB_EFORMAT, "message %d has no role or no content", i + 1);
    }
    if (!status)
        status = ib_chat_tokens(r->t, r->o->chat, m, n, 0, &r->ids, &r->mask);
    for (int64_t i = 0; i < r->mask.n && !status && r->o->train_on_prompts; i++)
        r->mask.id[i] = 1;
    ib_free(m);
    return status;
}

static ib_status put_line(reader *r, struct json_object *o)
{
    struct json_object *messages = ib_json_get(o, "messages");
    const char *prompt = ib_json_text(o, "prompt"), *completion = ib_json_text(o, "completion"), *text = ib_json_text(o, "text");
    if ((r->chat = messages != NULL))
        return put_messages(r, messages);
    ib_status status;
    if (prompt && completion) {
        if (!(status = put_bos(r)) && !(status = put_text(r, prompt, strlen(prompt), r->o->train_on_prompts)) &&
            !(status = put_text(r, completion, strlen(completion), 1)))
            status = put_eos(r);
        return status;
    }
    if (!text)
        return ib_fail(IB_EFORMAT, "has neither messages, nor prompt and completion, nor text");
    if (!(status = put_bos(r)) && !(status = put_text(r, text, strlen(text), 1)))
        status = put_eos(r);
    return status;
}

static ib_status finish_sample(reader *r)
{
    const int32_t bos = ib_tokenizer_bos(r->t), eos = ib_tokenizer_eos(r->t);
    if (r->ids.n > 1 && bos >= 0 && bos != eos && ib_tokenizer_adds_bos(r->t) && r->ids.id[0] == bos && r->ids.id[1] == bos)
        return ib_fail(IB_EINVAL, "begins with two BOS tokens: the text brings one and the model adds one");
    const int64_t end = r->ids.n < r->seq ? r->ids.n : r->seq;
    r->s->learns_end |= eos < 0 && !r->chat; /* a model without an end token has none to learn */
    for (int64_t i = 1; i < end; i++)
        r->s->learns_end |= r->mask.id[i] && ib_token_is_control(r->t, r->ids.id[i]);
    const ib_status status = ib_samples_add(r->s, r->ids.id, r->mask.id, r->ids.n, r->seq, r->o->no_pack);
    r->ids.n = r->mask.n = 0;
    return status;
}

static ib_status read_jsonl(reader *r, const char *path, const char *text, size_t size)
{
    int64_t number = 0;
    ib_status status = IB_OK;
    struct json_tokener *parser = json_tokener_new();
    if (!parser)
        return ib_fail(IB_ENOMEM, "%s: out of memory", path);
    for (const char *line = text, *end = text + size; line < end && !status;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const size_t n = (size_t)((stop ? stop : end) - line);
        size_t blank = 0;
        number++;
        while (blank < n && strchr(" \t\r", line[blank]))
            blank++;
        if (blank < n) {
            json_tokener_reset(parser);
            struct json_object *o = n < INT32_MAX ? json_tokener_parse_ex(parser, line, (int)n) : NULL;
            if (json_tokener_get_error(parser) == json_tokener_continue)
                o = json_tokener_parse_ex(parser, "", 1); /* a number at the end */
            if (!json_object_is_type(o, json_type_object))
                status = ib_fail(IB_EFORMAT, "is not a JSON object (%s)", json_tokener_error_desc(json_tokener_get_error(parser)));
            else if (!(status = put_line(r, o)))
                status = finish_sample(r);
            json_object_put(o);
            if (status)
                ib_error_prefix("%s: line %lld", path, (long long)number);
        }
        line += n + 1;
    }
    json_tokener_free(parser);
    return status;
}

/* Windows of seq tokens one behind the other; a BOS before each if the model wants one. */
static ib_status read_text(reader *r, const char *path, const char *text, size_t size)
{
    ib_status status = put_text(r, text, size, 1);
    if (status) {
        ib_error_prefix("%s", path);
        return status;
    }
    const int bos = ib_tokenizer_adds_bos(r->t), step = r->seq - bos;
    int32_t *window = ib_alloc((size_t)r->seq * sizeof *window);
    if (!window)
        return IB_ENOMEM;
    window[0] = ib_tokenizer_bos(r->t);
    for (int64_t i = 0; i < r->ids.n && !status; i += step) {
        const int64_t n = r->ids.n - i < step ? r->ids.n - i : step;
        memcpy(window + bos, r->ids.id + i, (size_t)n * sizeof *window);
        if (n > 1)
            status = ib_samples_add(r->s, window, r->mask.id, n + bos, r->seq, 1);
    }
    r->s->learns_end = 1; /* a running text has no end to learn */
    ib_free(window);
    return status;
}

ib_samples *ib_samples_open(const char *path, ib_tokenizer *t, const ib_samples_opts *o)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(t, NULL);
    static const ib_samples_opts defaults;
    o = o ? o : &defaults;
    IB_TAKE_OR(o->seq, o->seq == 0 || (o->seq >= 2 && o->seq <= 1 << 20), NULL, "is %d: rows have 2 to 2^20 tokens", o->seq);
    const size_t n = strlen(path);
    const int jsonl = n > 6 && !strcmp(path + n - 6, ".jsonl");
    reader r = {t, o, ib_alloc(sizeof(ib_samples)), {0}, {0}, o->seq ? o->seq : 512, 0};
    size_t size;
    unsigned char *text = r.s ? ib_file_read(path, &size) : NULL;
    ib_status status = text ? IB_OK : ib_error_status();
    if (!status && (r.seq < 2 || r.seq > 1 << 20))
        status = ib_fail(IB_EINVAL, "rows of %d tokens", r.seq);
    if (!status)
        status = jsonl ? read_jsonl(&r, path, (const char *)text, size) : read_text(&r, path, (const char *)text, size);
    if (!status && !r.s->info.samples)
        status = ib_fail(IB_EFORMAT, "%s: holds no data", path);
    else if (!status && !r.s->info.rows)
        status = ib_fail(IB_EINVAL, "%s: all tokens of all %lld samples are masked: there is nothing to learn (rows are cut at %d tokens)", path,
                         (long long)r.s->info.samples, r.seq);
    else if (!status && !r.s->learns_end)
        status = ib_fail(IB_EINVAL, "%s: no sample teaches where to stop: every end token is masked or cut off at %d tokens", path, r.seq);
    ib_free(text);
    ib_free_ids(&r.ids);
    ib_free_ids(&r.mask);
    if (status) {
        ib_samples_free(r.s);
        return NULL;
    }
    return r.s;
}
