/* save_tokenizer.c - a tokenizer into a GGUF header, or into a Hugging Face folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/save/save.h"

size_t ib_token_file_text(const ib_tokenizer *t, int32_t id, char *out, size_t room)
{
    const char *s = t->pool + t->token[id].at;
    size_t n = t->token[id].n;
    if (2 * n + 1 > room)
        n = (room - 1) / 2;
    if (t->byte_level && t->token[id].kind == IB_TOKEN_NORMAL)
        n = ib_alphabet_text(s, n, out);
    else
        memcpy(out, s, n);
    out[n] = 0;
    return n;
}

static int by_rank(const void *a, const void *b)
{
    return (*(const ib_merge *const *)a)->rank - (*(const ib_merge *const *)b)->rank;
}
const ib_merge **ib_ranked_merges(const ib_tokenizer *t, int64_t *n)
{
    const ib_merge **list = ib_alloc((size_t)t->merges * sizeof *list);
    *n = 0;
    for (uint32_t i = 0; list && i < t->merges; i++)
        if (t->merge[i].pair != UINT64_MAX)
            list[(*n)++] = &t->merge[i];
    if (list)
        qsort(list, (size_t)*n, sizeof *list, by_rank);
    return list;
}

/* GGUF has three places for tokens that end a text; the tokenizer's own is in the first. */
static ib_status put_ends(ib_gguf_writer *w, const ib_lm *m, int32_t eos)
{
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    int k = eos >= 0;
    if (k)
        ib_gguf_put_u32(w, keys[0], (uint32_t)eos);
    for (int i = 0; i < m->n_ends; i++) {
        if (m->end[i] < 0 || m->end[i] == eos)
            continue;
        if (k == 3)
            return ib_fail(IB_EUNSUPPORTED,
                           "a GGUF file can name three tokens that end a text, this model has %d: shorten the list in "
                           "generation_config.json",
                           m->n_ends);
        ib_gguf_put_u32(w, keys[k++], (uint32_t)m->end[i]);
    }
    return IB_OK;
}

