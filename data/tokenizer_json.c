/* tokenizer_json.c - tokenizer.json and tokenizer_config.json of Hugging Face. */
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "data/tokenizer.h"
#include "files/safetensors.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

/* pre_tokenizer, alone or a Sequence */
static ib_status read_splits(ib_tokenizer *t, struct json_object *o)
{
    const char *type = ib_json_text(o, "type");
    ib_status status = IB_OK;
    if (!type)
        return IB_OK;
    if (!strcmp(type, "Sequence")) {
        struct json_object *list = ib_json_get(o, "pretokenizers");
        for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list) && !status; i++)
            status = read_splits(t, json_object_array_get_idx(list, i));
    } else if (!strcmp(type, "Split")) {
        struct json_object *pattern = ib_json_get(o, "pattern");
        const char *regex = ib_json_text(pattern, "Regex"), *plain = ib_json_text(pattern, "String");
        if (regex)
            status = ib_tokenizer_add_split(t, regex);
        else if (!plain || strcmp(plain, " ")) /* Gemma splits at spaces that its normalizer has replaced: nothing to do */
            status = ib_fail(IB_EUNSUPPORTED, "its pre_tokenizer splits at '%s'", plain ? plain : "?");
    } else if (!strcmp(type, "Digits")) {
        status = ib_tokenizer_add_split(t, ib_json_number(o, "individual_digits", 0) ? "\\p{N}" : "\\p{N}+");
    } else if (!strcmp(type, "ByteLevel")) {
        t->byte_level = 1;
        if (ib_json_number(o, "use_regex", 1))
            status = ib_tokenizer_named_split(t, "gpt-2");
    } else if (!strcmp(type, "Metaspace")) {
        const char *scheme = ib_json_text(o, "prepend_scheme");
        t->prefix_space = scheme ? strcmp(scheme, "never") != 0 : ib_json_number(o, "add_prefix_space", 1) != 0;
    } else {
        status = ib_fail(IB_EUNSUPPORTED, "its pre_tokenizer '%s' is not supported", type);
    }
    return status;
}

/* Prepend and Replace of SentencePiece models, NFC of Qwen. Others change little text and are left out. */
static void read_normalizer(ib_tokenizer *t, struct json_object *o)
{
    const char *type = ib_json_text(o, "type");
    struct json_object *list = ib_json_get(o, "normalizers");
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        read_normalizer(t, json_object_array_get_idx(list, i));
    if (type && !strcmp(type, "Prepend"))
        t->prefix_space = 1;
    if (type && !strcmp(type, "NFC"))
        t->nfc = 1;
}

/* A byte-level token's text is undone to bytes; others are taken as they are. */
static ib_status add(ib_tokenizer *t, int32_t id, const char *text, int kind)
{
    char bytes[1 << 12];
    size_t n = strlen(text);
    if (t->byte_level && kind == IB_TOKEN_NORMAL && n <= sizeof bytes) {
        n = ib_alphabet_bytes(text, n, bytes);
        text = bytes;
    }
    return ib_tokenizer_add(t, id, text, n, 0, kind);
}

static ib_status read_vocabulary(ib_tokenizer *t, struct json_object *root, struct json_object *model)
{
    struct json_object *vocab = ib_json_get(model, "vocab"), *added = ib_json_get(root, "added_tokens");
    if (!json_object_is_type(vocab, json_type_object))
        return ib_fail(IB_EFORMAT, "has no model.vocab");
    json_object_object_foreach(vocab, text, id) {
        const int n = (int)strlen(text), byte = !t->byte_level && n == 6 && !strncmp(text, "<0x", 3);
        if (add(t, json_object_get_int(id), text, byte ? IB_TOKEN_BYTE : IB_TOKEN_NORMAL))
            return ib_error_status();
    }
    for (size_t i = 0; json_object_is_type(added, json_type_array) && i < json_object_array_length(added); i++) {
        struct json_object *a = json_object_array_get_idx(added, i);
        const char *content = ib_json_text(a, "content");
        if (content && add(t, ib_int_of(ib_json_number(a, "id", -1)), content, ib_json_number(a, "special", 0) ? IB_TOKEN_CONTROL : IB_TOKEN_USER))
            return ib_error_status();
    }
    return IB_OK;
}

