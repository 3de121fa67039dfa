/* checks.c - see checks.h */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED
#include <stdint.h>

#include "base/number.h"

static int overlap(const ib_span *a, const ib_span *b)
{
    const uintptr_t p = (uintptr_t)a->at, q = (uintptr_t)b->at;
    return p && q && p < q + (uintptr_t)b->bytes && q < p + (uintptr_t)a->bytes;
}

/* One line that names both. */
static _Noreturn void fail(ib_check_place at, const char *a, const char *what, const char *b)
{
    char text[120];
    ib_snprintf(text, sizeof text, "%s%s%s", a, what, b);
    ib_assert_failed("a kernel's memory", text, at.file, at.line, at.function);
}

void ib_check_spans(const ib_span *spans, int n, ib_check_place at)
{
    for (int i = 0; i < n; i++) {
        const ib_span *s = &spans[i];
        if (s->bytes < 0)
            fail(at, s->name, " has no size below 0", "");
        if ((uintptr_t)s->at % (uintptr_t)s->align)
            fail(at, s->name, s->align == 64 ? " is aligned to 64 bytes" : " is aligned to its elements", "");
        for (int j = 0; j < i; j++)
            if ((s->written || spans[j].written) && overlap(s, &spans[j]))
                fail(at, s->name, " does not overlap ", spans[j].name);
    }
}

/* The outputs of one dimension. */
static int fits(int64_t in, int64_t out, int kernel, int stride, int padding)
{
    return in >= 1 && kernel >= 1 && stride >= 1 && padding >= 0 && in + 2 * padding >= kernel &&
           out == (in + 2 * padding - kernel) / stride + 1;
}

int ib_window_agrees(const ib_window *s)
{
    return s->n >= 0 && s->groups >= 1 && s->ic >= 1 && s->oc >= 1 && s->ic % s->groups == 0 &&
           s->oc % s->groups == 0 && fits(s->ih, s->oh, s->kh, s->sh, s->ph) && fits(s->iw, s->ow, s->kw, s->sw, s->pw);
}

int ib_window_pools(const ib_window *s)
{
    return s->n >= 0 && s->ic >= 1 && s->oc == s->ic && fits(s->ih, s->oh, s->kh, s->sh, s->ph) &&
           fits(s->iw, s->ow, s->kw, s->sw, s->pw);
}

int ib_weights_agree(const ib_qweights *w, int64_t rows, int64_t cols)
{
    const int bits = w->bits ? w->bits : 8, most = (1 << (bits - 1)) - 1;
    if (bits < 2 || bits > 8 || w->group_size < 0 || rows < 1 || cols < 1)
        return 0;
    if (w->group_size && (!w->group_factor || w->n_groups != (cols + w->group_size - 1) / w->group_size))
        return 0;
    for (int64_t i = 0; i < rows * cols && bits < 8; i++)
        if (w->codes[i] < -most - 1 || w->codes[i] > most)
            return 0;
    return 1;
}

int ib_factors_are_normal(const isobit_scale *s, int64_t n, int profile)
{
    const int32_t low = profile == ISOBIT_FP32_RNE ? 1 << 23 : 1 << 30;
    for (int64_t i = 0; i < n; i++)
        if (s[i].mult && (s[i].mult < low || (profile == ISOBIT_FP32_RNE && s[i].mult >= 1 << 24)))
            return 0;
    return profile >= ISOBIT_TFLITE_DOUBLE && profile <= ISOBIT_FP32_RNE;
}

int ib_is_code(int zero)
{
    return zero >= INT8_MIN && zero <= INT8_MAX;
}

int ib_epilogue_agrees(const ib_epilogue *r, int64_t channels)
{
    return ib_is_code(*r->zero) && ib_is_code(*r->lo) && ib_is_code(*r->hi) && *r->lo <= *r->hi && r->scale &&
           ib_factors_are_normal(r->scale, channels, r->profile);
}
#endif
