/* history.c - what each epoch has come to. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "train/loop.h"

/* [n][width] with room for one line more; NULL, and *lines as it was. */
static float *grow(float **lines, int64_t n, size_t width)
{
    const size_t line = width * sizeof(float);
    float *more = ib_realloc(*lines, (size_t)n * line, (size_t)(n + 1) * line);
    return more ? *lines = more : NULL;
}

ib_status ib_train_add_history(ib_checkpoint *c, const float history[IB_HISTORY], const float measures[IB_MEASURES])
{
    const int64_t n = c->n_history;
    const int had_none = !c->measures;
    if (!grow(&c->history, n, IB_HISTORY) || !grow(&c->measures, n, IB_MEASURES))
        return IB_ENOMEM;
    for (int64_t i = 0; had_none && i < n * IB_MEASURES; i++) /* the epochs of an older checkpoint */
        c->measures[i] = NAN;
    memcpy(c->history + n * IB_HISTORY, history, IB_HISTORY * sizeof *history);
    memcpy(c->measures + n * IB_MEASURES, measures, IB_MEASURES * sizeof *measures);
    c->n_history++;
    return IB_OK;
}
