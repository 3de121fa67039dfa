/* tokenizer_merge.c - text to tokens: special tokens, splitting into words, merging within a word, a cache of words. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/argument.h"

/* ---- merging: the best pair first, the leftmost of equals; a heap keeps long words from being quadratic ---- */

struct ib_symbol {
    int32_t id;     /* -1: a character that is no token */
    int prev, next; /* -1: none */
    int at, n;      /* bytes in the word; n = 0: merged into its left neighbour */
};

struct ib_pair {
    float order; /* rank, or minus score: smaller is better */
    int left;
    int32_t left_id, right_id, id;
};

static int before(const struct ib_pair *a, const struct ib_pair *b)
{
    return a->order < b->order || (a->order == b->order && a->left < b->left);
}

static void push(struct ib_pair *heap, int *n, struct ib_pair p)
{
    int i = (*n)++;
    for (; i && before(&p, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = p;
}

static struct ib_pair pop(struct ib_pair *heap, int *n)
{
    const struct ib_pair top = heap[0], last = heap[--*n];
    int i = 0;
    for (int child; (child = 2 * i + 1) < *n; i = child) {
        child += child + 1 < *n && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* Offers the pair (left, its right neighbour) if it can merge. */
static void offer(ib_tokenizer *t, const char *word, int left, int *n_heap)
{
    const struct ib_symbol *a = &t->symbol[left], *b = a->next < 0 ? NULL : &t->symbol[a->next];
    if (!b)
        return;
    if (t->by_score) {
        const int32_t id = ib_token_find(t, word + a->at, (size_t)(a->n + b->n));
        if (id >= 0 && t->token[id].kind != IB_TOKEN_CONTROL)
            push(t->heap, n_heap, (struct ib_pair){-t->token[id].score, left, a->n, b->n, id});
        return;
    }
    if (a->id < 0 || b->id < 0)
        return;
    const uint64_t pair = (uint64_t)a->id << 32 | (uint32_t)b->id;
    const uint32_t hash = (uint32_t)ib_pair_hash(pair), bit = hash >> (32 - IB_MERGEABLE_BITS);
    if (!(t->mergeable[bit >> 6] >> (bit & 63) & 1))
        return;
    for (uint32_t h = hash & (t->merges - 1); t->merge[h].pair != UINT64_MAX; h = (h + 1) & (t->merges - 1))
        if (t->merge[h].pair == pair) {
            push(t->heap, n_heap, (struct ib_pair){(float)t->merge[h].rank, left, a->id, b->id, t->merge[h].id});
            return;
        }
}

static int char_length(const char *s, size_t n)
{
    const uint8_t c = (uint8_t)*s;
    const int k = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return (size_t)k <= n ? k : 1;
}

ib_status ib_merge_word(ib_tokenizer *t, const char *word, size_t n, ib_ids *out)
{
    if (n > 1 << 28)
        return ib_fail(IB_EINVAL, "a word of %zu bytes", n);
    if (t->ignore_merges) {
        const int32_t whole = ib_token_find(t, word, n);
        if (whole >= 0)
            return ib_ids_append(out, whole);
    }
    if ((int)n > t->symbols) {
        ib_free(t->symbol);
        ib_free(t->heap);
        t->symbols = 0;
        t->symbol = ib_alloc(2 * n * sizeof *t->symbol);
        t->heap = ib_alloc(6 * n * sizeof *t->heap); /* n - 1 first pairs and two for each merge */
        if (!t->symbol || !t->heap)
            return IB_ENOMEM;
        t->symbols = 2 * (int)n;
    }
    int count = 0, n_heap = 0;
    for (size_t at = 0; at < n; count++) {
        const int k = t->byte_level ? 1 : char_length(word + at, n - at);
        t->symbol[count] =
            (struct ib_symbol){t->byte_level ? t->byte_id[(uint8_t)word[at]] : ib_token_find(t, word + at, (size_t)k),
                               count - 1, count + 1, (int)at, k};
        at += (size_t)k;
    }
    t->symbol[count - 1].next = -1;
    for (int i = 0; i + 1 < count && !t->by_score; i++) { /* the first pairs are known: their table lines can be on
                                                             the way together */
        const uint32_t hash = (uint32_t)ib_pair_hash((uint64_t)t->symbol[i].id << 32 | (uint32_t)t->symbol[i + 1].id);
        __builtin_prefetch(&t->merge[hash & (t->merges - 1)]);
    }
    for (int i = 0; i + 1 < count; i++)
        offer(t, word, i, &n_heap);
    while (n_heap) {
        const struct ib_pair p = pop(t->heap, &n_heap);
        struct ib_symbol *a = &t->symbol[p.left], *b = a->n && a->next >= 0 ? &t->symbol[a->next] : NULL;
        if (!b || (t->by_score ? a->n != p.left_id || b->n != p.right_id : a->id != p.left_id || b->id != p.right_id))
            continue; /* one of the two has been merged since */
        a->id = p.id;
        a->n += b->n;
        b->n = 0;
        a->next = b->next;
        if (a->next >= 0)
            t->symbol[a->next].prev = p.left;
        offer(t, word, p.left, &n_heap);
        if (a->prev >= 0)
            offer(t, word, a->prev, &n_heap);
    }
    ib_status status = IB_OK;
    for (int i = 0; i >= 0 && !status; i = t->symbol[i].next) {
        const struct ib_symbol *s = &t->symbol[i];
        if (s->id >= 0) {
            status = ib_ids_append(out, s->id);
            continue;
        }
        for (int j = 0; j < s->n && !status; j++) { /* byte fallback */
            const int32_t byte = t->byte_id[(uint8_t)word[s->at + j]];
            if (byte >= 0)
                status = ib_ids_append(out, byte);
            else if (t->unk >= 0 && !t->unknown_dropped) {
                status = ib_ids_append(out, t->unk);
                break;
            } else
                status = ib_fail(IB_EFORMAT, "the vocabulary has no token for byte %d", (uint8_t)word[s->at + j]);
        }
    }
    return status;
}

/* ---- a cache of short words ---- */

enum { WORD_BYTES = 24, WORD_IDS = 8, WORDS = 1 << 14 };
struct ib_word {
    uint64_t text[WORD_BYTES / 8]; /* zeroes behind n bytes */
    uint8_t n, n_ids;              /* n = 0: empty */
    int32_t id[WORD_IDS];
};

static ib_status add_word(ib_tokenizer *t, const char *word, size_t n, ib_ids *out)
{
    t->watched += n;
    if (t->watch && !(++t->words % 1024))
        t->watch(t->watch_user, t->watched);
    if (!t->cache || !n || n > WORD_BYTES)
        return n ? ib_merge_word(t, word, n, out) : IB_OK;
    uint64_t key[WORD_BYTES / 8] = {0}, h = n;
    memcpy(key, word, n);
    for (int i = 0; i < WORD_BYTES / 8; i++) {
        h = (h ^ key[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    struct ib_word *w = &t->cache[h & (WORDS - 1)];
    if (w->n != n || memcmp(w->text, key, sizeof key)) {
        const int64_t from = out->n;
        const ib_status status = ib_merge_word(t, word, n, out);
        if (!status && out->n - from <= WORD_IDS) {
            w->n = (uint8_t)n;
            w->n_ids = (uint8_t)(out->n - from);
            memcpy(w->text, key, sizeof key);
            memcpy(w->id, out->id + from, (size_t)w->n_ids * sizeof *w->id);
        }
        return status;
    }
    for (int i = 0; i < w->n_ids; i++)
        if (ib_ids_append(out, w->id[i]))
            return IB_ENOMEM;
    return IB_OK;
}

/* ---- splitting ---- */

/* Applies split number `level` to text, and the next ones to its pieces: matches and what lies between them. */
static ib_status split(ib_tokenizer *t, int level, const char *text, size_t n, ib_ids *out)
{
    if (level == t->n_splits)
        return add_word(t, text, n, out);
    size_t done = 0;
    ib_status status = IB_OK;
    for (size_t at = 0; at < n && !status;) {
        const int found = pcre2_match(t->split[level], (PCRE2_SPTR)text, n, at, PCRE2_NO_UTF_CHECK, t->match, NULL);
        if (found == PCRE2_ERROR_NOMATCH)
            break;
        if (found < 0) {
            status = ib_fail(IB_EINVAL, "splitting text into words: PCRE2 error %d at byte %zu", found, at);
            break;
        }
        const PCRE2_SIZE *o = pcre2_get_ovector_pointer(t->match); /* read before the next level uses it */
        const size_t from = o[0], to = o[1];
        if (to == from) {
            at = to + (size_t)char_length(text + to, n - to);
            continue;
        }
        if (from > done)
            status = split(t, level + 1, text + done, from - done, out);
        if (!status)
            status = split(t, level + 1, text + from, to - from, out);
        at = done = to;
    }
    if (!status && done < n)
        status = split(t, level + 1, text + done, n - done, out);
    return status;
}

/* SentencePiece: U+2581 for each space, words begin with it. */
static ib_status pieces(ib_tokenizer *t, const char *text, size_t n, int prefix, ib_ids *out)
{
    char *s = ib_alloc(3 * n + 4);
    size_t m = 0;
    if (!s)
        return IB_ENOMEM;
    if (prefix && n) {
        memcpy(s, "\xe2\x96\x81", 3);
        m = 3;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ') {
            memcpy(s + m, "\xe2\x96\x81", 3);
            m += 3;
        } else {
            s[m++] = text[i];
        }
    }
    ib_status status = IB_OK;
    size_t from = 0;
    for (size_t i = 3; t->splittable && i + 3 <= m && !status; i++)
        if (i > from && !memcmp(s + i, "\xe2\x96\x81", 3) && (i < from + 3 || memcmp(s + i - 3, "\xe2\x96\x81", 3))) {
            status = add_word(t, s + from, i - from, out);
            from = i;
        }
    if (!status)
        status = add_word(t, s + from, m - from, out);
    ib_free(s);
    return status;
}

/* The special token at text, of those that are sought normalized or not; or -1. */
static int32_t special_at(const ib_tokenizer *t, const char *text, size_t n, int control, int normalized)
{
    const int b = (uint8_t)*text;
    for (int i = t->special_from[b]; i < t->special_from[b + 1]; i++) {
        const ib_token *k = &t->token[t->special[i]];
        if (k->n <= n && (control || k->kind == IB_TOKEN_USER) && k->normalized == normalized &&
            !memcmp(t->pool + k->at, text, k->n))
            return t->special[i];
    }
    return -1;
}

/* first: the prefix space belongs before a text's beginning and behind special tokens */
typedef struct text_state {
    int special, first;
    ib_ids *out;
} text_state;

static ib_status words(ib_tokenizer *t, const char *text, size_t n, text_state *s)
{
    const int prefix = t->prefix_space && s->first;
    s->first = 0;
    return t->byte_level ? split(t, 0, text, n, s->out) : pieces(t, text, n, prefix, s->out);
}

static ib_status between(ib_tokenizer *t, const char *text, size_t n, int normalized, text_state *s);

/* Special tokens, and what lies between them: of one sort on the text as it is, of the other on what normalizing leaves
 * between those (AddedVocabulary of Hugging Face's tokenizers). */
static ib_status search(ib_tokenizer *t, const char *text, size_t n, int normalized, text_state *s)
{
    size_t from = 0;
    ib_status status = IB_OK;
    for (size_t i = 0; i <= n && !status; i++) {
        const int32_t id = i < n ? special_at(t, text + i, n - i, s->special, normalized) : -1;
        if (id < 0 && i < n)
            continue;
        if (i > from)
            status = between(t, text + from, i - from, normalized, s);
        if (id >= 0 && !status) {
            status = ib_ids_append(s->out, id);
            i += t->token[id].n - 1;
            s->first = !t->prefix_once;
        }
        from = i + 1;
    }
    return status;
}

static ib_status between(ib_tokenizer *t, const char *text, size_t n, int normalized, text_state *s)
{
    char *composed = NULL;
    size_t length = 0;
    if (normalized)
        return words(t, text, n, s);
    ib_status status = ib_tokenizer_compose(t, text, n, &composed, &length);
    if (!status && t->n_normalized)
        status = search(t, composed ? composed : text, composed ? length : n, 1, s);
    else if (!status)
        status = words(t, composed ? composed : text, composed ? length : n, s);
    free(composed);
    return status;
}

ib_status ib_tokenize(ib_tokenizer *t, const char *text, size_t n, int special, ib_ids *out)
{
    IB_NEED(t);
    IB_NEED(text);
    IB_NEED(out);
    const size_t bad = ib_utf8_good(text, n);
    if (bad < n)
        return ib_fail(IB_EFORMAT, "the text is not UTF-8: byte %zu is 0x%02X", bad, (uint8_t)text[bad]);
    if (!t->cache && !(t->cache = ib_alloc(WORDS * sizeof *t->cache)))
        return IB_ENOMEM;
    if (!t->match && !(t->match = pcre2_match_data_create(1, NULL)))
        return ib_fail(IB_ENOMEM, "out of memory");
    return search(t, text, n, 0, &(text_state){.special = special, .first = 1, .out = out});
}
