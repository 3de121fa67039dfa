/* chat.c - chat templates, rendered natively, with the spans that the assistant says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"
#include "tensor/names.h"

/* A text that grows, and where in it the assistant speaks. */
typedef struct rendering {
    char *text;
    size_t n, room;
    ib_ids spans; /* from, to, 1 or -1 (not to be learned), from, ... */
    int failed;
} rendering;

static void put_n(rendering *r, const char *s, size_t n)
{
    if (r->n + n + 1 > r->room) {
        const size_t room = 2 * (r->n + n) + 256;
        char *grown = ib_realloc(r->text, r->n, room);
        if (!grown) {
            r->failed = 1;
            return;
        }
        r->text = grown;
        r->room = room;
    }
    memcpy(r->text + r->n, s, n);
    r->text[r->n += n] = 0;
}

static void put(rendering *r, const char *s)
{
    put_n(r, s, strlen(s));
}

/* Jinja's trim */
static void put_trimmed(rendering *r, const ib_message *m)
{
    const char *s = m->content;
    size_t n = m->n;
    while (n && memchr(" \t\r\n", s[n - 1], 4))
        n--;
    while (n && memchr(" \t\r\n", *s, 4)) {
        s++;
        n--;
    }
    put_n(r, s, n);
}

/* The assistant begins to speak, and has spoken. */
static void mark(rendering *r)
{
    r->failed |= ib_ids_append(&r->spans, (int32_t)r->n) != IB_OK;
}
static void mark_end(rendering *r, const ib_message *m)
{
    mark(r);
    r->failed |= ib_ids_append(&r->spans, m->unlearned ? -1 : 1) != IB_OK;
}

static int is(const ib_message *m, const char *role)
{
    return !strcmp(m->role, role);
}

/* <|im_start|>role\ncontent<|im_end|>\n; a template that opens with a system message of its own shows it as text. */
static void chatml(rendering *r, const ib_tokenizer *t, const ib_message *m, int n, int reply)
{
    static const char open[] = "<|im_start|>system\n", written[] = "<|im_start|>system\\n"; /* as itself, as a text of Jinja */
    for (const char *own = t->chat_template; own && n && !is(&m[0], "system"); own++) {
        own = strstr(own, "<|im_start|>system");
        const size_t length = !own ? 0 : !strncmp(own, open, sizeof open - 1) ? sizeof open - 1
                                     : !strncmp(own, written, sizeof written - 1) ? sizeof written - 1 : 0;
        const char *end = length ? strstr(own + length, "<|im_end|>") : NULL;
        if (!own)
            break;
        const size_t bytes = end ? (size_t)(end - own) - length : 0;
        if (!bytes || memchr(own + length, '\'', bytes) || memchr(own + length, '{', bytes))
            continue; /* what follows is computed */
        put(r, open);
        put_n(r, own + length, bytes);
        put(r, "<|im_end|>\n");
        break;
    }
    for (int i = 0; i < n; i++) {
        put(r, "<|im_start|>");
        put(r, m[i].role);
        put(r, "\n");
        if (is(&m[i], "assistant"))
            mark(r);
        put_n(r, m[i].content, m[i].n);
        put(r, "<|im_end|>");
        if (is(&m[i], "assistant"))
            mark_end(r, &m[i]);
        put(r, "\n");
    }
    if (reply)
        put(r, "<|im_start|>assistant\n");
}

/* <s>[INST] <<SYS>>\nsystem\n<</SYS>>\n\nuser [/INST] answer </s> */
static void llama2(rendering *r, const ib_tokenizer *t, const ib_message *m, int n, int reply)
{
    (void)reply;
    size_t size;
    const ib_message *system = n && is(&m[0], "system") ? &m[0] : NULL;
    for (int i = system ? 1 : 0; i < n; i++) {
        if (is(&m[i], "assistant")) {
            put(r, " ");
            mark(r);
            put_trimmed(r, &m[i]);
            put(r, " ");
            put(r, ib_token_bytes(t, t->eos, &size));
            mark_end(r, &m[i]);
            continue;
        }
        put(r, ib_token_bytes(t, t->bos, &size));
        put(r, "[INST] ");
        if (system) {
            put(r, "<<SYS>>\n");
            put_n(r, system->content, system->n);
            put(r, "\n<</SYS>>\n\n");
            system = NULL;
        }
        put_trimmed(r, &m[i]);
        put(r, " [/INST]");
    }
}

