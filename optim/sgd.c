/* sgd.c - stochastic gradient descent with momentum. */
#include <math.h>

#include "base/argument.h"
#include "optim/optim.h"

static void update(ib_optim *o, const ib_update *u, ib_tensor *p, void *const *state, float lr, float decay)
{
    const ib_sgd_step s = {lr, o->sgd.momentum, decay, 1.0f, o->sgd.nesterov};
    o->dev->k.sgd(o->dev, &s, u, ib_f32(p), p->grad, state[0], p->size);
}

static const ib_optim_class sgd_class = {"sgd", 1, NULL, update};

ib_optim *ib_sgd_new(ib_layer *net, ib_device *dev, const ib_sgd_opts *opts)
{
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(dev, NULL);
    if (opts) {
        IB_TAKE_OR(opts->lr, opts->lr >= 0 && isfinite(opts->lr), NULL, "is %g", opts->lr);
        IB_TAKE_OR(opts->momentum, opts->momentum >= 0 && opts->momentum < 1, NULL, "is %g, which is not in [0, 1)",
                   opts->momentum);
        IB_TAKE_OR(opts->weight_decay, opts->weight_decay >= 0 && isfinite(opts->weight_decay), NULL, "is %g",
                   opts->weight_decay);
        IB_TAKE_OR(opts->nesterov, !opts->nesterov || opts->momentum > 0, NULL, "is %d without momentum",
                   opts->nesterov);
    }
    ib_optim *o = ib_optim_new(&sgd_class, net, dev, 0);
    if (o) {
        o->sgd = opts ? *opts : (ib_sgd_opts){0};
        o->lr = o->sgd.lr > 0 ? o->sgd.lr : 0.01f;
        o->decay = o->sgd.weight_decay;
    }
    return o;
}
