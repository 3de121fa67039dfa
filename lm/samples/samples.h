/* samples.h - inside lm/: rows under construction. */
#ifndef IB_LM_SAMPLES_SAMPLES_H
#define IB_LM_SAMPLES_SAMPLES_H

#include <isobit/finetune.h>

struct ib_samples {
    ib_ids ids, pos, first, target; /* all rows one behind the other */
    ib_ids length;                  /* of each sample, until they are measured */
    int64_t *from;                  /* [rows + 1] */
    int64_t room;
    int64_t offset;          /* first row of a split */
    const ib_samples *whole; /* a split borrows its rows */
    ib_samples_info info;
    int learns_end;
};

/* Appends one sample of n tokens; mask [n] 1: learned. New row if it does not fit the last one (or `alone`). */
ib_status ib_samples_add(ib_samples *s, const int32_t *ids, const int32_t *mask, int64_t n, int seq, int alone);

/* Fills in what the lengths of all samples say. */
void ib_samples_measure(ib_samples *s);

/* Appends the tokens of a row's messages, and for each whether it is learned; row: what else the row has, NULL where it
 * is the list alone (samples_chat.c). */
struct ib_row_values;
struct ib_row_ignore;
struct json_object;
ib_status ib_samples_chat(ib_tokenizer *t, const ib_samples_opts *o, struct ib_row_ignore *ignore,
                          struct json_object *list, const struct ib_row_values *row, ib_ids *ids, ib_ids *mask);

#endif
