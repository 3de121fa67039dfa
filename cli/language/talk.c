/* talk.c - one answer: see talk.h */
#include "cli/language/talk.h"

#include <stdlib.h>
#include <string.h>

void answer_release(answer *a)
{
    free(a->text);
    free(a->by);
    *a = (answer){0};
}

/* The tokens that the model's files name, and those control tokens that end a turn in all chat formats that have them,
 * for files that name none. */
static int is_end(const talk *t, int32_t id)
{
    static const char *const known[] = {"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|endoftext|>", "</s>"};
    size_t n;
    const char *s = ib_token_bytes(t->l.t, id, &n);
    int end = ib_lm_ends_text(t->l.m, id) || id == ib_tokenizer_eos(t->l.t);
    for (size_t i = 0; i < sizeof known / sizeof *known && !end && ib_token_is_control(t->l.t, id); i++)
        end = n == strlen(known[i]) && !memcmp(s, known[i], n);
    return end;
}

int talk_too_long(const talk *t, int64_t n, const char *what)
{
    if (n <= t->context)
        return 0;
    fprintf(stderr, "isobit: %s is %lld tokens, the context %d: ", what, (long long)n, t->context);
    if (n <= t->most)
        fprintf(stderr, "give --ctx %lld to %d\n", (long long)n, t->most);
    else
        fprintf(stderr, "the model allows %d: say less, or begin a new one\n", t->most);
    return 1;
}

int talk_take(const talk *t, int32_t id, answer_text *text, answer *a)
{
    const int end = !t->ignore_ends && is_end(t, id);
    size_t n;
    const char *by = ib_token_bytes(t->l.t, id, &n);
    a->tokens++;
    if (!end)
        answer_text_add(text, t->l.t, id);
    if (!end && !text->stopped)
        return 0;
    a->end = TALK_STOP;
    a->by = end ? strndup(by, n) : strdup(text->stopped);
    return a->by ? 1 : (fprintf(stderr, "isobit: out of memory\n"), -1);
}

/* Goes back to what the cache has of the prompt. The last token is read again: its logits are wanted. */
static int begin(talk *t, ib_ids *prompt, const char *what, answer *a)
{
    int same = 0;
    if (talk_too_long(t, prompt->n, what)) {
        a->end = TALK_CONTEXT;
        return 1;
    }
    while (same < ib_kv_length(t->kv) && same + 1 < prompt->n && prompt->id[same] == t->history.id[same])
        same++;
    ib_free_ids(&t->history);
    t->history = *prompt;
    *prompt = (ib_ids){0};
    a->prompt = t->history.n;
    a->cached = same;
    if (!t->told++)
        tell_path(t->model, &t->products);
    return ib_kv_rewind(t->kv, same) ? complain() : 0;
}

/* Draws the token behind the history. */
static int draw(talk *t)
{
    const int64_t read = ib_kv_length(t->kv);
    if (ib_lm_step(t->l.m, t->l.g, t->kv, t->history.id + read, t->history.n - read, t->logits))
        return complain();
    const int32_t id = ib_sample_token(&t->sampling, t->logits, ib_lm_config_of(t->l.m)->vocabulary, t->history.id,
                                       t->history.n, (uint64_t)t->history.n);
    return id < 0 || ib_ids_append(&t->history, id) ? complain() : 0;
}

static int speak(talk *t, answer_text *text, answer *a)
{
    double start = seconds();
    for (a->end = TALK_LENGTH; a->tokens < t->tokens;) {
        if (interrupted || t->history.n > t->context) {
            a->end = interrupted ? TALK_INTERRUPT : TALK_CONTEXT;
            return 0;
        }
        if (draw(t))
            return 1;
        const double now = seconds();
        *(a->tokens ? &a->seconds : &a->prompt_seconds) += now - start;
        start = now;
        const int taken = talk_take(t, t->history.id[t->history.n - 1], text, a);
        if (taken)
            return taken < 0;
    }
    return 0;
}

int talk_answer(talk *t, ib_ids *prompt, const char *what, answer *a)
{
    answer_text text = {0};
    *a = (answer){0};
    int status = begin(t, prompt, what, a) || answer_text_begin(&text, t->stop, t->n_stops, t->json ? NULL : stdout) ||
                 speak(t, &text, a) || answer_text_end(&text);
    if (!status) {
        a->text = text.text;
        a->n = text.n;
        text.text = NULL;
        if (!t->json)
            printf("\n");
        flush_or_end(stdout);
    }
    answer_text_drop(&text);
    return status;
}
