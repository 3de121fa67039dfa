/* perplexity.c - how well a model predicts a text. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/lm.h"

ib_status ib_lm_perplexity(ib_lm *m, ib_graph *g, const int32_t *ids, int64_t n, const ib_perplexity_opts *o,
                           ib_perplexity_result *out)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(ids);
    IB_NEED(out);
    static const ib_perplexity_opts defaults = {.bos = -1};
    o = o ? o : &defaults;
    const int64_t context = o->context ? o->context : 512;
    /* of each window, of the text */
    const int before = o->bos >= 0 && !o->in_place, ahead = o->bos >= 0 && o->in_place;
    const int64_t fresh = context - before; /* tokens from one window to the next */
    IB_TAKE(n, n >= 0, "is %lld", (long long)n);
    IB_TAKE(o->context, context >= 4 && context <= 1 << 20, "is %lld: a window has 4 to 2^20 tokens",
            (long long)context);
    IB_TAKE(o->windows, o->windows >= 0, "is %lld", (long long)o->windows);
    IB_TAKE(o->bos, o->bos >= -1 && o->bos < m->c.vocabulary, "is %d, of %d tokens", o->bos, m->c.vocabulary);
    int64_t windows = (n + ahead) / fresh;
    windows = o->windows && o->windows < windows ? o->windows : windows;
    if (windows < 1)
        return ib_fail(IB_EINVAL, "the text has %lld tokens, a window of %lld needs %lld", (long long)n,
                       (long long)context, (long long)(fresh - ahead));
    *out = (ib_perplexity_result){0};
    int32_t *row = ib_alloc((size_t)context * 4 * sizeof *row), *pos = row + context, *first = pos + context,
            *target = first + context;
    float *nll = ib_alloc((size_t)context * sizeof *nll);
    ib_status status = row && nll ? IB_OK : IB_ENOMEM;
    for (int64_t w = 0; w < windows && !status; w++) {
        const int64_t from = w * fresh - before - ahead; /* of ids: what stands at row 0, if it is no BOS */
        for (int64_t i = 0; i < context; i++) {
            row[i] = o->bos >= 0 && !i ? o->bos : ids[from + i];
            pos[i] = (int32_t)i;
        }
        for (int64_t i = 0; i < context; i++)
            target[i] = i >= context / 2 && i + 1 < context ? row[i + 1] : -1;
        ib_graph_begin(g, IB_EVAL);
        if (!ib_lm_loss(m, g, ib_lm_hidden(m, g, &(ib_lm_batch){context, row, pos, first}, 0), target, 1.0f, nll)) {
            status = ib_error_status();
            break;
        }
        for (int64_t i = 0; i < context; i++)
            out->nll += nll[i];
        out->tokens += context - 1 - context / 2;
        out->windows = w + 1;
        if (!isfinite(out->nll))
            status = ib_fail(IB_ENUMERIC, "window %lld: the loss is %g", (long long)w + 1, fabs(out->nll));
        if (o->progress)
            o->progress(o->user, w + 1, windows, exp(out->nll / (double)out->tokens));
    }
    if (!status) {
        out->nll /= (double)out->tokens;
        out->perplexity = exp(out->nll);
    }
    ib_free(row);
    ib_free(nll);
    return status;
}
