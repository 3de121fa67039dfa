/* chat.h - inside the library: conversations as JSON through a chat template. */
#ifndef IB_TEXT_CHAT_H
#define IB_TEXT_CHAT_H

#include <json-c/json.h>

#include "text/template/template.h"
#include "text/tokenizer.h"

typedef struct ib_chat {
    const char *name;             /* of a template of chat_templates.def; NULL: the model's own */
    struct json_object *messages; /* a list of objects, borrowed */
    struct json_object *more;     /* further variables of the template, tools and documents among them; NULL: none */
    const int *unlearned;         /* [messages] 1: what the assistant says there is not to be learned; NULL: none */
    int reply;                    /* ends with the opening of the assistant's turn */
    int learning;                 /* the text must not depend on the day */
} ib_chat;

/* The tokens of the whole conversation, and as in ib_chat_tokens which of them the assistant says. */
ib_status ib_chat_tokenize(ib_tokenizer *t, const ib_chat *c, ib_ids *out, ib_ids *mask);
/* The template that c is rendered with, borrowed until the next one is asked for; NULL with ib_error(). */
const ib_template *ib_chat_template(ib_tokenizer *t, const ib_chat *c);
/* The variables bos_token, eos_token, unk_token and pad_token, as far as the model's files name them. */
void ib_chat_add_tokens(const ib_tokenizer *t, struct json_object *variables);
/* The text; out->spans as the template marks them. */
ib_status ib_chat_render(const ib_tokenizer *t, const ib_template *template, const ib_chat *c, int n, int reply,
                         ib_template_result *out); /* n: the first messages alone */

/* Where in the whole text the assistant speaks: from, to, 1 or -1 (not to be learned), from, ... (chat_spans.c) */
ib_status ib_chat_spans(ib_tokenizer *t, const ib_template *template, const ib_chat *c, const ib_template_result *whole,
                        ib_ids *spans);
int ib_message_is(struct json_object *messages, size_t i, const char *role);

#endif
