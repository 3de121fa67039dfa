/* tokenizer.h - inside the library: what a tokenizer is made of. */
#ifndef IB_TEXT_TOKENIZER_H
#define IB_TEXT_TOKENIZER_H

#include <isobit/text.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { IB_MAX_SPLITS = 8 };

typedef enum ib_token_kind {
    IB_TOKEN_NORMAL = 1,
    IB_TOKEN_UNKNOWN,
    IB_TOKEN_CONTROL,
    IB_TOKEN_USER,
    IB_TOKEN_UNUSED,
    IB_TOKEN_BYTE
} ib_token_kind;

typedef struct ib_token {
    uint32_t at, n; /* bytes in the pool */
    float score;
    uint8_t kind;
    uint8_t normalized; /* a special token that is sought in what normalizing leaves, between those sought before */
} ib_token;

/* left, right -> the token they merge into */
typedef struct ib_merge {
    uint64_t pair; /* left << 32 | right; UINT64_MAX: empty */
    int32_t rank, id;
} ib_merge;

struct ib_tokenizer {
    char *pool;
    size_t pool_size, pool_room;
    ib_token *token;
    int n, room;
    int32_t *slot; /* hash of the tokens' bytes */
    uint32_t slots;
    ib_merge *merge;
    uint32_t merges;     /* a power of two */
    uint64_t *mergeable; /* one bit for each hash of a pair, clear: no merge. Most pairs end here, in the first
                            cache. */
    int by_score;        /* SentencePiece: any two pieces whose joint bytes are a token, best score first */
    int byte_level;      /* else pieces are characters, U+2581 stands for a space */
    int prefix_space, add_bos, ignore_merges;
    int prefix_once; /* the prefix space stands before a text alone, not behind special tokens too */
    int spaces;      /* U+2581 stands for a space, as a file says that names normalizers */
    int nfc;         /* texts are brought to Unicode's composed form first */
    int splittable;  /* no token has U+2581 behind another character: words can be tokenized alone */
    int32_t bos, eos, unk, pad, byte_id[256];
    char byte[256]; /* what the tokens of byte_id say */
    pcre2_code *split[IB_MAX_SPLITS];
    char *pattern[IB_MAX_SPLITS]; /* of split, as the file or the table has it */
    pcre2_match_data *match;
    int n_splits;
    int32_t *special; /* control, unknown and user-defined tokens, longest first within a first byte */
    int n_special, special_from[257];
    int n_normalized;                    /* of special */
    int unknown_dropped;                 /* no token stands for what has none, whatever unk is */
    char *path;                          /* what it was opened from */
    char *chat_template, *tool_template; /* tool_template: the one named tool_use */
    struct ib_template *parsed;          /* the chat template used last, and its text */
    char *parsed_source;
    struct ib_word *cache;
    /* told now and then how many bytes were cut into words since watched was 0; NULL: nobody */
    void (*watch)(void *user, size_t bytes);
    void *watch_user;
    size_t watched, words;
    /* work space of one call */
    struct ib_symbol *symbol;
    struct ib_pair *heap;
    int symbols, heaps;
};

/* ---- building (tokenizer_gguf.c, tokenizer_json.c) ---- */
ib_status ib_tokenizer_add(ib_tokenizer *t, int32_t id, const char *bytes, size_t n, float score, int kind);
/* A byte-level token's text as its bytes: GPT-2's printable alphabet undone. Returns the length; out [n] */
size_t ib_alphabet_bytes(const char *text, size_t n, char *out);
/* The other way: out [2 n] */
size_t ib_alphabet_text(const char *bytes, size_t n, char *out);
ib_status ib_tokenizer_add_split(ib_tokenizer *t, const char *pattern);
ib_status ib_tokenizer_named_split(ib_tokenizer *t, const char *pre); /* GGUF's tokenizer.ggml.pre; sets
                                                                         ignore_merges and add_bos */
enum { IB_PRE_NAME = 32 };
ib_status ib_tokenizer_pre(const ib_tokenizer *t, char name[IB_PRE_NAME]); /* the name that says what t does */
/* Hash of tokens first, then merges one by one, then the rest. */
ib_status ib_tokenizer_index(ib_tokenizer *t, int64_t n_merges);
/* strict: pieces that are no tokens are refused; else the merge never applies. */
ib_status ib_tokenizer_add_merge(ib_tokenizer *t, int32_t rank, const char *left, size_t n_left, const char *right,
                                 size_t n_right, int strict);
ib_status ib_tokenizer_finish(ib_tokenizer *t);

enum { IB_MERGEABLE_BITS = 20 };
static inline uint64_t ib_pair_hash(uint64_t pair)
{
    return pair * 0x9E3779B97F4A7C15u >> 32;
}

/* The chat templates of a folder: its files', or its tokenizer_config.json's (tokenizer_template.c). */
struct json_object;
ib_status ib_tokenizer_read_templates(ib_tokenizer *t, struct json_object *config, const char *folder);

ib_tokenizer *ib_tokenizer_from_gguf(const char *path);
ib_tokenizer *ib_tokenizer_from_json(const char *path);

/* The text in composed form, for free(); NULL where it is that already or the model does not ask for it. */
ib_status ib_tokenizer_compose(const ib_tokenizer *t, const char *text, size_t n, char **composed, size_t *length);
/* Bytes of the text that token id at text[at] stands for (tokenizer.c). */
size_t ib_token_surface(const ib_tokenizer *t, int32_t id, const char *text, size_t at);
/* Merges the pieces of one word (tokenizer_merge.c). */
ib_status ib_merge_word(ib_tokenizer *t, const char *word, size_t n, ib_ids *out);

#endif
