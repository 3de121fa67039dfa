/* tokenizer_json.c - tokenizer.json and tokenizer_config.json of Hugging Face. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "text/tokenizer.h"
#include "text/tokenizer_fields.h"
#include "files/safetensors.h"
#include "base/alloc.h"
#include "base/error.h"

/* The list that a Sequence holds, each of whose members goes to `read`. */
typedef ib_status (*reading)(ib_tokenizer *t, struct json_object *o);
static ib_status read_sequence(ib_tokenizer *t, struct json_object *o, const char *key, reading read)
{
    struct json_object *list = ib_json_get(o, key);
    ib_status status = IB_OK;
    if (!json_object_is_type(list, json_type_array))
        return ib_fail(IB_EFORMAT, "a Sequence has no %s", key);
    for (size_t i = 0; i < json_object_array_length(list) && !status; i++)
        status = read(t, json_object_array_get_idx(list, i));
    return status;
}

/* The type of a part after its fields have been checked; NULL with *status, also where there is no part. */
static const char *part(const char *object, struct json_object *o, ib_status *status)
{
    const char *type = ib_json_text(o, "type");
    *status = !o     ? IB_OK
              : type ? ib_tokenizer_fields(object, type, o)
                     : ib_fail(IB_EFORMAT, "its %s has no type", object);
    return *status ? NULL : type;
}

static ib_status read_split(ib_tokenizer *t, struct json_object *o)
{
    struct json_object *pattern = ib_json_get(o, "pattern");
    const char *regex = ib_json_text(pattern, "Regex"), *plain = ib_json_text(pattern, "String");
    const char *behavior = ib_json_text(o, "behavior");
    if (plain && !strcmp(plain, " ") && t->spaces)
        return IB_OK; /* Gemma splits at spaces that its normalizer has replaced: nothing to do */
    if (!regex || !behavior || strcmp(behavior, "Isolated"))
        return ib_fail(
            IB_EUNSUPPORTED,
            "its pre_tokenizer Split at '%.60s' is '%s': regular expressions that are Isolated are supported",
            regex   ? regex
            : plain ? plain
                    : "?",
            behavior ? behavior : "?");
    return ib_tokenizer_add_split(t, regex);
}

static ib_status read_metaspace(ib_tokenizer *t, struct json_object *o)
{
    const char *scheme = ib_json_text(o, "prepend_scheme");
    if (ib_json_number(o, "split", 1) != 0)
        return ib_fail(IB_EUNSUPPORTED,
                       "pre_tokenizer Metaspace: 'split' is true: words that end at each space are not supported");
    if (scheme && strcmp(scheme, "first") && strcmp(scheme, "always") && strcmp(scheme, "never"))
        return ib_fail(IB_EUNSUPPORTED, "pre_tokenizer Metaspace: 'prepend_scheme' is '%s'", scheme);
    t->prefix_space = scheme ? strcmp(scheme, "never") != 0 : ib_json_number(o, "add_prefix_space", 1) != 0;
    t->prefix_once = scheme && !strcmp(scheme, "first");
    t->spaces = 1;
    return IB_OK;
}

/* pre_tokenizer, alone or a Sequence */
static ib_status read_splits(ib_tokenizer *t, struct json_object *o)
{
    ib_status status;
    const char *type = part("pre_tokenizer", o, &status);
    if (!type)
        return status;
    if (t->byte_level)
        return ib_fail(IB_EUNSUPPORTED, "its pre_tokenizer has '%s' behind ByteLevel", type);
    if (!strcmp(type, "Sequence"))
        return read_sequence(t, o, "pretokenizers", read_splits);
    if (!strcmp(type, "Split"))
        return read_split(t, o);
    if (!strcmp(type, "Digits"))
        return ib_tokenizer_add_split(t, ib_json_number(o, "individual_digits", 0) ? "\\p{N}" : "\\p{N}+");
    if (!strcmp(type, "Metaspace"))
        return read_metaspace(t, o);
    t->byte_level = 1; /* ByteLevel */
    const int merges = t->ignore_merges;
    status = ib_json_number(o, "use_regex", 1) ? ib_tokenizer_named_split(t, "gpt-2") : IB_OK;
    t->ignore_merges = merges;
    return status;
}

/* Prepend and Replace of SentencePiece models, NFC of Qwen */
static ib_status read_normalizer(ib_tokenizer *t, struct json_object *o)
{
    ib_status status;
    const char *type = part("normalizer", o, &status);
    if (!type)
        return status;
    if (!strcmp(type, "Sequence"))
        return read_sequence(t, o, "normalizers", read_normalizer);
    t->prefix_space |= !strcmp(type, "Prepend");
    t->spaces |= !strcmp(type, "Replace");
    t->nfc |= !strcmp(type, "NFC");
    return IB_OK;
}