/* <|begin_of_text|><|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|> */
static void llama3(rendering *r, const ib_tokenizer *t, const ib_message *m, int n, int reply)
{
    size_t size;
    put(r, ib_token_bytes(t, t->bos, &size));
    for (int i = 0; i < n; i++) {
        put(r, "<|start_header_id|>");
        put(r, m[i].role);
        put(r, "<|end_header_id|>\n\n");
        if (is(&m[i], "assistant"))
            mark(r);
        put_trimmed(r, &m[i]);
        put(r, "<|eot_id|>");
        if (is(&m[i], "assistant"))
            mark_end(r, &m[i]);
    }
    if (reply)
        put(r, "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

/* <bos><start_of_turn>user\ncontent<end_of_turn>\n; the assistant is "model", a system message opens the first turn */
static void gemma(rendering *r, const ib_tokenizer *t, const ib_message *m, int n, int reply)
{
    size_t size;
    const ib_message *system = n && is(&m[0], "system") ? &m[0] : NULL;
    put(r, ib_token_bytes(t, t->bos, &size));
    for (int i = system ? 1 : 0; i < n; i++) {
        const int model = is(&m[i], "assistant");
        put(r, "<start_of_turn>");
        put(r, model ? "model" : m[i].role);
        put(r, "\n");
        if (system) {
            put_n(r, system->content, system->n);
            put(r, "\n\n");
            system = NULL;
        }
        if (model)
            mark(r);
        put_trimmed(r, &m[i]);
        put(r, "<end_of_turn>");
        if (model)
            mark_end(r, &m[i]);
        put(r, "\n");
    }
    if (reply)
        put(r, "<start_of_turn>model\n");
}

static const struct {
    const char *name, *sign; /* a text by which a template is recognized */
    void (*render)(rendering *r, const ib_tokenizer *t, const ib_message *m, int n, int reply);
} templates[] = {{"chatml", "<|im_start|>", chatml}, {"llama3", "<|start_header_id|>", llama3}, {"gemma", "<start_of_turn>", gemma}, {"llama2", "<<SYS>>", llama2}};
enum { N_TEMPLATES = sizeof templates / sizeof *templates };

/* What a model's own template renders otherwise than is done here, told by a text in it. */
static ib_status says_more(const ib_tokenizer *t, int learning)
{
    static const struct {
        const char *sign, *what, *instead;
        int learning; /* only where conversations are learned */
    } more[] = {
        {"date_string", "a header with the date", "llama3", 0},
        {"strftime_now", "the date", "chatml or llama3", 0},
        {"<think>", "an empty block of thoughts before answers that have none", "chatml", 1},
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (strstr(t->chat_template, more[i].sign) && (learning || !more[i].learning))
            return ib_fail(IB_EUNSUPPORTED,
                           "%s: its chat template writes %s, which is not rendered here: --template %s leaves it out",
                           t->path, more[i].what, more[i].instead);
    return IB_OK;
}

ib_status ib_chat_template_check(const char *name)
{
    IB_NEED(name);
    return IB_NAME_FIND(name, templates, IB_EUNSUPPORTED, "no chat template is named") < 0 ? IB_EUNSUPPORTED : IB_OK;
}

static ib_status render(rendering *r, const ib_tokenizer *t, const char *name, const ib_message *m, int n, int reply,
                        int learning)
{
    int i = 0;
    if (name && ib_chat_template_check(name))
        return ib_error_status();
    while (i < N_TEMPLATES && (name ? strcmp(name, templates[i].name) : !t->chat_template || !strstr(t->chat_template, templates[i].sign)))
        i++;
    if (i == N_TEMPLATES)
        return ib_fail(IB_EUNSUPPORTED, "%s: %s: choose one with --template chatml, llama2, llama3 or gemma", t->path,
                       t->chat_template ? "has a chat template of an unknown kind" : "has no chat template");
    if (!name && says_more(t, learning))
        return ib_error_status();
    for (int j = 0; j < n; j++)
        if (!is(&m[j], "system") && !is(&m[j], "user") && !is(&m[j], "assistant"))
            return ib_fail(IB_EINVAL, "message %d has the role '%s'; system, user and assistant are possible", j + 1, m[j].role);
    /* contents are composed before the spans are measured: tokenizing then changes nothing more */
    ib_message *composed = ib_alloc((size_t)n * sizeof *composed + 1);
    ib_status status = composed ? IB_OK : IB_ENOMEM;
    for (int j = 0; j < n && !status; j++) {
        char *text;
        size_t length;
        const size_t own = m[j].n ? m[j].n : strlen(m[j].content);
        status = ib_tokenizer_compose(t, m[j].content, own, &text, &length);
        composed[j] = (ib_message){m[j].role, text ? text : m[j].content, text ? length : own, m[j].unlearned};
    }
    if (!status)
        templates[i].render(r, t, composed, n, reply);
    for (int j = 0; composed && j < n; j++)
        if (composed[j].content != m[j].content)
            free((void *)composed[j].content);
    ib_free(composed);
    return status ? status : r->failed ? IB_ENOMEM : IB_OK;
}

char *ib_chat_text(const ib_tokenizer *t, const char *name, const ib_message *messages, int n, int reply)
{
    IB_NEED_OR(t, NULL);
    IB_NEED_OR(messages, NULL);
    IB_TAKE_OR(n, n > 0, NULL, "is %d messages", n);
    for (int i = 0; i < n; i++)
        IB_TAKE_OR(messages, messages[i].role && messages[i].content, NULL, "[%d] has no %s", i, messages[i].role
                   ? "content" : "role");
    rendering r = {0};
    if (render(&r, t, name, messages, n, reply, 0)) {
        ib_free(r.text);
        r.text = NULL;
    }
    ib_free_ids(&r.spans);
    return r.text;
}

/* Bytes of the text that token id at text[at] stands for. */
static size_t surface(const ib_tokenizer *t, int32_t id, const char *text, size_t at)
{
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

ib_status ib_chat_tokens(ib_tokenizer *t, const char *name, const ib_message *messages, int n, int reply, ib_ids *out,
                         ib_ids *mask)
{
    IB_NEED(t);
    IB_NEED(messages);
    IB_NEED(out);
    IB_TAKE(n, n > 0, "is %d messages", n);
    for (int i = 0; i < n; i++)
        IB_TAKE(messages, messages[i].role && messages[i].content, "[%d] has no %s", i, messages[i].role
                ? "content" : "role");
    rendering r = {0};
    const int64_t first = out->n;
    ib_status status = render(&r, t, name, messages, n, reply, mask != NULL);
    if (!status)
        status = ib_tokenize(t, r.text ? r.text : "", r.n, 1, out);
    size_t at = 0;
    int64_t span = 0;
    for (int64_t i = first; mask && i < out->n && !status; i++) {
        while (span < r.spans.n && (size_t)r.spans.id[span + 1] <= at)
            span += 3;
        status = ib_ids_append(mask, span < r.spans.n && (size_t)r.spans.id[span] <= at ? r.spans.id[span + 2] : 0);
        at += at < r.n ? surface(t, out->id[i], r.text, at) : 0;
    }
    ib_free(r.text);
    ib_free_ids(&r.spans);
    return status;
}
