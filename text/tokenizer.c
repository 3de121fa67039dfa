/* tokenizer.c - the vocabulary: tokens by id and by bytes, merges, special tokens. */
#define _GNU_SOURCE /* qsort_r */
#include "text/template/template.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"

static uint32_t hash(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 16777619u;
    return h ^ h >> 15;
}

/* ---- GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the other 68 for U+0100 and up ---- */

static int is_printable(int b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
}

/* Byte k of the other 68: 0 to 32, 127 to 160, and 173 */
static uint8_t other(int k)
{
    return (uint8_t)(k < 33 ? k : k < 67 ? k + 94 : 173);
}

size_t ib_alphabet_bytes(const char *text, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = (uint8_t)text[i];
        if (c >= 0xC2 && c <= 0xC5 && i + 1 < n) {
            const int u = (c & 31) << 6 | ((uint8_t)text[++i] & 63);
            out[m++] = (char)(u < 256 ? u : u - 256 < 68 ? other(u - 256) : '?');
        } else {
            out[m++] = (char)c;
        }
    }
    return m;
}

size_t ib_alphabet_text(const char *bytes, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        const int b = (uint8_t)bytes[i];
        int u = b;
        if (!is_printable(b)) {
            u = 256;
            for (int k = 0; k < b; k++)
                u += !is_printable(k);
        }
        if (u < 128) {
            out[m++] = (char)u;
        } else {
            out[m++] = (char)(0xC0 | u >> 6);
            out[m++] = (char)(0x80 | (u & 63));
        }
    }
    return m;
}

/* ---- building ---- */

ib_status ib_tokenizer_add(ib_tokenizer *t, int32_t id, const char *bytes, size_t n, float score, int kind)
{
    if (id < 0 || id > 1 << 22 || n > 1 << 16)
        return ib_fail(IB_EFORMAT, "token %d of %zu bytes is out of range", id, n);
    if (id >= t->room) {
        const int room = id < 4096 ? 8192 : 2 * id;
        ib_token *grown = ib_realloc(t->token, (size_t)t->room * sizeof *grown, (size_t)room * sizeof *grown);
        if (!grown)
            return IB_ENOMEM;
        t->token = grown;
        t->room = room;
    }
    if (t->pool_size + n + 1 > t->pool_room) {
        const size_t room = 2 * (t->pool_size + n) + 65536;
        char *grown = ib_realloc(t->pool, t->pool_size, room);
        if (!grown)
            return IB_ENOMEM;
        t->pool = grown;
        t->pool_room = room;
    }
    t->n = id >= t->n ? id + 1 : t->n;
    t->token[id] = (ib_token){(uint32_t)t->pool_size, (uint32_t)n, score, (uint8_t)kind};
    memcpy(t->pool + t->pool_size, bytes, n);
    t->pool_size += n + 1; /* the allocation is zeroed: each token ends in a 0 */
    return IB_OK;
}

int32_t ib_token_find(const ib_tokenizer *t, const char *bytes, size_t n)
{
    IB_NEED_OR(t, 0);
    IB_NEED_OR(bytes, 0);
    if (!t->slot)
        return -1;
    IB_ASSERT((t->slots & (t->slots - 1)) == 0 && t->slots > (uint32_t)t->n, "the table of tokens has free places");
    for (uint32_t h = hash(bytes, n) & (t->slots - 1);; h = (h + 1) & (t->slots - 1)) {
        const int32_t id = t->slot[h];
        if (id < 0)
            return -1;
        if (t->token[id].n == n && !memcmp(t->pool + t->token[id].at, bytes, n))
            return id;
    }
}

static uint32_t power_above(int64_t n)
{
    uint32_t p = 1024;
    while (p < n)
        p *= 2;
    return p;
}

ib_status ib_tokenizer_index(ib_tokenizer *t, int64_t n_merges)
{
    t->slots = power_above(2 * (int64_t)t->n);
    t->merges = power_above(2 * n_merges);
    t->slot = ib_alloc((size_t)t->slots * sizeof *t->slot);
    t->merge = ib_alloc((size_t)t->merges * sizeof *t->merge);
    t->mergeable = ib_alloc((size_t)1 << (IB_MERGEABLE_BITS - 3));
    if (!t->slot || !t->merge || !t->mergeable)
        return IB_ENOMEM;
    memset(t->slot, 0xff, (size_t)t->slots * sizeof *t->slot);
    memset(t->merge, 0xff, (size_t)t->merges * sizeof *t->merge);
    for (int id = 0; id < t->n; id++) {
        const ib_token *k = &t->token[id];
        if (!k->n || ib_token_find(t, t->pool + k->at, k->n) >= 0)
            continue;
        uint32_t h = hash(t->pool + k->at, k->n) & (t->slots - 1);
        while (t->slot[h] >= 0)
            h = (h + 1) & (t->slots - 1);
        t->slot[h] = id;
    }
    return IB_OK;
}

