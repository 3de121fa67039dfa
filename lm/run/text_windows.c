/* text_windows.c - see text_windows.h */
#include "lm/run/text_windows.h"

#include "base/argument.h"

static const ib_perplexity_opts defaults = {.bos = -1};

ib_status ib_text_windows_of(const ib_lm *m, const int32_t *ids, int64_t n, const ib_perplexity_opts *o,
                             const char *function, ib_text_windows *out)
{
    o = o ? o : &defaults;
    const int64_t context = o->context ? o->context : 512;
    IB_TAKE_FOR(function, n, n >= 0, IB_EINVAL, "is %lld", (long long)n);
    IB_TAKE_FOR(function, o->context, context >= 4 && context <= 1 << 20, IB_EINVAL,
                "is %lld: a window has 4 to 2^20 tokens", (long long)context);
    IB_TAKE_FOR(function, o->windows, o->windows >= 0, IB_EINVAL, "is %lld", (long long)o->windows);
    IB_TAKE_FOR(function, o->bos, o->bos >= -1 && o->bos < m->c.vocabulary, IB_EINVAL, "is %d, of %d tokens", o->bos,
                m->c.vocabulary);
    IB_TAKE_FOR(function, o->stride, o->stride >= 0 && o->stride < context, IB_EINVAL,
                "is %lld: of a window of %lld tokens 1 to %lld are new", (long long)o->stride, (long long)context,
                (long long)context - 1);
    /* a BOS of each window's own, before its tokens; one ahead of the text */
    const int before = o->bos >= 0 && !o->in_place, ahead = o->bos >= 0 && o->in_place;
    const int64_t fresh = context - before, all = n + ahead; /* tokens of a window, and that there are */
    int64_t windows, least;
    if (!o->stride) {
        windows = all / fresh;
        least = fresh;
    } else if (o->in_place) { /* llama.cpp has no window that ends with the last token */
        windows = all > fresh ? (all - fresh + o->stride - 1) / o->stride : 0;
        least = fresh + 1;
    } else {
        windows = all >= fresh ? (all - fresh) / o->stride + 1 : 0;
        least = fresh;
    }
    windows = o->windows && o->windows < windows ? o->windows : windows;
    if (windows < 1)
        return ib_fail(IB_EINVAL, "the text has %lld tokens, a window of %lld needs %lld", (long long)n,
                       (long long)context, (long long)(least - ahead));
    *out = (ib_text_windows){.ids = ids,
                             .bos = o->bos,
                             .bos_each = o->bos >= 0 && !(o->stride && o->in_place),
                             .windows = windows,
                             .context = context,
                             .step = o->stride ? o->stride : fresh,
                             .before = before + ahead,
                             .first = o->stride ? context - 1 - o->stride : context / 2,
                             .scored = o->stride ? o->stride : context - 1 - context / 2};
    return IB_OK;
}

void ib_text_windows_row(const ib_text_windows *t, int64_t w, int32_t *row)
{
    const int64_t start = w * t->step - t->before;
    for (int64_t i = 0; i < t->context; i++)
        row[i] = start + i < 0 || (!i && t->bos_each) ? t->bos : t->ids[start + i];
}

ib_status ib_text_windows_tell(const ib_perplexity_opts *o, int64_t done, int64_t windows, double value)
{
    return o && o->progress && o->progress(o->user, done, windows, value)
               ? ib_fail(IB_ESTOPPED, "stopped at window %lld of %lld", (long long)done, (long long)windows)
               : IB_OK;
}
