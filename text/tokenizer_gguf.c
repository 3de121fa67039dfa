/* tokenizer_gguf.c - the tokenizer inside a GGUF file. */
#include <string.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/error.h"
#include "files/gguf.h"

static ib_status read_tokens(ib_tokenizer *t, const ib_gguf *f)
{
    const ib_gguf_kv *tokens = ib_gguf_find(f, "tokenizer.ggml.tokens"),
                     *scores = ib_gguf_find(f, "tokenizer.ggml.scores");
    const ib_gguf_kv *kinds = ib_gguf_find(f, "tokenizer.ggml.token_type");
    if (!tokens || tokens->of != IB_GGUF_STRING)
        return ib_fail(IB_EFORMAT, "has no tokenizer.ggml.tokens");
    if ((scores && (scores->of == IB_GGUF_STRING || scores->n != tokens->n)) ||
        (kinds && (kinds->of == IB_GGUF_STRING || kinds->n != tokens->n)))
        return ib_fail(IB_EFORMAT, "has %lld tokens, but another number of scores or types", (long long)tokens->n);
    size_t at = 0, n;
    const char *s;
    char bytes[1 << 12];
    for (int32_t id = 0; (s = ib_gguf_next_string(tokens, &at, &n)); id++) {
        const int kind = kinds ? ib_int_of(ib_gguf_element(kinds, id)) : IB_TOKEN_NORMAL;
        const float score = scores ? (float)ib_gguf_element(scores, id) : 0;
        if (kind < IB_TOKEN_NORMAL || kind > IB_TOKEN_BYTE)
            return ib_fail(IB_EFORMAT, "token %d has the type %d", id, kind);
        if (t->byte_level && kind == IB_TOKEN_NORMAL && n > sizeof bytes)
            return ib_fail(IB_EUNSUPPORTED, "token %d has %zu bytes", id, n);
        if (t->byte_level && kind == IB_TOKEN_NORMAL) {
            n = ib_alphabet_bytes(s, n, bytes);
            s = bytes;
        }
        if (ib_tokenizer_add(t, id, s, n, score, kind))
            return ib_error_status();
    }
    return IB_OK;
}

static ib_status read_merges(ib_tokenizer *t, const ib_gguf *f)
{
    const ib_gguf_kv *merges = ib_gguf_find(f, "tokenizer.ggml.merges");
    if (ib_tokenizer_index(t, merges ? merges->n : 0))
        return IB_ENOMEM;
    if (t->by_score)
        return IB_OK;
    if (!merges || merges->of != IB_GGUF_STRING)
        return ib_fail(IB_EFORMAT, "has no tokenizer.ggml.merges");
    size_t at = 0, n;
    const char *s;
    char left[1 << 12], right[1 << 12];
    for (int32_t rank = 0; (s = ib_gguf_next_string(merges, &at, &n)); rank++) {
        const char *space = n > 1 ? memchr(s + 1, ' ', n - 1) : NULL;
        if (!space || n > sizeof left)
            return ib_fail(IB_EFORMAT, "merge %d is not two pieces with a space between", rank);
        const size_t nl = ib_alphabet_bytes(s, (size_t)(space - s), left),
                     nr = ib_alphabet_bytes(space + 1, (size_t)(s + n - space - 1), right);
        if (ib_tokenizer_add_merge(t, rank, left, nl, right, nr, 0))
            return ib_error_status();
    }
    return IB_OK;
}

static ib_status read_all(ib_tokenizer *t, const ib_gguf *f)
{
    char *model = ib_gguf_string(f, "tokenizer.ggml.model"), *pre = ib_gguf_string(f, "tokenizer.ggml.pre");
    ib_status status = IB_OK;
    if (!model)
        status = ib_fail(IB_EFORMAT, "has no tokenizer.ggml.model");
    else if (!strcmp(model, "gpt2"))
        t->byte_level = 1;
    else if (!strcmp(model, "llama"))
        t->by_score = 1;
    else
        status = ib_fail(IB_EUNSUPPORTED, "has a tokenizer of kind '%s'; gpt2 and llama are supported", model);
    if (!status && t->byte_level && !pre)
        status = ib_fail(IB_EFORMAT, "has no tokenizer.ggml.pre, which says how text is cut into words: --tokenizer "
                                     "takes the model's tokenizer.json");
    if (!status && t->byte_level)
        status = ib_tokenizer_named_split(t, pre);
    static const char *const behind[] = {"tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_sep_token"};
    for (int i = 0; i < 2 && !status; i++)
        if (ib_gguf_number(f, behind[i], 0) != 0)
            status =
                ib_fail(IB_EUNSUPPORTED, "%s is true: a text that ends in a token cannot be gone on with", behind[i]);
    t->prefix_space = ib_gguf_number(f, "tokenizer.ggml.add_space_prefix", t->by_score) != 0;
    t->add_bos = ib_gguf_number(f, "tokenizer.ggml.add_bos_token", t->by_score || t->add_bos) != 0;
    t->bos = ib_int_of(ib_gguf_number(f, "tokenizer.ggml.bos_token_id", t->by_score ? 1 : -1));
    t->eos = ib_int_of(ib_gguf_number(f, "tokenizer.ggml.eos_token_id", t->by_score ? 2 : -1));
    t->unk = ib_int_of(ib_gguf_number(f, "tokenizer.ggml.unknown_token_id", t->by_score ? 0 : -1));
    t->pad = ib_int_of(ib_gguf_number(f, "tokenizer.ggml.padding_token_id", -1));
    t->chat_template = ib_gguf_string(f, "tokenizer.chat_template");
    t->tool_template = ib_gguf_string(f, "tokenizer.chat_template.tool_use");
    if (!status)
        status = read_tokens(t, f);
    if (!status)
        status = read_merges(t, f);
    if (!status)
        status = ib_tokenizer_finish(t);
    ib_free(model);
    ib_free(pre);
    return status;
}

ib_tokenizer *ib_tokenizer_from_gguf(const char *path)
{
    ib_gguf *f = ib_gguf_open(path);
    ib_tokenizer *t = f ? ib_alloc(sizeof *t) : NULL;
    if (t && read_all(t, f)) {
        ib_error_prefix("%s", path);
        ib_tokenizer_free(t);
        t = NULL;
    }
    ib_gguf_close(f);
    return t;
}