/* Decoders give the bytes of tokens, as is done here. */
static ib_status read_decoder(ib_tokenizer *t, struct json_object *o)
{
    ib_status status;
    const char *type = part("decoder", o, &status);
    return type && !strcmp(type, "Sequence") ? read_sequence(t, o, "decoders", read_decoder) : status;
}

/* Templates that put a token before a text; one behind it cannot be gone on with. */
static ib_status read_post(ib_tokenizer *t, struct json_object *o)
{
    ib_status status;
    const char *type = part("post_processor", o, &status);
    if (!type)
        return status;
    if (!strcmp(type, "Sequence"))
        return read_sequence(t, o, "processors", read_post);
    struct json_object *single = ib_json_get(o, "single");
    const size_t n = json_object_is_type(single, json_type_array) ? json_object_array_length(single) : 0;
    if (strcmp(type, "TemplateProcessing"))
        return IB_OK;
    struct json_object *first = n ? ib_json_get(json_object_array_get_idx(single, 0), "SpecialToken") : NULL;
    if (n < 1 || n > 2 || (n == 2) != (first != NULL) ||
        !ib_json_get(json_object_array_get_idx(single, n - 1), "Sequence"))
        return ib_fail(
            IB_EUNSUPPORTED,
            "post_processor TemplateProcessing: 'single' is %.80s: one token before the text is supported, none behind",
            json_object_to_json_string_ext(single, JSON_C_TO_STRING_PLAIN));
    const char *text = ib_json_text(first, "id");
    t->add_bos = first != NULL;
    t->bos = text ? ib_token_find(t, text, strlen(text)) : t->bos;
    return IB_OK;
}

/* A byte-level token's text is undone to bytes; others are taken as they are. */
static ib_status add(ib_tokenizer *t, int32_t id, const char *text, int kind)
{
    char bytes[1 << 12];
    size_t n = strlen(text);
    if (n > sizeof bytes)
        return ib_fail(IB_EUNSUPPORTED, "token %d has %zu bytes, at most %zu are possible", id, n, sizeof bytes);
    if (t->byte_level && kind == IB_TOKEN_NORMAL) {
        n = ib_alphabet_bytes(text, n, bytes);
        text = bytes;
    }
    return ib_tokenizer_add(t, id, text, n, 0, kind);
}

/* The number that tokenizers gives an added token: the vocabulary's, an earlier one's, or the next (AddedVocabulary's
 * add_tokens; what the file says of it is not asked there). */
static int32_t place_of(struct json_object *vocab, struct json_object *added, size_t at, int32_t top)
{
    const char *content = ib_json_text(json_object_array_get_idx(added, at), "content");
    struct json_object *known;
    const int32_t size = json_object_object_length(vocab);
    if (json_object_object_get_ex(vocab, content, &known))
        return json_object_get_int(known);
    for (size_t i = 0; i < at; i++) {
        const char *other = ib_json_text(json_object_array_get_idx(added, i), "content");
        if (other && !strcmp(other, content))
            return ib_int_of(ib_json_number(json_object_array_get_idx(added, i), "id", -1));
    }
    return top >= size ? top + 1 : size;
}

/* What is sought in normalized text has to be found there. */
static ib_status check_normalized(const ib_tokenizer *t, const char *content)
{
    char *composed = NULL;
    size_t n;
    if (t->prefix_space || (t->spaces && strchr(content, ' ')))
        return ib_fail(IB_EUNSUPPORTED,
                       "added token '%s': 'normalized' is true: tokens found in text with SentencePiece's spaces "
                       "are not supported",
                       content);
    const ib_status status = ib_tokenizer_compose(t, content, strlen(content), &composed, &n);
    const int other = composed != NULL;
    free(composed);
    return status || !other ? status
                            : ib_fail(IB_EUNSUPPORTED,
                                      "added token '%s': 'normalized' is true, and NFC makes it "
                                      "another text",
                                      content);
}

