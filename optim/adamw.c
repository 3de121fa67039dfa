/* adamw.c - Adam with decoupled weight decay. */
#include <math.h>

#include "optim/optim.h"

static void update(ib_optim *o, ib_tensor *p, float *const *state, int64_t t, float lr, float decay)
{
    const ib_adamw_opts *a = &o->adamw;
    const ib_adamw_step s = {lr, a->beta1, a->beta2, a->eps, decay, (float)(1 - pow(a->beta1, (double)t)),
                             (float)(1 - pow(a->beta2, (double)t)), 1.0f};
    o->dev->k.adamw(&s, ib_f32(p), p->grad, state[0], state[1], p->size);
}

static const ib_optim_class adamw_class = {"adamw", 2, update};

ib_optim *ib_adamw_new(ib_layer *net, ib_device *dev, const ib_adamw_opts *opts)
{
    ib_optim *o = ib_optim_new(&adamw_class, net, dev);
    if (o) {
        ib_adamw_opts *a = &o->adamw;
        *a = opts ? *opts : (ib_adamw_opts){0};
        a->beta1 = a->beta1 > 0 ? a->beta1 : 0.9f;
        a->beta2 = a->beta2 > 0 ? a->beta2 : 0.999f;
        a->eps = a->eps > 0 ? a->eps : 1e-8f;
        o->lr = a->lr > 0 ? a->lr : 1e-3f;
        o->decay = a->weight_decay;
    }
    return o;
}
