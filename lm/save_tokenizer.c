/* save_tokenizer.c - a tokenizer from one kind of file to the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/tokenizer.h"
#include "lm/save.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

/* Token texts as files hold them: GPT-2's alphabet for byte-level ones. */
static size_t file_text(const ib_tokenizer *t, int32_t id, char *out, size_t room)
{
    size_t n;
    const char *s = ib_token_bytes(t, id, &n);
    if (2 * n + 1 > room)
        n = (room - 1) / 2;
    if (t->byte_level && t->token[id].kind == IB_TOKEN_NORMAL)
        n = ib_alphabet_text(s, n, out);
    else
        memcpy(out, s, n);
    out[n] = 0;
    return n;
}

/* Merges in the order of their ranks; the caller frees. */
static int by_rank(const void *a, const void *b)
{
    return (*(const ib_merge *const *)a)->rank - (*(const ib_merge *const *)b)->rank;
}
static const ib_merge **ranked(const ib_tokenizer *t, int64_t *n)
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

static const char *pre_name(const char *folder)
{
    /* the splitting pattern tells the family */
    char *path = ib_format_text("%s/tokenizer.json", folder);
    size_t size;
    char *text = path ? (char *)ib_file_read(path, &size) : NULL;
    const char *name = !text ? NULL : strstr(text, "{1,3}") ? "llama-bpe" : strstr(text, "(?i:") ? "qwen2" : strstr(text, "individual_digits") ? "smollm" : "gpt-2";
    ib_free(text);
    ib_free(path);
    return name;
}

