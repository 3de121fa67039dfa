/* sgd.c - stochastic gradient descent with momentum. */
#include "optim/optim.h"

static void update(ib_optim *o, ib_tensor *p, float *const *state, int64_t t, float lr, float decay)
{
    (void)t;
    const ib_sgd_step s = {lr, o->sgd.momentum, decay, 1.0f, o->sgd.nesterov};
    o->dev->k.sgd(&s, ib_f32(p), p->grad, state[0], p->size);
}

static const ib_optim_class sgd_class = {"sgd", 1, NULL, update};

ib_optim *ib_sgd_new(ib_layer *net, ib_device *dev, const ib_sgd_opts *opts)
{
    ib_optim *o = ib_optim_new(&sgd_class, net, dev, 0);
    if (o) {
        o->sgd = opts ? *opts : (ib_sgd_opts){0};
        o->lr = o->sgd.lr > 0 ? o->sgd.lr : 0.01f;
        o->decay = o->sgd.weight_decay;
    }
    return o;
}
