/* talk.h - a language model that answers: its cache of what was said, one answer, a conversation of them. */
#ifndef IB_CLI_LANGUAGE_TALK_H
#define IB_CLI_LANGUAGE_TALK_H

#include "cli/answers/answer_text.h"
#include "cli/language/language_session.h"

typedef struct talk {
    language l;
    const char *model; /* its file */
    products products;
    int told; /* 1: how they are made was said */
    ib_kv *kv;
    float *logits;
    int context, most; /* tokens that the cache holds, and that the model allows */
    ib_sampling sampling;
    int64_t tokens; /* at most so many an answer */
    int ignore_ends, json;
    int int8;                /* how the cache keeps keys and values */
    const char *const *stop; /* texts that end an answer */
    int n_stops;
    const char *chat_template; /* NULL: the model's */
    ib_ids history;            /* the tokens in the cache, and behind them what it has still to read */
} talk;

typedef enum talk_end { TALK_STOP, TALK_LENGTH, TALK_CONTEXT, TALK_INTERRUPT } talk_end;

typedef struct answer {
    char *text; /* [n], UTF-8 */
    size_t n;
    talk_end end;
    char *by;                       /* of TALK_STOP: the end token or stop text */
    int64_t prompt, cached, tokens; /* of the prompt; of these in the cache before; drawn, with the one that ended it */
    double prompt_seconds, seconds; /* until the first token, and from there to the last */
} answer;
void answer_release(answer *a);

/* Answers what `prompt` says, whose tokens it takes; the cache keeps what it begins with. The text streams to standard
 * output, unless t->json; before the first one a line on standard error says how products are made. 0, or 1 after
 * telling; a->end is TALK_CONTEXT if that is because the prompt, which `what` names, does not fit. */
int talk_answer(talk *t, ib_ids *prompt, const char *what, answer *a);

/* 1 after telling that n tokens, which `what` names, do not fit the context. */
int talk_too_long(const talk *t, int64_t n, const char *what);
/* Takes a token that was drawn into the answer: 0 if it goes on, 1 if it has ended, -1 after telling that memory is
 * short. */
int talk_take(const talk *t, int32_t id, answer_text *text, answer *a);

/* Turn after turn: `first` (NULL: none; n bytes), then each line of standard input. What was said is rendered again as
 * a whole for each answer, since templates treat turns by their place (llama2 puts a BOS before each, gemma the system
 * message into the first); the cache keeps what is still the same. On a terminal Ctrl-C ends an answer, and the
 * conversation goes on with as much as was said of it. `told` hears each answer. */
int talk_converse(talk *t, const char *system, const char *first, size_t n, void (*told)(void *user, const answer *a),
                  void *user);

#endif