ib_status ib_tokenizer_add_merge(ib_tokenizer *t, int32_t rank, const char *left, size_t n_left, const char *right,
                                 size_t n_right, int strict)
{
    char joint[512];
    if (n_left + n_right > sizeof joint)
        return ib_fail(IB_EUNSUPPORTED, "merge %d makes a token of %zu bytes, at most %zu are possible", rank,
                       n_left + n_right, sizeof joint);
    memcpy(joint, left, n_left);
    memcpy(joint + n_left, right, n_right);
    const int32_t l = ib_token_find(t, left, n_left), r = ib_token_find(t, right, n_right),
                  id = ib_token_find(t, joint, n_left + n_right);
    if (strict && (l < 0 || r < 0 || id < 0))
        return ib_fail(IB_EFORMAT, "merge %d: %s is no token", rank,
                       l < 0   ? "its left piece"
                       : r < 0 ? "its right piece"
                               : "what it makes");
    if (l < 0 || r < 0 || id < 0) /* a merge between pieces that are not tokens can never apply */
        return IB_OK;
    const uint64_t pair = (uint64_t)l << 32 | (uint32_t)r;
    const uint32_t hash = (uint32_t)ib_pair_hash(pair), bit = hash >> (32 - IB_MERGEABLE_BITS);
    uint32_t h = hash & (t->merges - 1);
    IB_ASSERT((t->merges & (t->merges - 1)) == 0 && rank < (int64_t)t->merges, "the table of merges has free places");
    t->mergeable[bit >> 6] |= (uint64_t)1 << (bit & 63);
    for (; t->merge[h].pair != UINT64_MAX; h = (h + 1) & (t->merges - 1))
        if (t->merge[h].pair == pair)
            return IB_OK;
    t->merge[h] = (ib_merge){pair, rank, id};
    return IB_OK;
}

/* ---- special tokens ---- */

static int by_first_byte_then_length(const void *a, const void *b, void *tokenizer)
{
    const ib_tokenizer *t = tokenizer;
    const ib_token *x = &t->token[*(const int32_t *)a], *y = &t->token[*(const int32_t *)b];
    const int fx = (uint8_t)t->pool[x->at], fy = (uint8_t)t->pool[y->at];
    return fx != fy ? fx - fy : x->n != y->n ? (x->n < y->n ? 1 : -1) : *(const int32_t *)a - *(const int32_t *)b;
}

ib_status ib_tokenizer_finish(ib_tokenizer *t)
{
    if (!t->n)
        return ib_fail(IB_EFORMAT, "the vocabulary is empty");
    static const char space[] = "\xe2\x96\x81";
    int32_t *list = t->special = ib_alloc((size_t)t->n * sizeof *list);
    if (!list)
        return IB_ENOMEM;
    t->splittable = 1;
    for (int id = 0; id < t->n; id++) {
        const ib_token *k = &t->token[id];
        if (k->n && (k->kind == IB_TOKEN_CONTROL || k->kind == IB_TOKEN_USER || k->kind == IB_TOKEN_UNKNOWN))
            t->n_normalized += k->normalized, list[t->n_special++] = id;
        else if (!t->byte_level)
            for (uint32_t i = 3; i + 3 <= k->n; i++)
                if (!memcmp(t->pool + k->at + i, space, 3) && memcmp(t->pool + k->at + i - 3, space, 3))
                    t->splittable = 0;
    }
    qsort_r(list, (size_t)t->n_special, sizeof *list, by_first_byte_then_length, t);
    for (int b = 0, i = 0; b <= 256; b++) {
        while (i < t->n_special && (uint8_t)t->pool[t->token[list[i]].at] < b)
            i++;
        t->special_from[b] = i;
    }
    IB_ASSERT(t->special_from[256] == t->n_special, "special tokens are in the order of their first bytes");
    for (int b = 0; b < 256; b++) {
        char text[8];
        t->byte[b] = (char)b;
        static const char hex[] = "0123456789ABCDEF";
        memcpy(text, (char[]){'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'}, 6);
        t->byte_id[b] = t->byte_level ? ib_token_find(t, &t->byte[b], 1) : ib_token_find(t, text, 6);
    }
    const struct {
        const char *name;
        int32_t id;
    } ids[] = {{"bos", t->bos}, {"eos", t->eos}, {"unknown", t->unk}, {"padding", t->pad}};
    for (int i = 0; i < 4; i++)
        if (ids[i].id >= t->n)
            return ib_fail(IB_EFORMAT, "the %s token has the number %d, but there are %d tokens", ids[i].name,
                           ids[i].id, t->n);
    return IB_OK;
}

