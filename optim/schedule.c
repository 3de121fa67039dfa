/* schedule.c - learning rates over time. */
#include <math.h>
#include <string.h>

#include <isobit/optim.h>

#include "tensor/error.h"

float ib_schedule_lr(const ib_schedule *s, int64_t step)
{
    const double gamma = s->gamma > 0 ? s->gamma : 0.1;
    if (step < s->warmup)
        return s->lr * (float)(step + 1) / (float)(s->warmup + 1);
    const double length = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
    double t = (double)(step - s->warmup) / length;
    t = t > 1 ? 1 : t;
    switch (s->kind) {
    case IB_CONSTANT:
        return s->lr;
    case IB_STEP:
        return s->lr * (float)pow(gamma, s->every > 0 ? (double)((step - s->warmup) / s->every) : 0);
    case IB_COSINE:
        return s->lr * (float)(s->final + (1 - s->final) * 0.5 * (1 + cos(3.14159265358979 * t)));
    case IB_LINEAR:
        return s->lr * (float)(1 + (s->final - 1) * t);
    case IB_PLATEAU:
        return s->lr * (float)pow(gamma, (double)s->drops);
    }
    return s->lr;
}

void ib_schedule_report(ib_schedule *s, double loss)
{
    if ((!s->best && !s->bad && !s->drops) || loss < s->best) {
        s->best = loss;
        s->bad = 0;
    } else if (++s->bad >= (s->every > 0 ? s->every : 1)) {
        s->bad = 0;
        s->drops++;
    }
}

ib_status ib_schedule_parse(const char *name, ib_schedule_kind *out)
{
    static const char *const names[] = {"constant", "step", "cosine", "linear", "plateau"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(names[i], name)) {
            *out = (ib_schedule_kind)i;
            return IB_OK;
        }
    return ib_fail(IB_EINVAL, "no schedule is named '%s': constant, step, cosine, linear and plateau are", name);
}
