/* optim.c - what all optimizers share. */
#include "optim/optim.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"

ib_optim *ib_optim_new(const ib_optim_class *cls, ib_layer *net, ib_device *dev, int paged)
{
    ib_optim *o = ib_alloc(sizeof *o);
    if (!o)
        return NULL;
    o->cls = cls;
    o->net = net;
    o->dev = dev;
    o->paged = paged;
    o->numbers = dev->v.allocate(dev, sizeof *o->numbers);
    if (o->numbers) {
        o->follower = (ib_follower){dev, &o->numbers->refused, 0};
        dev->v.fill(dev, o->numbers, 0, sizeof *o->numbers);
        dev->v.synchronize(dev); /* once, as it is looked at without waiting */
    }
    if (!o->numbers || ib_optim_sync(o)) {
        ib_optim_free(o);
        return NULL;
    }
    return o;
}

static void slot_free(const ib_optim *o, ib_optim_slot *s)
{
    ib_tensor_unfollow(s->link);
    for (int i = 0; i < 2; i++)
        ib_optim_state_free(o, s, i);
}

void ib_optim_free(ib_optim *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n_slots; i++)
        slot_free(o, &o->slots[i]);
    for (int i = 0; i < o->n_groups; i++)
        ib_free(o->groups[i].pattern);
    o->dev->v.release(o->dev, o->numbers);
    o->dev->v.release(o->dev, o->progress);
    ib_free(o->slots);
    ib_free(o);
}

static ib_optim_slot *slot_of(ib_optim *o, const ib_tensor *p)
{
    for (int i = 0; i < o->n_slots; i++)
        if (o->slots[i].param == p)
            return &o->slots[i];
    return NULL;
}

/* Kernels of the optimizer's device are given no other's memory. */
static ib_status check_places(const ib_optim *o)
{
    for (int i = 0; i < o->n_slots; i++) {
        const ib_tensor *p = o->slots[i].param;
        if (p->dev != ib_home(o->dev))
            return ib_fail(IB_EUNSUPPORTED,
                           "parameter '%s' lies on %s, and the optimizer works on %s: each device "
                           "wants its own",
                           ib_tensor_name(p), ib_home_name(p->dev), ib_device_name(o->dev));
    }
    return IB_OK;
}

/* Room for one slot more. */
static ib_status grow(ib_optim *o)
{
    if (o->n_slots < o->room)
        return IB_OK;
    const int room = o->room ? 2 * o->room : 32;
    const size_t had = (size_t)o->room * sizeof *o->progress, bytes = (size_t)room * sizeof *o->progress;
    ib_optim_slot *slots = ib_realloc(o->slots, (size_t)o->room * sizeof *slots, (size_t)room * sizeof *slots);
    if (slots)
        o->slots = slots;
    ib_progress *progress = slots ? o->dev->v.allocate(o->dev, bytes) : NULL;
    if (!progress)
        return ib_error_status();
    o->dev->v.fill(o->dev, progress, 0, bytes);
    if (had)
        o->dev->v.copy(o->dev, progress, o->progress, had);
    o->dev->v.release(o->dev, o->progress);
    o->progress = progress;
    o->room = room;
    return IB_OK;
}

ib_status ib_optim_sync(ib_optim *o)
{
    if (check_places(o))
        return ib_error_status();
    for (int i = 0; i < o->net->n_all; i++) {
        ib_tensor *p = o->net->all[i]->t;
        if (!o->net->all[i]->trainable || slot_of(o, p))
            continue;
        if (ib_tensor_place(p, o->dev) || grow(o))
            return ib_error_status();
        ib_optim_slot *slot = &o->slots[o->n_slots++];
        *slot = (ib_optim_slot){.param = p, .link = ib_tensor_follow(p, &o->follower)};
        ib_status status = slot->link ? IB_OK : IB_ENOMEM;
        for (int s = 0; s < o->cls->n_states && !status; s++)
            status = ib_optim_state_new(o, slot, s);
        if (status) {
            slot_free(o, &o->slots[--o->n_slots]);
            return status;
        }
    }
    return IB_OK;
}

int64_t ib_optim_taken(const ib_optim *o, const ib_optim_slot *s)
{
    int64_t steps;
    o->dev->v.download(o->dev, &steps, &o->progress[s - o->slots].steps, sizeof steps);
    return steps;
}

void ib_optim_set_taken(ib_optim *o, const ib_optim_slot *s, int64_t steps)
{
    o->dev->v.upload(o->dev, &o->progress[s - o->slots].steps, &steps, sizeof steps);
}

ib_status ib_optim_group(ib_optim *opt, const char *pattern, float lr_factor, float decay_factor)
{
    IB_NEED(opt);
    IB_NEED(pattern);
    IB_TAKE(lr_factor, lr_factor >= 0 && isfinite(lr_factor), "is %g", lr_factor);
    IB_TAKE(decay_factor, decay_factor >= 0 && isfinite(decay_factor), "is %g", decay_factor);
    int matches = 0;
    for (int i = 0; i < opt->net->n_all; i++)
        matches += opt->net->all[i]->trainable && !fnmatch(pattern, ib_tensor_name(opt->net->all[i]->t), 0);
    IB_TAKE(pattern, matches,
            "'%s' matches no trainable parameter (those that quantization adds exist after it has begun)", pattern);
    if (opt->n_groups == IB_MAX_GROUPS)
        return ib_fail(IB_EINVAL, "ib_optim_group: pattern '%s' would be group %d: %d are possible", pattern,
                       IB_MAX_GROUPS + 1, IB_MAX_GROUPS);
    char *copy = ib_strdup(pattern);
    if (!copy)
        return IB_ENOMEM;
    opt->groups[opt->n_groups].pattern = copy;
    opt->groups[opt->n_groups].lr = lr_factor;
    opt->groups[opt->n_groups++].decay = decay_factor;
    return IB_OK;
}