/* ---- life and access ---- */

ib_tokenizer *ib_tokenizer_open(const char *path)
{
    IB_NEED_OR(path, NULL);
    struct stat info;
    char *inside = ib_format_text("%s/tokenizer.json", path);
    ib_tokenizer *t = NULL;
    const size_t n = strlen(path);
    if (inside && !stat(path, &info) && S_ISDIR(info.st_mode))
        t = ib_tokenizer_from_json(inside);
    else if (inside)
        t = n > 5 && !strcmp(path + n - 5, ".json") ? ib_tokenizer_from_json(path) : ib_tokenizer_from_gguf(path);
    ib_free(inside);
    if (t && !(t->path = ib_strdup(path))) {
        ib_tokenizer_free(t);
        t = NULL;
    }
    return t;
}

void ib_tokenizer_free(ib_tokenizer *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->n_splits; i++) {
        pcre2_code_free(t->split[i]);
        ib_free(t->pattern[i]);
    }
    pcre2_match_data_free(t->match);
    ib_template_free(t->parsed);
    void *all[] = {t->pool,  t->token,         t->slot,          t->merge,         t->mergeable, t->special, t->path,
                   t->cache, t->chat_template, t->tool_template, t->parsed_source, t->symbol,    t->heap,    t};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ib_free(all[i]);
}

int ib_tokenizer_size(const ib_tokenizer *t)
{
    IB_NEED_OR(t, 0);
    return t->n;
}
int ib_tokenizer_bos(const ib_tokenizer *t)
{
    IB_NEED_OR(t, 0);
    return t->bos;
}
int ib_tokenizer_eos(const ib_tokenizer *t)
{
    IB_NEED_OR(t, 0);
    return t->eos;
}
int ib_tokenizer_pad(const ib_tokenizer *t)
{
    IB_NEED_OR(t, 0);
    return t->pad;
}
int ib_tokenizer_adds_bos(const ib_tokenizer *t)
{
    IB_NEED_OR(t, 0);
    return t->add_bos && t->bos >= 0;
}
const char *ib_tokenizer_template(const ib_tokenizer *t)
{
    IB_NEED_OR(t, NULL);
    return t->chat_template;
}

size_t ib_token_surface(const ib_tokenizer *t, int32_t id, const char *text, size_t at)
{
    IB_ASSERT(id >= 0 && id < t->n, "a token is of the vocabulary");
    const ib_token *k = &t->token[id];
    if (t->byte_level || k->kind == IB_TOKEN_CONTROL || k->kind == IB_TOKEN_USER)
        return k->n;
    if (k->kind == IB_TOKEN_BYTE)
        return 1;
    size_t n = k->n;
    const char *s = t->pool + k->at;
    for (uint32_t i = 0; i + 3 <= k->n; i++)
        n -= !memcmp(s + i, "\xe2\x96\x81", 3) ? 2 : 0;
    if (t->prefix_space && k->n >= 3 && !memcmp(s, "\xe2\x96\x81", 3) && text[at] != ' ')
        n--; /* the space that tokenizing put before it */
    return n;
}

const char *ib_token_bytes(const ib_tokenizer *t, int32_t id, size_t *n)
{
    IB_NEED_OR(t, "");
    IB_NEED_OR(n, "");
    *n = 0;
    if (id < 0 || id >= t->n)
        return "";
    const ib_token *k = &t->token[id];
    const char *text = t->pool + k->at;
    for (int b = 0; b < 256 && k->kind == IB_TOKEN_BYTE; b++)
        if (t->byte_id[b] == id) { /* its text is "<0x0A>" */
            *n = 1;
            return &t->byte[b];
        }
    *n = k->n;
    return text;
}

int ib_token_is_control(const ib_tokenizer *t, int32_t id)
{
    IB_NEED_OR(t, 0);
    return id >= 0 && id < t->n && t->token[id].kind == IB_TOKEN_CONTROL;
}

void ib_free_ids(ib_ids *ids)
{
    ib_free(ids->id);
    *ids = (ib_ids){0};
}

ib_status ib_ids_append(ib_ids *out, int32_t id)
{
    IB_NEED(out);
    if (out->n == out->room) {
        const int64_t room = 2 * out->room + 256;
        int32_t *grown = ib_realloc(out->id, (size_t)out->n * sizeof *grown, (size_t)room * sizeof *grown);
        if (!grown)
            return IB_ENOMEM;
        out->id = grown;
        out->room = room;
    }
    out->id[out->n++] = id;
    return IB_OK;
}
