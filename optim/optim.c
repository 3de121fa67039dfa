/* optim.c - what all optimizers share. */
#include "optim/optim.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"
#include "base/number.h"

ib_optim *ib_optim_new(const ib_optim_class *cls, ib_layer *net, ib_device *dev, int paged)
{
    ib_optim *o = ib_alloc(sizeof *o);
    if (!o)
        return NULL;
    o->cls = cls;
    o->net = net;
    o->dev = dev;
    o->paged = paged;
    if (ib_optim_sync(o)) {
        ib_optim_free(o);
        return NULL;
    }
    return o;
}

size_t ib_optim_state_bytes(const ib_optim *o, const ib_optim_slot *s)
{
    return o->cls->bytes ? o->cls->bytes(s->param->size) : (size_t)s->param->size * sizeof(float);
}

/* Zeroed memory; paged: pages of a file without a name. */
static float *state_alloc(const ib_optim *o, const ib_optim_slot *s)
{
    const size_t bytes = ib_optim_state_bytes(o, s);
    if (!o->paged)
        return ib_alloc(bytes);
    const char *dir = getenv("TMPDIR");
    char path[512];
    ib_snprintf(path, sizeof path, "%s/isobit-paged-XXXXXX", dir && *dir ? dir : "/tmp");
    const int fd = mkstemp(path);
    void *p = MAP_FAILED;
    if (fd >= 0 && !unlink(path) && !ftruncate(fd, (off_t)bytes))
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        p = ib_fail_null(IB_EIO, "%s: cannot hold %zu bytes of optimizer state: %s", path, bytes, strerror(errno));
    if (fd >= 0)
        close(fd);
    return p;
}

static void state_free(const ib_optim *o, ib_optim_slot *s, int i)
{
    if (!o->paged)
        ib_free(s->state[i]);
    else if (s->state[i])
        munmap(s->state[i], ib_optim_state_bytes(o, s));
}

void ib_optim_free(ib_optim *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n_slots; i++)
        for (int s = 0; s < 2; s++)
            state_free(o, &o->slots[i], s);
    for (int i = 0; i < o->n_groups; i++)
        ib_free(o->groups[i].pattern);
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

ib_status ib_optim_sync(ib_optim *o)
{
    for (int i = 0; i < o->net->n_all; i++) {
        ib_tensor *p = o->net->all[i]->t;
        if (!o->net->all[i]->trainable || slot_of(o, p))
            continue;
        const size_t bytes = sizeof *o->slots;
        ib_optim_slot *slots = ib_realloc(o->slots, (size_t)o->n_slots * bytes, (size_t)(o->n_slots + 1) * bytes);
        if (!slots)
            return IB_ENOMEM;
        o->slots = slots;
        ib_optim_slot *slot = &slots[o->n_slots++];
        *slot = (ib_optim_slot){.param = p};
        for (int s = 0; s < o->cls->n_states; s++)
            if (!(slot->state[s] = state_alloc(o, slot))) {
                o->n_slots--;
                state_free(o, slot, 0);
                return IB_ENOMEM;
            }
    }
    return IB_OK;
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

/* Also of parameters that were added since the last step. */
static void zero(ib_optim *o)
{
    for (int i = 0; i < o->net->n_all; i++)
        IB_ASSERT(!o->net->all[i]->trainable || o->net->all[i]->t->grad, "a trainable parameter has a gradient");
    for (int i = 0; i < o->net->n_all; i++)
        if (o->net->all[i]->trainable)
            memset(o->net->all[i]->t->grad, 0, (size_t)o->net->all[i]->t->size * sizeof(float));
}

ib_status ib_optim_step(ib_optim *opt)
{
    IB_NEED(opt);
    ib_optim *o = opt;
    const int64_t refused = atomic_exchange(&o->dev->refused, 0);
    if (refused)
        return ib_fail(
            IB_ENUMERIC,
            "ib_optim_step: step %lld has no gradients: its data or loss are not finite, as ib_backward() said",
            (long long)refused - 1);
    const ib_tensor *broken = NULL;
    const ib_status status = ib_optim_sync(o);
    if (status)
        return status;
    for (int i = 0; i < o->n_slots; i++) {
        ib_optim_slot *s = &o->slots[i];
        if (!s->param->needs_grad) /* a scale that was frozen */
            continue;
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
        if (!o->cls->update(o, s->param, s->state, ++s->t, lr, decay) && !broken)
            broken = s->param;
    }
    zero(o);
    return broken ? ib_fail(IB_ENUMERIC, "ib_optim_step: parameter '%s' is not finite after a step of lr %g",
                            ib_tensor_name(broken), o->lr)
                  : IB_OK;
}

ib_status ib_optim_zero(ib_optim *opt)
{
    IB_NEED(opt);
    atomic_store(&opt->dev->refused, 0);
    zero(opt);
    return IB_OK;
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

double ib_optim_clip(ib_optim *opt, double max_norm)
{
    double square = 0;
    IB_NEED_OR(opt, -1);
    IB_TAKE_OR(max_norm, max_norm > 0, -1, "is %g", max_norm);
    if (ib_optim_sync(opt))
        return -1;
    for (int i = 0; i < opt->n_slots; i++)
        square += opt->dev->k.sum_sq(opt->dev, opt->slots[i].param->grad, opt->slots[i].param->size);
    const double norm = sqrt(square);
    if (!isfinite(norm)) {
        ib_fail(IB_ENUMERIC, "ib_optim_clip: the gradients' norm is %g", fabs(norm));
        return -1;
    }
    for (int i = 0; norm > max_norm && i < opt->n_slots; i++)
        opt->dev->k.scale(opt->dev, opt->slots[i].param->grad, opt->slots[i].param->size, (float)(max_norm / norm));
    return norm;
}
