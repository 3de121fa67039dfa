/* text.h - text to tokens and back, and chat templates.
 *
 * Byte-level BPE (GPT-2, SmolLM, Llama 3, Qwen) and SentencePiece-style BPE (Llama 2, Mistral, Gemma), read from a GGUF
 * file or from tokenizer.json. */
#ifndef ISOBIT_TEXT_H
#define ISOBIT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/api.h>
#include <isobit/status.h>

IB_BEGIN_API

typedef struct ib_tokenizer ib_tokenizer;

/* `path` is a GGUF file, a tokenizer.json, or a folder that holds one. */
ib_tokenizer *ib_tokenizer_open(const char *path);
void ib_tokenizer_free(ib_tokenizer *t); /* NULL is fine */

int ib_tokenizer_size(const ib_tokenizer *t); /* ids are 0 .. size - 1 */
int ib_tokenizer_bos(const ib_tokenizer *t);  /* -1 if there is none; so for eos and pad */
int ib_tokenizer_eos(const ib_tokenizer *t);
int ib_tokenizer_pad(const ib_tokenizer *t);
int ib_tokenizer_adds_bos(const ib_tokenizer *t);         /* the model wants a BOS before a text */
const char *ib_tokenizer_template(const ib_tokenizer *t); /* the chat template's Jinja text; NULL if there is none */

/* A file of text, whole: UTF-8 (IB_EFORMAT names the byte, or the encoding that it is in instead) without its
 * byte-order mark, inflated if it is gzip. Yours to ib_free(); n bytes, U+0000 may be among them. */
char *ib_text_read(const char *path, size_t *n);

/* A growing list of tokens; start with zeroes, end with ib_free_ids. */
typedef struct ib_ids {
    int32_t *id;
    int64_t n, room;
} ib_ids;
void ib_free_ids(ib_ids *ids);

/* Appends the tokens of text[n], which must be UTF-8 (IB_EFORMAT names the byte). With `special`, control tokens
 * such as <|im_end|> are recognized in the text. No BOS is added. A tokenizer serves one thread at a time. */
ib_status ib_tokenize(ib_tokenizer *t, const char *text, size_t n, int special, ib_ids *out);
ib_status ib_ids_append(ib_ids *out, int32_t id);
/* How many bytes at the beginning of s[n] are UTF-8: n if all are. */
size_t ib_utf8_good(const char *s, size_t n);
/* The bytes of one token, borrowed: a byte token's byte, a control token's text; SentencePiece's pieces have U+2581 for
 * a space. "" for an id out of range. */
const char *ib_token_bytes(const ib_tokenizer *t, int32_t id, size_t *n);
int ib_token_is_control(const ib_tokenizer *t, int32_t id);
int32_t ib_token_find(const ib_tokenizer *t, const char *bytes, size_t n); /* -1 if there is none */

/* ---- chat ---- */
typedef struct ib_message {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
    size_t n;      /* bytes of content; 0: all before its first 0 */
    int unlearned; /* the assistant says it, but it is not to be learned */
} ib_message;

/* IB_EUNSUPPORTED, with a line that lists the names, if no chat template is called so. */
ib_status ib_chat_template_check(const char *name);
/* Appends the rendered conversation as tokens, with its BOS where the template has one. mask (may be NULL) receives
 * for each appended token 1 if the assistant says it (from where a reply would begin to the token that ends its turn,
 * or what {% generation %} holds), -1 if it says so in a message that is not to be learned, else 0; the text then does
 * not depend on the day. `name` is chatml, llama2, llama3 or gemma; NULL: the tokenizer's own template, which is
 * evaluated as transformers does. Errors name the template's line; IB_EUNSUPPORTED: there is none, or it cannot be
 * run here, or what the assistant says cannot be told. `reply` ends with the opening of the assistant's turn. */
ib_status ib_chat_tokens(ib_tokenizer *t, const char *name, const ib_message *messages, int n, int reply, ib_ids *out,
                         ib_ids *mask);
/* The same as text, yours to ib_free(). */
char *ib_chat_text(const ib_tokenizer *t, const char *name, const ib_message *messages, int n, int reply);

IB_END_API
#endif