static ib_status read_added(ib_tokenizer *t, struct json_object *vocab, struct json_object *added)
{
    int32_t top = -1;
    for (size_t i = 0; json_object_is_type(added, json_type_array) && i < json_object_array_length(added); i++) {
        struct json_object *a = json_object_array_get_idx(added, i);
        const char *content = ib_json_text(a, "content");
        if (ib_tokenizer_fields("added token", "", a)) {
            ib_error_prefix("added token '%s'", content ? content : "?");
            return ib_error_status();
        }
        if (!content || !*content)
            return ib_fail(IB_EFORMAT, "added token %zu has no content", i + 1);
        const int32_t id = ib_int_of(ib_json_number(a, "id", -1)), place = place_of(vocab, added, i, top);
        const int normalized = ib_json_number(a, "normalized", 0) != 0;
        if (id != place)
            return ib_fail(IB_EFORMAT,
                           "added token '%s' has the number %d, but %d is its number by model.vocab and the added "
                           "tokens before it",
                           content, id, place);
        top = id > top ? id : top;
        if ((normalized && check_normalized(t, content)) ||
            add(t, id, content, ib_json_number(a, "special", 0) ? IB_TOKEN_CONTROL : IB_TOKEN_USER))
            return ib_error_status();
        t->token[id].normalized = (uint8_t)normalized;
    }
    return IB_OK;
}

