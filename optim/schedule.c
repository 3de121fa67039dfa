/* schedule.c - learning rates over time. */
#include <math.h>
#include <string.h>

#include <isobit/optim.h>

#include "base/argument.h"
#include "base/names.h"

static ib_status check(const ib_schedule *s, const char *function)
{
    IB_TAKE_FOR(function, s->kind, s->kind >= IB_CONSTANT && s->kind <= IB_PLATEAU, IB_EINVAL,
                "is %d, which is no ib_schedule_kind", (int)s->kind);
    IB_TAKE_FOR(function, s->lr, s->lr >= 0 && isfinite(s->lr), IB_EINVAL, "is %g", s->lr);
    IB_TAKE_FOR(function, s->warmup, s->warmup >= 0, IB_EINVAL, "is %lld", (long long)s->warmup);
    IB_TAKE_FOR(function, s->final, s->final >= 0 && isfinite(s->final), IB_EINVAL, "is %g", s->final);
    IB_TAKE_FOR(function, s->gamma, s->gamma >= 0 && isfinite(s->gamma), IB_EINVAL, "is %g", s->gamma);
    IB_TAKE_FOR(function, s->total, s->total > 0 || (s->kind != IB_COSINE && s->kind != IB_LINEAR), IB_EINVAL,
                "is %lld", (long long)s->total);
    IB_TAKE_FOR(function, s->every, s->every > 0 || (s->kind != IB_STEP && s->every == 0), IB_EINVAL, "is %lld",
                (long long)s->every);
    return IB_OK;
}

float ib_schedule_lr(const ib_schedule *s, int64_t step)
{
    IB_NEED_OR(s, NAN);
    IB_TAKE_OR(step, step >= 0, NAN, "is %lld", (long long)step);
    if (check(s, __func__))
        return NAN;
    const double gamma = s->gamma > 0 ? s->gamma : 0.1;
    if (step < s->warmup)
        return s->lr * (float)(step + 1) / (float)((uint64_t)s->warmup + 1);
    const double length = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
    double t = (double)(step - s->warmup) / length;
    t = t > 1 ? 1 : t;
    switch (s->kind) {
    case IB_CONSTANT: return s->lr;
    case IB_STEP: return s->lr * (float)pow(gamma, (double)((step - s->warmup) / s->every));
    case IB_COSINE: return s->lr * (float)(s->final + (1 - s->final) * 0.5 * (1 + cos(3.14159265358979 * t)));
    case IB_LINEAR: return s->lr * (float)(1 + (s->final - 1) * t);
    case IB_PLATEAU: return s->lr * (float)pow(gamma, (double)s->drops);
    }
    return s->lr;
}

ib_status ib_schedule_report(ib_schedule *s, double loss)
{
    IB_NEED(s);
    if (check(s, __func__))
        return IB_EINVAL;
    IB_TAKE(loss, isfinite(loss), "is %g", loss);
    if ((!s->best && !s->bad && !s->drops) || loss < s->best) {
        s->best = loss;
        s->bad = 0;
    } else if (++s->bad >= (s->every > 0 ? s->every : 1)) {
        s->bad = 0;
        s->drops++;
    }
    return IB_OK;
}

ib_status ib_schedule_parse(const char *name, ib_schedule_kind *out)
{
    IB_NEED(name);
    IB_NEED(out);
    static const char *const names[] = {"constant", "step", "cosine", "linear", "plateau"};
    const int i = IB_NAME_FIND(name, names, IB_EINVAL, "ib_schedule_parse: name: no schedule is named");
    if (i < 0)
        return IB_EINVAL;
    *out = (ib_schedule_kind)i;
    return IB_OK;
}
