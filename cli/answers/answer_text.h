/* answer_text.h - the text of one answer while its tokens come: whole characters, and nothing of a stop text. */
#ifndef IB_CLI_ANSWERS_ANSWER_TEXT_H
#define IB_CLI_ANSWERS_ANSWER_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include <isobit/text.h>

/* Bytes that may still become a part of a stop text, or the rest of a character, are held back; what can be neither
 * goes into the text, and to the stream at once. Bytes that are no UTF-8 become U+FFFD, one for each beginning of a
 * character, as Python decodes with errors="replace". */
typedef struct answer_text {
    const char *const *stop; /* borrowed */
    int n_stops;
    FILE *stream; /* NULL: none */
    FILE *kept;
    char *text, *held;
    size_t n, n_held;
    const char *stopped; /* the stop text that ended it, or NULL */
} answer_text;

/* 0, or 1 after telling that memory is short; so do the others. answer_text_drop() in any case. */
int answer_text_begin(answer_text *a, const char *const *stop, int n_stops, FILE *stream);
/* What a token says. A stop text ends the text before it: the first that is complete, of several at one byte the
 * longest. From then on (a->stopped) nothing is taken. */
void answer_text_add(answer_text *a, const ib_tokenizer *t, int32_t id);
/* What was held back is text after all. Then text[n] is the whole of it. */
int answer_text_end(answer_text *a);
void answer_text_drop(answer_text *a);

#endif
