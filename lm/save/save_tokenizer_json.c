/* save_tokenizer_json.c - tokenizer.json and tokenizer_config.json, written from a tokenizer of either kind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/save/save.h"

#define SPACE "\xe2\x96\x81" /* U+2581, SentencePiece's space */

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

/* The splits one behind the other, the last of which may be the one that ByteLevel brings. */
static struct json_object *pre_tokenizer(const ib_tokenizer *t)
{
    struct json_object *o = object("Sequence"), *list = json_object_new_array();
    const int n = t->n_splits, own = n && !strncmp(t->pattern[n - 1], "'s|'t|'re|", 10);
    for (int i = 0; i < n - own; i++) {
        struct json_object *split = object("Split"), *pattern = json_object_new_object();
        put(pattern, "Regex", json_object_new_string(t->pattern[i]));
        put(split, "pattern", pattern);
        put(split, "behavior", json_object_new_string("Isolated"));
        put(split, "invert", json_object_new_boolean(0));
        json_object_array_add(list, split);
    }
    json_object_array_add(list, byte_level(own));
    put(o, "pretokenizers", list);
    return o;
}

static struct json_object *added_tokens(const ib_tokenizer *t)
{
    struct json_object *list = json_object_new_array();
    for (int id = 0; id < t->n; id++) {
        const int user = t->token[id].kind == IB_TOKEN_USER;
        if (!user && t->token[id].kind != IB_TOKEN_CONTROL && t->token[id].kind != IB_TOKEN_UNKNOWN)
            continue;
        struct json_object *a = json_object_new_object();
        put(a, "id", json_object_new_int(id));
        put(a, "content", json_object_new_string(t->pool + t->token[id].at));
        const char *const off[] = {"single_word", "lstrip", "rstrip", "normalized"};
        for (int i = 0; i < 4; i++)
            put(a, off[i], json_object_new_boolean(0));
        put(a, "special", json_object_new_boolean(!user));
        json_object_array_add(list, a);
    }
    return list;
}

/* {kind: {"id": id, "type_id": 0}}: one step of a template. */
static struct json_object *step(const char *kind, const char *id)
{
    struct json_object *o = json_object_new_object(), *inner = json_object_new_object();
    put(inner, "id", json_object_new_string(id));
    put(inner, "type_id", json_object_new_int(0));
    put(o, kind, inner);
    return o;
}

/* BOS before the text, for models that want it. */
static struct json_object *post_processor(const ib_tokenizer *t)
{
    if (!ib_tokenizer_adds_bos(t))
        return NULL;
    const char *bos = t->pool + t->token[t->bos].at;
    struct json_object *o = object("TemplateProcessing"), *single = json_object_new_array(),
                       *pair = json_object_new_array();
    struct json_object *known = json_object_new_object(), *token = json_object_new_object(),
                       *ids = json_object_new_array(), *texts = json_object_new_array();
    json_object_array_add(single, step("SpecialToken", bos));
    json_object_array_add(single, step("Sequence", "A"));
    json_object_array_add(pair, step("SpecialToken", bos));
    json_object_array_add(pair, step("Sequence", "A"));
    json_object_array_add(pair, step("Sequence", "B"));
    json_object_array_add(ids, json_object_new_int(t->bos));
    json_object_array_add(texts, json_object_new_string(bos));
    put(token, "id", json_object_new_string(bos));
    put(token, "ids", ids);
    put(token, "tokens", texts);
    put(known, bos, token);
    put(o, "single", single);
    put(o, "pair", pair);
    put(o, "special_tokens", known);
    return o;
}

/* ---- SentencePiece ---- */

static struct json_object *replace(const char *what, const char *by)
{
    struct json_object *o = object("Replace"), *pattern = json_object_new_object();
    put(pattern, "String", json_object_new_string(what));
    put(o, "pattern", pattern);
    put(o, "content", json_object_new_string(by));
    return o;
}

static struct json_object *piece_normalizer(const ib_tokenizer *t)
{
    struct json_object *o = object("Sequence"), *list = json_object_new_array();
    if (t->prefix_space) {
        struct json_object *prepend = object("Prepend");
        put(prepend, "prepend", json_object_new_string(SPACE));
        json_object_array_add(list, prepend);
    }
    json_object_array_add(list, replace(" ", SPACE));
    put(o, "normalizers", list);
    return o;
}

static struct json_object *piece_decoder(const ib_tokenizer *t)
{
    struct json_object *o = object("Sequence"), *list = json_object_new_array();
    json_object_array_add(list, replace(SPACE, " "));
    json_object_array_add(list, object("ByteFallback"));
    json_object_array_add(list, object("Fuse"));
    if (t->prefix_space) {
        struct json_object *strip = object("Strip");
        put(strip, "content", json_object_new_string(" "));
        put(strip, "start", json_object_new_int(1));
        put(strip, "stop", json_object_new_int(0));
        json_object_array_add(list, strip);
    }
    put(o, "decoders", list);
    return o;
}

/* A token as two others. */
typedef struct cut {
    float score;
    int32_t left, right;
    uint32_t n_left, n_right;
} cut;

/* Best score first as SentencePiece merges them; then the longer left part, as tokenizers that came from
 * SentencePiece have it. */
