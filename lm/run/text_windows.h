/* text_windows.h - the windows of a text that measures go through, and which of their tokens are scored. */
#ifndef IB_LM_RUN_TEXT_WINDOWS_H
#define IB_LM_RUN_TEXT_WINDOWS_H

#include "lm/lm.h"

/* Window w holds ids[start .. start + context), start = w step - before, where every token before the text's first, and
 * with bos_each that in row 0 too, is the BOS. Rows first .. first + scored - 1 are scored: row i says token i + 1. */
typedef struct ib_text_windows {
    const int32_t *ids;
    int bos, bos_each;
    int64_t windows, context, step, before, first, scored;
} ib_text_windows;

/* As ib_perplexity_opts says, which is checked in the name of `function`; IB_EINVAL where the text has no window. */
ib_status ib_text_windows_of(const ib_lm *m, const int32_t *ids, int64_t n, const ib_perplexity_opts *o,
                             const char *function, ib_text_windows *out);
void ib_text_windows_row(const ib_text_windows *t, int64_t w, int32_t *row); /* [context] */
/* To the progress of o; IB_ESTOPPED where that says so. */
ib_status ib_text_windows_tell(const ib_perplexity_opts *o, int64_t done, int64_t windows, double value);

#endif
