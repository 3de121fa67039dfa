/* perplexity.c - how well a model predicts a text. */
#include <math.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/run/text_windows.h"

ib_status ib_lm_perplexity(ib_lm *m, ib_graph *g, const int32_t *ids, int64_t n, const ib_perplexity_opts *o,
                           ib_perplexity_result *out)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(ids);
    IB_NEED(out);
    ib_text_windows t;
    ib_status status = ib_text_windows_of(m, ids, n, o, __func__, &t);
    if (status)
        return status;
    *out = (ib_perplexity_result){0};
    const int64_t context = t.context, windows = t.windows;
    int32_t *row = ib_alloc((size_t)context * 4 * sizeof *row), *pos = row + context, *first = pos + context,
            *target = first + context;
    float *nll = ib_alloc((size_t)context * sizeof *nll);
    status = row && nll ? IB_OK : IB_ENOMEM;
    for (int64_t i = 0; i < context && !status; i++)
        pos[i] = (int32_t)i;
    for (int64_t w = 0; w < windows && !status; w++) {
        ib_text_windows_row(&t, w, row);
        for (int64_t i = 0; i < context; i++)
            target[i] = i >= t.first && i < t.first + t.scored ? row[i + 1] : -1;
        ib_graph_begin(g, IB_EVAL);
        if (!ib_lm_loss(m, g, ib_lm_hidden(m, g, &(ib_lm_batch){context, row, pos, first}, 0), target, 1.0f, nll)) {
            status = ib_error_status();
            break;
        }
        for (int64_t i = 0; i < context; i++)
            out->nll += nll[i];
        out->tokens += t.scored;
        out->windows = w + 1;
        if (!isfinite(out->nll))
            status = ib_fail(IB_ENUMERIC, "window %lld: the loss is %g", (long long)w + 1, fabs(out->nll));
        else
            status = ib_text_windows_tell(o, w + 1, windows, exp(out->nll / (double)out->tokens));
    }
    if (!status) {
        out->nll /= (double)out->tokens;
        out->perplexity = exp(out->nll);
    }
    ib_free(row);
    ib_free(nll);
    return status;
}