static int by_score(const void *a, const void *b)
{
    const cut *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->n_left != y->n_left)
        return x->n_left > y->n_left ? -1 : 1;
    if (x->n_right != y->n_right)
        return x->n_right > y->n_right ? -1 : 1;
    return x->left != y->left ? (x->left > y->left ? -1 : 1) : (x->right < y->right) - (x->right > y->right);
}

/* All ways to make a token of two others: SentencePiece merges any two neighbours whose joint text is a token. */
static struct json_object *merges_of_scores(const ib_tokenizer *t)
{
    struct json_object *list = json_object_new_array();
    cut *c = ib_alloc(t->pool_size * sizeof *c + 1);
    size_t n = 0;
    for (int32_t id = 0; c && id < t->n; id++) {
        const ib_token *k = &t->token[id];
        const char *s = t->pool + k->at;
        for (uint32_t at = 1; k->kind == IB_TOKEN_NORMAL && at < k->n; at++) {
            if (((uint8_t)s[at] & 0xC0) == 0x80)
                continue;
            const int32_t left = ib_token_find(t, s, at), right = ib_token_find(t, s + at, k->n - at);
            if (left >= 0 && right >= 0 && t->token[left].kind == IB_TOKEN_NORMAL &&
                t->token[right].kind == IB_TOKEN_NORMAL)
                c[n++] = (cut){k->score, left, right, at, k->n - at};
        }
    }
    if (c)
        qsort(c, n, sizeof *c, by_score);
    for (size_t i = 0; i < n; i++) {
        struct json_object *pair = json_object_new_array();
        json_object_array_add(pair, json_object_new_string(t->pool + t->token[c[i].left].at));
        json_object_array_add(pair, json_object_new_string(t->pool + t->token[c[i].right].at));
        json_object_array_add(list, pair);
    }
    ib_free(c);
    return list;
}

/* ---- byte-level BPE ---- */

static struct json_object *merges_of_ranks(const ib_tokenizer *t)
{
    struct json_object *list = json_object_new_array();
    char a[4096], b[2048];
    int64_t n = 0;
    const ib_merge **merge = ib_ranked_merges(t, &n);
    for (int64_t i = 0; merge && i < n; i++) {
        const size_t k = ib_token_file_text(t, (int32_t)(merge[i]->pair >> 32), a, 2000);
        ib_token_file_text(t, (int32_t)(merge[i]->pair & 0xffffffffu), b, sizeof b);
        ib_snprintf(a + k, sizeof a - k, " %s", b);
        json_object_array_add(list, json_object_new_string(a));
    }
    ib_free(merge);
    return list;
}

ib_status ib_write_tokenizer_json(const char *path, const ib_tokenizer *t, const char *pre)
{
    struct json_object *root = json_object_new_object(), *model = object("BPE"), *vocab = json_object_new_object();
    char text[4096];
    for (int id = 0; id < t->n; id++) {
        ib_token_file_text(t, id, text, sizeof text);
        put(vocab, text, json_object_new_int(id));
    }
    put(root, "version", json_object_new_string("1.0"));
    put(root, "truncation", NULL);
    put(root, "padding", NULL);
    put(root, "added_tokens", added_tokens(t));
    put(root, "normalizer", !t->byte_level ? piece_normalizer(t) : !strcmp(pre, "qwen2") ? object("NFC") : NULL);
    put(root, "pre_tokenizer", t->byte_level ? pre_tokenizer(t) : NULL);
    put(root, "post_processor", post_processor(t));
    put(root, "decoder", t->byte_level ? byte_level(1) : piece_decoder(t));
    put(model, "dropout", NULL);
    put(model, "unk_token", t->byte_level || t->unk < 0 ? NULL : json_object_new_string(t->pool + t->token[t->unk].at));
    put(model, "fuse_unk", json_object_new_boolean(!t->byte_level));
    put(model, "byte_fallback", json_object_new_boolean(!t->byte_level));
    put(model, "ignore_merges", json_object_new_boolean(t->ignore_merges));
    put(model, "vocab", vocab);
    put(model, "merges", t->by_score ? merges_of_scores(t) : merges_of_ranks(t));
    put(root, "model", model);
    return ib_json_write(path, root);
}

static void add_template(struct json_object *list, const char *name, const char *text)
{
    struct json_object *o = text ? json_object_new_object() : NULL;
    if (!o)
        return;
    put(o, "name", json_object_new_string(name));
    put(o, "template", json_object_new_string(text));
    json_object_array_add(list, o);
}

ib_status ib_write_tokenizer_config(const char *path, const ib_tokenizer *t)
{
    struct json_object *o = json_object_new_object();
    const struct {
        const char *key;
        int32_t id;
    } names[] = {{"bos_token", t->bos}, {"eos_token", t->eos}, {"unk_token", t->unk}, {"pad_token", t->pad}};
    for (int i = 0; i < 4; i++)
        if (names[i].id >= 0)
            put(o, names[i].key, json_object_new_string(t->pool + t->token[names[i].id].at));
    put(o, "add_bos_token", json_object_new_boolean(t->add_bos));
    put(o, "tokenizer_class", json_object_new_string("PreTrainedTokenizerFast"));
    if (t->tool_template) {
        struct json_object *several = json_object_new_array();
        add_template(several, "default", t->chat_template);
        add_template(several, "tool_use", t->tool_template);
        put(o, "chat_template", several);
    } else if (t->chat_template) {
        put(o, "chat_template", json_object_new_string(t->chat_template));
    }
    return ib_json_write(path, o);
}