static void zero(ib_optim *o)
{
    for (int i = 0; i < o->n_slots; i++) {
        const ib_tensor *p = o->slots[i].param;
        IB_ASSERT(p->grad, "a trainable parameter has a gradient");
        o->dev->v.fill(o->dev, p->grad, 0, (size_t)p->size * sizeof(float));
    }
}

/* What stands at `at`, as far as is known, and forgets it. */
static ib_status tell(ib_optim *o, ib_fault *at)
{
    ib_fault f;
    o->dev->v.peek(o->dev, &f, at, sizeof f);
    if (!f.kind)
        return IB_OK;
    o->dev->v.fill(o->dev, at, 0, sizeof f);
    if (!o->dev->is_host) /* else the next one may see it again */
        o->dev->v.synchronize(o->dev);
    const ib_status status =
        ib_fault_say(&f, f.kind == IB_FAULT_parameter_not_finite ? ib_tensor_name(o->slots[f.call].param) : NULL);
    ib_error_prefix("ib_optim_step");
    return status;
}

static void update(ib_optim *o, ib_optim_slot *s)
{
    if (s->rests)
        return;
    const size_t n = strlen(ib_tensor_name(s->param));
    const int clip_level = n > 6 && !strcmp(ib_tensor_name(s->param) + n - 6, ".alpha");
    float lr = o->lr, decay = s->param->ndim > 1 || clip_level ? o->decay : 0.0f;
    for (int g = 0; g < o->n_groups; g++)
        if (!fnmatch(o->groups[g].pattern, ib_tensor_name(s->param), 0)) {
            lr = o->lr * o->groups[g].lr;
            decay = o->decay * o->groups[g].decay;
        }
    IB_ASSERT(s->param->dtype == IB_F32 && s->param->grad, "what learns is fp32 and has a gradient");
    for (int k = 0; k < o->cls->n_states; k++)
        IB_ASSERT(s->state[k], "a parameter that learns has its states");
    const int i = (int)(s - o->slots);
    const ib_update u = {{.fault = &o->numbers->fault, .call = i}, &o->numbers->refused, &o->progress[i], o->lr};
    o->cls->update(o, &u, s->param, s->state, lr, decay);
}

/* Counts the step, for those that take it. */
static void advance(ib_optim *o)
{
    for (int i = 0; i < o->n_slots; i++) {
        const int32_t rests = !o->slots[i].param->needs_grad; /* a scale that was frozen */
        if (rests != o->slots[i].rests)
            o->dev->v.upload(o->dev, &o->progress[i].rests, &rests, sizeof rests);
        o->slots[i].rests = rests;
    }
    if (o->n_slots)
        o->dev->k.advance(o->dev, o->progress, o->n_slots, o->adamw.beta1, o->adamw.beta2, &o->numbers->refused);
}

ib_status ib_optim_step(ib_optim *opt)
{
    IB_NEED(opt);
    ib_optim *o = opt;
    if (ib_optim_sync(o))
        return ib_error_status();
    if (o->dev->is_host && tell(o, &o->numbers->refused)) {
        zero(o);
        o->dev->v.end_step(o->dev);
        return ib_error_status();
    }
    advance(o);
    ib_bus_pass(o, update);
    zero(o);
    if (!o->dev->is_host) /* the updates have passed it on */
        o->dev->v.fill(o->dev, &o->numbers->refused, 0, sizeof o->numbers->refused);
    o->dev->v.end_step(o->dev);
    return tell(o, &o->numbers->fault);
}

ib_status ib_optim_synchronize(ib_optim *opt)
{
    IB_NEED(opt);
    opt->dev->v.synchronize(opt->dev);
    return tell(opt, &opt->numbers->fault);
}

ib_status ib_optim_zero(ib_optim *opt)
{
    IB_NEED(opt);
    if (ib_optim_sync(opt))
        return ib_error_status();
    opt->dev->v.fill(opt->dev, &opt->numbers->refused, 0, sizeof opt->numbers->refused);
    zero(opt);
    return IB_OK;
}

ib_status ib_optim_forget(ib_optim *o)
{
    const ib_status status = ib_optim_zero(o);
    o->dev->v.fill(o->dev, &o->numbers->fault, 0, sizeof o->numbers->fault);
    if (!o->dev->is_host) /* the next step is not to see what is over */
        o->dev->v.synchronize(o->dev);
    return status;
}

ib_status ib_optim_set_lr(ib_optim *opt, float lr)
{
    IB_NEED(opt);
    IB_TAKE(lr, lr >= 0 && isfinite(lr), "is %g", lr);
    opt->lr = lr;
    return IB_OK;
}

float ib_optim_lr(const ib_optim *opt)
{
    IB_NEED_OR(opt, NAN);
    return opt->lr;
}
