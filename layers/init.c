/* init.c - initial values. Parameter number i draws from stream i of the seed. */
#include <math.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "layers/layer.h"

static void draw(const ib_param *p, ib_rng rng, float *w)
{
    const double in = p->fan_in > 0 ? (double)p->fan_in : 1.0;
    const double out = p->t->ndim > 1 ? (double)p->t->shape[0] * in / (double)(p->t->size / p->t->shape[0]) : in;
    float bound = 0, sigma = 0;
    switch (p->init) {
    case IB_INIT_ZEROS:
    case IB_INIT_ONES: break;
    case IB_INIT_UNIFORM_FAN_IN: bound = (float)(1 / sqrt(in)); break;
    case IB_INIT_KAIMING_NORMAL: sigma = (float)sqrt(2 / in); break;
    case IB_INIT_KAIMING_UNIFORM: bound = (float)sqrt(6 / in); break;
    case IB_INIT_XAVIER_UNIFORM: bound = (float)sqrt(6 / (in + out)); break;
    case IB_INIT_XAVIER_NORMAL: sigma = (float)sqrt(2 / (in + out)); break;
    }
    for (int64_t i = 0; i < p->t->size; i++)
        w[i] = sigma > 0   ? sigma * ib_rng_normal(rng, (uint64_t)i)
               : bound > 0 ? bound * (2.0f * ib_rng_uniform(rng, (uint64_t)i) - 1.0f)
                           : p->init == IB_INIT_ONES;
}

ib_status ib_layer_init(ib_layer *net, uint64_t seed)
{
    IB_NEED(net);
    if (net->settled)
        return ib_fail(IB_ESTATE, "ib_layer_init: net was quantized: other values would not fit its scales");
    const ib_status status = ib_layer_name_all(net);
    int64_t most = 1;
    for (int i = 0; i < net->n_all; i++)
        most = net->all[i]->t->size > most ? net->all[i]->t->size : most;
    float *w = status ? NULL : ib_alloc_raw((size_t)most * sizeof *w);
    for (int i = 0; w && i < net->n_all; i++) {
        draw(net->all[i], (ib_rng){seed, (uint64_t)i}, w);
        ib_tensor_write(net->all[i]->t, w);
    }
    ib_free(w);
    return status ? status : w ? IB_OK : IB_ENOMEM;
}

static void set_init(ib_layer *l, ib_init weights)
{
    for (int i = 0; i < l->n_params; i++)
        if (l->params[i]->t->ndim > 1)
            l->params[i]->init = weights;
    for (int i = 0; i < l->n_children; i++)
        set_init(l->children[i], weights);
}

ib_status ib_layer_set_init(ib_layer *net, ib_init weights)
{
    IB_NEED(net);
    IB_TAKE(weights, weights >= IB_INIT_ZEROS && weights <= IB_INIT_XAVIER_NORMAL, "is %d, which is no ib_init",
            (int)weights);
    if (net->path)
        return ib_fail(IB_ESTATE, "ib_layer_set_init: net has its values already: call it before ib_layer_init()");
    set_init(net, weights);
    return IB_OK;
}