static ib_status read_vocabulary(ib_tokenizer *t, struct json_object *root, struct json_object *model)
{
    struct json_object *vocab = ib_json_get(model, "vocab"), *added = ib_json_get(root, "added_tokens");
    if (!json_object_is_type(vocab, json_type_object))
        return ib_fail(IB_EFORMAT, "has no model.vocab");
    json_object_object_foreach(vocab, text, id)
    {
        const int n = (int)strlen(text), byte = !t->byte_level && n == 6 && !strncmp(text, "<0x", 3);
        const int at = json_object_is_type(id, json_type_int) ? json_object_get_int(id) : -1;
        if (at < 0 || (at < t->n && t->token[at].kind))
            return ib_fail(IB_EFORMAT, "model.vocab: the number of '%s' is %s, which is %s", text,
                           json_object_to_json_string(id), at < 0 ? "none" : "another token's too");
        if (add(t, at, text, byte ? IB_TOKEN_BYTE : IB_TOKEN_NORMAL))
            return ib_error_status();
    }
    return read_added(t, vocab, added);
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
        if (ib_tokenizer_add_merge(t, (int32_t)i, a, na, b, nb, 1)) {
            ib_error_prefix("model.merges: %.80s",
                            json_object_to_json_string_ext(m, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
            return ib_error_status();
        }
    }
    return IB_OK;
}

/* The number of the token that a key names, as a string or as {"content": ...}; -1: it names none. */
static ib_status read_named(const ib_tokenizer *t, struct json_object *config, const char *key, int32_t *id)
{
    const char *text = ib_json_text(config, key);
    if (!text)
        text = ib_json_text(ib_json_get(config, key), "content");
    *id = text ? ib_token_find(t, text, strlen(text)) : -1;
    return text && *text && *id < 0
               ? ib_fail(IB_EFORMAT, "tokenizer_config.json: '%s' is '%s', which is no token", key, text)
               : IB_OK;
}

static ib_status read_specials(ib_tokenizer *t, struct json_object *config)
{
    const struct {
        const char *key;
        int32_t *id;
    } specials[] = {{"bos_token", &t->bos}, {"eos_token", &t->eos}, {"unk_token", &t->unk}, {"pad_token", &t->pad}};
    const int32_t before = t->add_bos ? t->bos : -1; /* of the post-processor */
    ib_status status = IB_OK;
    for (int i = 0; i < 4 && !status; i++)
        status = read_named(t, config, specials[i].key, specials[i].id);
    if (!status && before >= 0 && t->bos >= 0 && t->bos != before)
        status =
            ib_fail(IB_EUNSUPPORTED, "post_processor puts token %d before a text, but bos_token is %d", before, t->bos);
    t->bos = before >= 0 ? before : t->bos;
    t->add_bos = ib_json_number(config, "add_bos_token", t->add_bos) != 0;
    return status;
}

/* Tokens that the configuration adds have to be those of tokenizer.json: transformers would add them to it. */
static ib_status check_added(const ib_tokenizer *t, struct json_object *config)
{
    struct json_object *added = ib_json_get(config, "added_tokens_decoder");
    if (!json_object_is_type(added, json_type_object))
        return IB_OK;
    json_object_object_foreach(added, number, value)
    {
        const char *text = ib_json_text(value, "content");
        char *end;
        const long id = strtol(number, &end, 10);
        const int there = !*end && id >= 0 && id < t->n;
        const size_t n = there ? t->token[id].n : 0;
        const char *own = there ? t->pool + t->token[id].at : "";
        if (!text || strlen(text) != n || memcmp(text, own, n))
            return ib_fail(IB_EFORMAT,
                           "tokenizer_config.json: 'added_tokens_decoder' says that token %s is '%s', tokenizer.json "
                           "has '%.*s' there",
                           number, text ? text : "?", (int)n, own);
    }
    return IB_OK;
}

static ib_status read_config(ib_tokenizer *t, const char *path)
{
    char *copy = ib_strdup(path), *folder = copy ? dirname(copy) : NULL;
    char *name = folder ? ib_format_text("%s/tokenizer_config.json", folder) : NULL;
    struct stat info;
    struct json_object *config = name && !stat(name, &info) ? ib_json_read(name) : NULL;
    ib_status status = !name ? IB_ENOMEM : !config && !stat(name, &info) ? ib_error_status() : IB_OK;
    const struct {
        const char *key, *why;
    } off[] = {{"add_eos_token", "a text that ends in a token cannot be gone on with"},
               {"split_special_tokens", "special tokens in a text are tokens, unless --literal is given"},
               {"add_prefix_space", "no space is put before a text"}};
    if (!status)
        status = read_specials(t, config);
    for (int i = 0; i < (t->byte_level ? 3 : 2) && !status; i++)
        if (ib_json_number(config, off[i].key, 0) != 0)
            status = ib_fail(IB_EUNSUPPORTED, "tokenizer_config.json: '%s' is true: %s", off[i].key, off[i].why);
    if (!status && !(status = check_added(t, config)))
        status = ib_tokenizer_read_templates(t, config, folder);
    json_object_put(config);
    ib_free(copy);
    ib_free(name);
    return status;
}

/* Characters without a token: bytes where the model falls back to them, else its unknown token. */
static ib_status read_unknown(ib_tokenizer *t, struct json_object *model)
{
    const int fallback = ib_json_number(model, "byte_fallback", 0) != 0;
    const char *text = ib_json_text(model, "unk_token");
    t->unknown_dropped = !text && !fallback; /* refused by name where a text has such a character */
    if (text && (t->unk = ib_token_find(t, text, strlen(text))) < 0)
        return ib_fail(IB_EFORMAT, "model: 'unk_token' is '%s', which is no token", text);
    for (int b = 0; b < 256 && !t->byte_level; b++) {
        if (fallback && t->byte_id[b] < 0)
            return ib_fail(IB_EUNSUPPORTED, "model: 'byte_fallback' is true, but there is no token <0x%02X>", b);
        if (!fallback)
            t->byte_id[b] = -1;
    }
    int lacks = !t->byte_level && !fallback;
    for (int b = 0; b < 0xF5 && t->byte_level; b++) /* of UTF-8 */
        lacks |= t->byte_id[b] < 0 && b != 0xC0 && b != 0xC1;
    if (lacks && text && ib_json_number(model, "fuse_unk", 0) != 0)
        return ib_fail(IB_EUNSUPPORTED,
                       "model: 'fuse_unk' is true, and not all bytes have tokens: unknown characters in a "
                       "row are a token each here");
    return IB_OK;
}

static ib_status not_a_kind(const ib_tokenizer *t)
{
    return ib_fail(
        IB_EUNSUPPORTED,
        t->spaces
            ? "its pieces are bytes and have SentencePiece's spaces too"
            : "its pieces are neither bytes (pre_tokenizer ByteLevel) nor SentencePiece's (Replace or Metaspace)");
}

ib_tokenizer *ib_tokenizer_from_json(const char *path)
{
    struct json_object *root = ib_json_read(path), *model = ib_json_get(root, "model");
    ib_tokenizer *t = root ? ib_alloc(sizeof *t) : NULL;
    const char *type = ib_json_text(model, "type");
    ib_status status = t ? IB_OK : ib_error_status();
    if (!status && (!model || (type && strcmp(type, "BPE"))))
        status = ib_fail(IB_EUNSUPPORTED, "a tokenizer of type '%s'; BPE is supported", type ? type : "none");
    if (!status) {
        t->bos = -1;
        t->ignore_merges = ib_json_number(model, "ignore_merges", 0) != 0;
        if (!(status = ib_tokenizer_fields("tokenizer.json", "", root)) &&
            !(status = ib_tokenizer_fields("model", "", model)) &&
            !(status = read_normalizer(t, ib_json_get(root, "normalizer"))) &&
            !(status = read_splits(t, ib_json_get(root, "pre_tokenizer"))) &&
            !(status = t->byte_level == t->spaces ? not_a_kind(t) : IB_OK) &&
            !(status = read_vocabulary(t, root, model)) && !(status = read_merges(t, model)) &&
            !(status = read_decoder(t, ib_json_get(root, "decoder"))) &&
            !(status = read_post(t, ib_json_get(root, "post_processor"))) && !(status = read_config(t, path)))
            status = ib_tokenizer_finish(t) ? ib_error_status() : read_unknown(t, model);
    }
    if (status && root)
        ib_error_prefix("%s", path);
    json_object_put(root);
    if (status) {
        ib_tokenizer_free(t);
        return NULL;
    }
    return t;
}
