/* several.h - the prompts of a file, answered side by side: a step gives every sequence that is under way a token. */
#ifndef IB_CLI_LANGUAGE_SEVERAL_H
#define IB_CLI_LANGUAGE_SEVERAL_H

#include "cli/language/talk.h"

typedef struct prompts {
    ib_ids *of; /* [n], their tokens */
    int64_t n;
} prompts;

/* A prompt a line (of .jsonl and .ndjson a string, or an object with the key prompt alone); blank lines are none.
 * chat: each is the first message of a conversation behind `system` (may be NULL). 0, or 1 after telling which line is
 * wrong; prompts_release() in any case. */
int prompts_read(talk *t, const char *path, int chat, const char *system, prompts *p);
void prompts_release(prompts *p);

/* Answers them, `at_once` side by side: where one ends the next begins. The k-th, from 0, samples with the seed of t
 * plus k, so that its answer is the one that it gets alone with that seed. `told` hears of each in the file's order; of
 * those that an interrupt leaves unanswered of none. steps: seconds of all tokens but the first of each answer. 0, or 1
 * after telling. */
int prompts_answer(talk *t, const prompts *p, int64_t at_once, void (*told)(void *user, int64_t k, const answer *a),
                   void *user, double *steps);

#endif
