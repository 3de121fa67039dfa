/* adamw.c - Adam with decoupled weight decay; its states in fp32 or, in blocks of 256, in 8 bits. The formula of an
 * update is in backends/formulas/optimizers.h. */
#include <math.h>

#include "base/argument.h"
#include "optim/optim.h"
#include "tensor/storage/scaled.h"

enum { SMALL = 4096 }; /* smaller parameters keep fp32 states, as bitsandbytes' */

static ib_adamw_step step_of(const ib_optim *o, float lr, float decay)
{
    const ib_adamw_opts *a = &o->adamw;
    return (ib_adamw_step){lr, a->beta1, a->beta2, a->eps, decay, 1.0f};
}

static void update(ib_optim *o, const ib_update *u, ib_tensor *p, void *const *state, float lr, float decay)
{
    const ib_adamw_step s = step_of(o, lr, decay);
    o->dev->k.adamw(o->dev, &s, u, ib_f32(p), p->grad, state[0], state[1], p->size);
}

static int64_t code_bytes(int64_t n)
{
    return (n + 63) / 64 * 64;
}

/* codes [n], then the largest of each block */
static size_t bytes8(int64_t n)
{
    return n < SMALL ? (size_t)n * sizeof(float)
                     : (size_t)(code_bytes(n) + (n + IB_ADAMW8_BLOCK - 1) / IB_ADAMW8_BLOCK * 4);
}

static void update8(ib_optim *o, const ib_update *u, ib_tensor *p, void *const *state, float lr, float decay)
{
    if (p->size < SMALL) {
        update(o, u, p, state, lr, decay);
        return;
    }
    const ib_adamw_step s = step_of(o, lr, decay);
    uint8_t *m = state[0], *v = state[1];
    const int64_t codes = code_bytes(p->size);
    const ib_states8 q = {
        m, v, (float *)(m + codes), (float *)(v + codes), o->numbers->dynamic[0], o->numbers->dynamic[1]};
    o->dev->k.adamw8(o->dev, &s, u, &q, ib_f32(p), p->grad, p->size);
}

static const ib_optim_class adamw_class = {"adamw", 2, NULL, update}, adamw8_class = {"adamw8bit", 2, bytes8, update8};

ib_optim *ib_adamw_new(ib_layer *net, ib_device *dev, const ib_adamw_opts *opts)
{
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(dev, NULL);
    if (opts) {
        IB_TAKE_OR(opts->lr, opts->lr >= 0 && isfinite(opts->lr), NULL, "is %g", opts->lr);
        IB_TAKE_OR(opts->beta1, opts->beta1 >= 0 && opts->beta1 < 1, NULL, "is %g, which is not in [0, 1)",
                   opts->beta1);
        IB_TAKE_OR(opts->beta2, opts->beta2 >= 0 && opts->beta2 < 1, NULL, "is %g, which is not in [0, 1)",
                   opts->beta2);
        IB_TAKE_OR(opts->eps, opts->eps >= 0 && isfinite(opts->eps), NULL, "is %g", opts->eps);
        IB_TAKE_OR(opts->weight_decay, opts->weight_decay >= 0 && isfinite(opts->weight_decay), NULL, "is %g",
                   opts->weight_decay);
        IB_TAKE_OR(opts->paged, !opts->paged || dev->is_host, NULL,
                   "is %d: the memory of device '%s' is not the host's", opts->paged, dev->name);
    }
    ib_optim *o = ib_optim_new(opts && opts->bits8 ? &adamw8_class : &adamw_class, net, dev, opts && opts->paged);
    if (o) {
        ib_adamw_opts *a = &o->adamw;
        *a = opts ? *opts : (ib_adamw_opts){0};
        a->beta1 = a->beta1 > 0 ? a->beta1 : 0.9f;
        a->beta2 = a->beta2 > 0 ? a->beta2 : 0.999f;
        a->eps = a->eps > 0 ? a->eps : 1e-8f;
        o->lr = a->lr > 0 ? a->lr : 1e-3f;
        o->decay = a->weight_decay;
        float map[2][256];
        ib_dynamic_map(1, map[0]);
        ib_dynamic_map(0, map[1]);
        dev->v.upload(dev, o->numbers->dynamic, map, sizeof map);
    }
    return o;
}