ib_status ib_save_tokenizer_gguf(ib_gguf_writer *w, const ib_lm *m, const char *source)
{
    ib_tokenizer *t = source ? ib_tokenizer_open(source) : NULL;
    if (!t)
        return source ? ib_error_status() : IB_OK;
    const int n = ib_tokenizer_size(t);
    int64_t merges = 0;
    const ib_merge **merge = ib_ranked_merges(t, &merges);
    char *pool = ib_alloc(2 * t->pool_size + 1024 + (size_t)merges * 2), *at = pool, buf[4096], right[2048];
    const int64_t most = n > merges ? n : merges;
    const char **text = ib_alloc((size_t)most * sizeof *text);
    int *length = ib_alloc((size_t)most * sizeof *length);
    int32_t *kind = ib_alloc((size_t)n * sizeof *kind);
    float *score = ib_alloc((size_t)n * sizeof *score);
    char pre[IB_PRE_NAME] = "default";
    ib_status status = merge && pool && text && length && kind && score ? IB_OK : ib_error_status();
    if (!status && t->byte_level)
        status = ib_tokenizer_pre(t, pre);
    for (int id = 0; id < n && !status; id++) {
        length[id] = (int)ib_token_file_text(t, id, buf, sizeof buf);
        text[id] = memcpy(at, buf, (size_t)length[id]);
        at += length[id];
        kind[id] = t->token[id].kind ? t->token[id].kind : IB_TOKEN_UNUSED;
        score[id] = t->by_score ? t->token[id].score : -1e6f;
    }
    for (int64_t i = 0; i < merges && !status && !t->byte_level; i++) /* SentencePiece's score says the same as a
                                                                         rank */
        if (score[merge[i]->id] == -1e6f)
            score[merge[i]->id] = -(float)merge[i]->rank;
    if (!status) {
        ib_gguf_put_string(w, "tokenizer.ggml.model", t->byte_level ? "gpt2" : "llama");
        ib_gguf_put_string(w, "tokenizer.ggml.pre", pre);
        ib_gguf_put_strings(w, "tokenizer.ggml.tokens", n, text, length);
        ib_gguf_put_i32s(w, "tokenizer.ggml.token_type", n, kind);
        if (!t->byte_level)
            ib_gguf_put_f32s(w, "tokenizer.ggml.scores", n, score);
        const struct {
            const char *key;
            int32_t id;
        } ids[] = {{"bos", t->bos}, {"unknown", t->unk}, {"padding", t->pad}};
        for (int i = 0; i < 3; i++) {
            ib_snprintf(buf, sizeof buf, "tokenizer.ggml.%s_token_id", ids[i].key);
            if (ids[i].id >= 0)
                ib_gguf_put_u32(w, buf, (uint32_t)ids[i].id);
        }
        status = put_ends(w, m, t->eos);
        ib_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", t->add_bos);
        ib_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", t->prefix_space);
        if (t->chat_template)
            ib_gguf_put_string(w, "tokenizer.chat_template", t->chat_template);
        if (t->tool_template) {
            const char *const named[] = {"tool_use"};
            ib_gguf_put_strings(w, "tokenizer.chat_templates", 1, named, (const int[]){8});
            ib_gguf_put_string(w, "tokenizer.chat_template.tool_use", t->tool_template);
        }
    }
    if (!status && t->byte_level) {
        at = pool;
        ib_free(pool);
        pool = at = ib_alloc((size_t)merges * 600 + 1);
        status = pool ? IB_OK : IB_ENOMEM;
        for (int64_t i = 0; i < merges && !status; i++) {
            size_t a = ib_token_file_text(t, (int32_t)(merge[i]->pair >> 32), buf, 300),
                   b = ib_token_file_text(t, (int32_t)(merge[i]->pair & 0xffffffffu), right, 298);
            memcpy(at, buf, a);
            at[a] = ' ';
            memcpy(at + a + 1, right, b);
            text[i] = at;
            length[i] = (int)(a + b + 1);
            at += length[i];
        }
        if (!status)
            ib_gguf_put_strings(w, "tokenizer.ggml.merges", merges, text, length);
    }
    ib_free(merge);
    ib_free(pool);
    ib_free(text);
    ib_free(length);
    ib_free(kind);
    ib_free(score);
    ib_tokenizer_free(t);
    return status;
}

static ib_status copy_file(const char *from, const char *to)
{
    size_t size;
    struct stat info;
    if (stat(from, &info))
        return IB_OK;
    unsigned char *bytes = ib_file_read(from, &size);
    const ib_status status = bytes ? ib_file_replace(to, bytes, size) : ib_error_status();
    ib_free(bytes);
    return status;
}

ib_status ib_save_tokenizer_hf(const char *folder, const char *source)
{
    struct stat info;
    char from[1024], to[1024];
    if (!stat(source, &info) && S_ISDIR(info.st_mode)) {
        static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                            "chat_template.jinja", "generation_config.json"};
        ib_status status = IB_OK;
        for (size_t i = 0; i < sizeof files / sizeof *files && !status; i++) {
            ib_snprintf(from, sizeof from, "%s/%s", source, files[i]);
            ib_snprintf(to, sizeof to, "%s/%s", folder, files[i]);
            status = copy_file(from, to);
        }
        return status;
    }
    ib_tokenizer *t = ib_tokenizer_open(source);
    ib_gguf *f = t ? ib_gguf_open(source) : NULL;
    char *pre = f ? ib_gguf_string(f, "tokenizer.ggml.pre") : NULL;
    ib_status status = f ? IB_OK : ib_error_status();
    ib_snprintf(to, sizeof to, "%s/tokenizer.json", folder);
    if (!status)
        status = ib_write_tokenizer_json(to, t, pre ? pre : "default");
    ib_snprintf(to, sizeof to, "%s/tokenizer_config.json", folder);
    if (!status)
        status = ib_write_tokenizer_config(to, t);
    ib_free(pre);
    ib_gguf_close(f);
    ib_tokenizer_free(t);
    return status;
}