static ib_status read_merges(ib_tokenizer *t, struct json_object *model)
{
    struct json_object *merges = ib_json_get(model, "merges");
    char left[1 << 12], right[1 << 12];
    const size_t count = json_object_is_type(merges, json_type_array) ? json_object_array_length(merges) : 0;
    if (ib_tokenizer_index(t, (int64_t)count))
        return IB_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_object *m = json_object_array_get_idx(merges, i);
        const char *a = NULL, *b = NULL;
        size_t na = 0, nb = 0;
        if (json_object_is_type(m, json_type_array) && json_object_array_length(m) == 2) {
            a = json_object_get_string(json_object_array_get_idx(m, 0));
            b = json_object_get_string(json_object_array_get_idx(m, 1));
            na = a ? strlen(a) : 0;
        } else if (json_object_is_type(m, json_type_string)) {
            a = json_object_get_string(m);
            b = *a ? strchr(a + 1, ' ') : NULL;
            na = b ? (size_t)(b - a) : 0;
            b = b ? b + 1 : NULL;
        }
        nb = b ? strlen(b) : 0;
        if (!na || !nb || na > sizeof left || nb > sizeof right)
            return ib_fail(IB_EFORMAT, "merge %zu is not two pieces", i);
        if (t->byte_level) {
            na = ib_alphabet_bytes(a, na, left);
            nb = ib_alphabet_bytes(b, nb, right);
            a = left;
            b = right;
        }
        ib_tokenizer_add_merge(t, (int32_t)i, a, na, b, nb);
    }
    return IB_OK;
}

/* The number of the token that a key names, as a string or as {"content": ...}. */
static int32_t named(ib_tokenizer *t, struct json_object *config, const char *key)
{
    const char *text = ib_json_text(config, key);
    if (!text)
        text = ib_json_text(ib_json_get(config, key), "content");
    return text ? ib_token_find(t, text, strlen(text)) : -1;
}

/* Templates that put a token before a text say so in the post-processor. */
static int adds_bos(struct json_object *post)
{
    struct json_object *list = ib_json_get(post, "processors"), *single = ib_json_get(post, "single");
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        if (adds_bos(json_object_array_get_idx(list, i)))
            return 1;
    return json_object_is_type(single, json_type_array) && json_object_array_length(single) > 1 &&
           ib_json_get(json_object_array_get_idx(single, 0), "SpecialToken") != NULL;
}

static ib_status read_config(ib_tokenizer *t, const char *path, struct json_object *root)
{
    char *copy = ib_strdup(path), *folder = copy ? dirname(copy) : NULL;
    char *name = folder ? ib_format_text("%s/tokenizer_config.json", folder) : NULL, *jinja = folder ? ib_format_text("%s/chat_template.jinja", folder) : NULL;
    struct stat info;
    struct json_object *config = name && !stat(name, &info) ? ib_json_read(name) : NULL;
    ib_status status = !name || !jinja ? IB_ENOMEM : !config && !stat(name, &info) ? ib_error_status() : IB_OK;
    t->bos = named(t, config, "bos_token");
    t->eos = named(t, config, "eos_token");
    t->unk = named(t, config, "unk_token");
    t->pad = named(t, config, "pad_token");
    t->add_bos = ib_json_number(config, "add_bos_token", adds_bos(ib_json_get(root, "post_processor"))) != 0;
    const char *text = ib_json_text(config, "chat_template");
    size_t size;
    if (text)
        t->chat_template = ib_strdup(text);
    else if (jinja && !stat(jinja, &info))
        t->chat_template = (char *)ib_file_read(jinja, &size); /* ends in a 0 */
    if (!status && !t->chat_template && (text || !stat(jinja, &info)))
        status = ib_error_status();
    json_object_put(config);
    ib_free(copy);
    ib_free(name);
    ib_free(jinja);
    return status;
}

ib_tokenizer *ib_tokenizer_from_json(const char *path)
{
    struct json_object *root = ib_json_read(path), *model = ib_json_get(root, "model");
    ib_tokenizer *t = root ? ib_alloc(sizeof *t) : NULL;
    const char *type = ib_json_text(model, "type");
    ib_status status = t ? IB_OK : ib_error_status();
    if (!status && (!model || (type && strcmp(type, "BPE"))))
        status = ib_fail(IB_EUNSUPPORTED, "%s: a tokenizer of type '%s'; BPE is supported", path, type ? type : "none");
    if (!status) {
        t->ignore_merges = ib_json_number(model, "ignore_merges", 0) != 0;
        read_normalizer(t, ib_json_get(root, "normalizer"));
        if ((status = read_splits(t, ib_json_get(root, "pre_tokenizer"))) || (status = read_vocabulary(t, root, model)) ||
            (status = read_merges(t, model)) || (status = read_config(t, path, root)) || (status = ib_tokenizer_finish(t)))
            ib_error_prefix("%s", path);
    }
    json_object_put(root);
    if (status) {
        ib_tokenizer_free(t);
        return NULL;
    }
    return t;
}