ib_status ib_save_tokenizer_gguf(ib_gguf_writer *w, const char *source)
{
    ib_tokenizer *t = source ? ib_tokenizer_open(source) : NULL;
    if (!t)
        return source ? ib_error_status() : IB_OK;
    const int n = ib_tokenizer_size(t);
    int64_t merges = 0;
    const ib_merge **merge = ranked(t, &merges);
    char *pool = ib_alloc(2 * t->pool_size + 1024 + (size_t)merges * 2), *at = pool, buf[4096], right[2048];
    const int64_t most = n > merges ? n : merges;
    const char **text = ib_alloc((size_t)most * sizeof *text);
    int *length = ib_alloc((size_t)most * sizeof *length);
    int32_t *kind = ib_alloc((size_t)n * sizeof *kind);
    float *score = ib_alloc((size_t)n * sizeof *score);
    const char *pre = t->byte_level ? pre_name(source) : "default";
    ib_status status = merge && pool && text && length && kind && score && pre ? IB_OK : ib_error_status();
    for (int id = 0; id < n && !status; id++) {
        length[id] = (int)file_text(t, id, buf, sizeof buf);
        text[id] = memcpy(at, buf, (size_t)length[id]);
        at += length[id];
        kind[id] = t->token[id].kind ? t->token[id].kind : IB_TOKEN_UNUSED;
        score[id] = t->by_score ? t->token[id].score : -1e6f;
    }
    for (int64_t i = 0; i < merges && !status && !t->byte_level; i++) /* SentencePiece's score says the same as a rank */
        if (score[merge[i]->id] == -1e6f)
            score[merge[i]->id] = -(float)merge[i]->rank;
    if (!status) {
        ib_gguf_put_string(w, "tokenizer.ggml.model", t->byte_level ? "gpt2" : "llama");
        ib_gguf_put_string(w, "tokenizer.ggml.pre", pre);
        ib_gguf_put_strings(w, "tokenizer.ggml.tokens", n, text, length);
        ib_gguf_put_i32s(w, "tokenizer.ggml.token_type", n, kind);
        if (!t->byte_level)
            ib_gguf_put_f32s(w, "tokenizer.ggml.scores", n, score);
        const struct { const char *key; int32_t id; } ids[] = {{"bos", t->bos}, {"eos", t->eos}, {"unknown", t->unk}, {"padding", t->pad}};
        for (int i = 0; i < 4; i++) {
            snprintf(buf, sizeof buf, "tokenizer.ggml.%s_token_id", ids[i].key);
            if (ids[i].id >= 0)
                ib_gguf_put_u32(w, buf, (uint32_t)ids[i].id);
        }
        ib_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", t->add_bos);
        ib_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", t->prefix_space);
        if (t->chat_template)
            ib_gguf_put_string(w, "tokenizer.chat_template", t->chat_template);
    }
    if (!status && t->byte_level) {
        at = pool;
        ib_free(pool);
        pool = at = ib_alloc((size_t)merges * 600 + 1);
        status = pool ? IB_OK : IB_ENOMEM;
        for (int64_t i = 0; i < merges && !status; i++) {
            size_t a = file_text(t, (int32_t)(merge[i]->pair >> 32), buf, 300), b = file_text(t, (int32_t)(merge[i]->pair & 0xffffffffu), right, 298);
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

/* ---- tokenizer.json from a GGUF file ---- */

static struct json_object *object(const char *type)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "type", json_object_new_string(type));
    return o;
}

static void put(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add(o, key, value);
}

static struct json_object *byte_level(int use_regex)
{
    struct json_object *o = object("ByteLevel");
    put(o, "add_prefix_space", json_object_new_boolean(0));
    put(o, "trim_offsets", json_object_new_boolean(1));
    put(o, "use_regex", json_object_new_boolean(use_regex));
    return o;
}

static struct json_object *pre_tokenizer(const char *pre)
{
    struct json_object *o = object("Sequence"), *list = json_object_new_array();
    const int llama3 = !strncmp(pre, "llama", 5), qwen = !strcmp(pre, "qwen2");
    if (llama3 || qwen) {
        struct json_object *split = object("Split"), *pattern = json_object_new_object();
        char regex[300];
        snprintf(regex, sizeof regex, "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                 llama3 ? "{1,3}" : "");
        put(pattern, "Regex", json_object_new_string(regex));
        put(split, "pattern", pattern);
        put(split, "behavior", json_object_new_string("Isolated"));
        put(split, "invert", json_object_new_boolean(0));
        json_object_array_add(list, split);
    } else if (!strcmp(pre, "smollm")) {
        struct json_object *digits = object("Digits");
        put(digits, "individual_digits", json_object_new_boolean(1));
        json_object_array_add(list, digits);
    }
    json_object_array_add(list, byte_level(!(llama3 || qwen)));
    put(o, "pretokenizers", list);
    return o;
}

static struct json_object *added_tokens(const ib_tokenizer *t)
{
    struct json_object *list = json_object_new_array();
    for (int id = 0; id < t->n; id++) {
        if (t->token[id].kind != IB_TOKEN_CONTROL && t->token[id].kind != IB_TOKEN_USER)
            continue;
        struct json_object *a = json_object_new_object();
        put(a, "id", json_object_new_int(id));
        put(a, "content", json_object_new_string(t->pool + t->token[id].at));
        const char *const off[] = {"single_word", "lstrip", "rstrip", "normalized"};
        for (int i = 0; i < 4; i++)
            put(a, off[i], json_object_new_boolean(0));
        put(a, "special", json_object_new_boolean(t->token[id].kind == IB_TOKEN_CONTROL));
        json_object_array_add(list, a);
    }
    return list;
}

static ib_status write_byte_level(const char *path, const ib_tokenizer *t, const char *pre)
{
    struct json_object *root = json_object_new_object(), *model = object("BPE"), *vocab = json_object_new_object(), *merges = json_object_new_array();
    char a[4096], b[2048];
    int64_t n = 0;
    const ib_merge **merge = ranked(t, &n);
    for (int id = 0; id < t->n; id++) {
        file_text(t, id, a, sizeof a);
        put(vocab, a, json_object_new_int(id));
    }
    for (int64_t i = 0; merge && i < n; i++) {
        size_t k = file_text(t, (int32_t)(merge[i]->pair >> 32), a, 2000);
        file_text(t, (int32_t)(merge[i]->pair & 0xffffffffu), b, sizeof b);
        snprintf(a + k, sizeof a - k, " %s", b);
        json_object_array_add(merges, json_object_new_string(a));
    }
    put(root, "version", json_object_new_string("1.0"));
    put(root, "truncation", NULL);
    put(root, "padding", NULL);
    put(root, "added_tokens", added_tokens(t));
    put(root, "normalizer", NULL);
    put(root, "pre_tokenizer", pre_tokenizer(pre));
    put(root, "post_processor", NULL);
    put(root, "decoder", byte_level(1));
    put(model, "dropout", NULL);
    put(model, "unk_token", NULL);
    put(model, "fuse_unk", json_object_new_boolean(0));
    put(model, "byte_fallback", json_object_new_boolean(0));
    put(model, "ignore_merges", json_object_new_boolean(t->ignore_merges));
    put(model, "vocab", vocab);
    put(model, "merges", merges);
    put(root, "model", model);
    ib_free(merge);
    return ib_json_write(path, root);
}

static ib_status write_config(const char *path, const ib_tokenizer *t)
{
    struct json_object *o = json_object_new_object();
    const struct { const char *key; int32_t id; } names[] = {{"bos_token", t->bos}, {"eos_token", t->eos}, {"unk_token", t->unk}, {"pad_token", t->pad}};
    for (int i = 0; i < 4; i++)
        if (names[i].id >= 0)
            put(o, names[i].key, json_object_new_string(t->pool + t->token[names[i].id].at));
    put(o, "add_bos_token", json_object_new_boolean(t->add_bos));
    put(o, "tokenizer_class", json_object_new_string("PreTrainedTokenizerFast"));
    if (t->chat_template)
        put(o, "chat_template", json_object_new_string(t->chat_template));
    return ib_json_write(path, o);
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
        static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json"};
        ib_status status = IB_OK;
        for (size_t i = 0; i < sizeof files / sizeof *files && !status; i++) {
            snprintf(from, sizeof from, "%s/%s", source, files[i]);
            snprintf(to, sizeof to, "%s/%s", folder, files[i]);
            status = copy_file(from, to);
        }
        return status;
    }
    ib_tokenizer *t = ib_tokenizer_open(source);
    ib_gguf *f = t ? ib_gguf_open(source) : NULL;
    char *pre = f ? ib_gguf_string(f, "tokenizer.ggml.pre") : NULL;
    ib_status status = f ? IB_OK : ib_error_status();
    snprintf(to, sizeof to, "%s/tokenizer.json", folder);
    if (!status && t->byte_level)
        status = write_byte_level(to, t, pre ? pre : "default");
    else if (!status)
        status = ib_fail(IB_EUNSUPPORTED, "%s: a SentencePiece tokenizer is not written as tokenizer.json; copy the model's own into %s", source, folder);
    snprintf(to, sizeof to, "%s/tokenizer_config.json", folder);
    if (!status)
        status = write_config(to, t);
    ib_free(pre);
    ib_gguf_close(f);
    ib_tokenizer_free(t);
    return status;
}
