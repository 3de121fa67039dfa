/* bus.c - where the gradients of a step pass, all of them, between the backward passes and the optimizer. */
#include <math.h>

#include "base/argument.h"
#include "optim/optim.h"

void ib_bus_pass(ib_optim *o, void (*take)(ib_optim *opt, ib_optim_slot *slot))
{
    for (int i = 0; i < o->n_slots; i++)
        take(o, &o->slots[i]);
}

/* ---- clipping ---- */

static void add_square(ib_optim *o, ib_optim_slot *s)
{
    o->dev->k.add_sum_sq(o->dev, s->param->grad, s->param->size, &o->numbers->square);
}

static void scale(ib_optim *o, ib_optim_slot *s)
{
    o->dev->k.scale_by(o->dev, s->param->grad, s->param->size, &o->numbers->factor);
}

/* norm = sqrt(sum g^2);  g *= max_norm / norm where that is below 1 */
static ib_status clip(ib_optim *o, double max_norm)
{
    ib_optim_numbers *n = o->numbers;
    if (ib_optim_sync(o))
        return ib_error_status();
    o->dev->v.fill(o->dev, &n->square, 0, sizeof n->square);
    ib_bus_pass(o, add_square);
    o->dev->k.clip_factor(o->dev, &n->square, max_norm, &n->norm, &n->factor, &n->refused);
    ib_bus_pass(o, scale);
    return IB_OK;
}

double ib_optim_clip(ib_optim *opt, double max_norm)
{
    double norm = -1;
    IB_NEED_OR(opt, -1);
    IB_TAKE_OR(max_norm, max_norm > 0, -1, "is %g", max_norm);
    if (clip(opt, max_norm))
        return -1;
    opt->dev->v.download(opt->dev, &norm, &opt->numbers->norm, sizeof norm);
    if (isfinite(norm))
        return norm;
    ib_fail(IB_ENUMERIC, "%s: the gradients' norm is %g", __func__, fabs(norm));
    return -1;
}

ib_status ib_optim_limit(ib_optim *opt, double max_norm)
{
    IB_NEED(opt);
    IB_TAKE(max_norm, max_norm > 0, "is %g", max_norm);
    if (clip(opt, max_norm))
        return ib_error_status();
    if (!opt->dev->is_host) /* the step itself says it, whenever it is known */
        return IB_OK;
    double norm;
    opt->dev->v.peek(opt->dev, &norm, &opt->numbers->norm, sizeof norm);
    return isfinite(norm) ? IB_OK : ib_fail(IB_ENUMERIC, "%s: the gradients' norm is %g", __func__, fabs(norm));
}
