/* saved_logits.h - files of what a model said of the scored tokens of each window, as llama-perplexity writes them;
 * their layout is in include/isobit/lm.h, at ib_lm_save_logits(). */
#ifndef IB_LM_RUN_SAVED_LOGITS_H
#define IB_LM_RUN_SAVED_LOGITS_H

#include "files/file.h"
#include "lm/run/text_windows.h"

typedef struct ib_saved_logits {
    ib_mapped file;
    int64_t context, vocabulary, windows, scored; /* scored rows of a window: its second half */
    size_t row;                                   /* bytes of one */
} ib_saved_logits;

/* All but the rows' numbers is checked against the file's size and the vocabulary; the line names the file. */
ib_status ib_saved_logits_open(const char *path, ib_saved_logits *out);
void ib_saved_logits_close(ib_saved_logits *s);
/* The tokens of window w, as they were saved. [context] */
void ib_saved_logits_tokens(const ib_saved_logits *s, int64_t w, int32_t *row);
/* log b of scored row i of window w, [vocabulary]; IB_EFORMAT where its scale is none. */
ib_status ib_saved_logits_row(const ib_saved_logits *s, int64_t w, int64_t i, float *logs);

#endif
