/* net_values.c - a network's parameters, set aside and put back. */
#include "base/alloc.h"
#include "ptq/networks/rounding.h"

ib_status ib_net_values_take(ib_net_values *v, ib_layer *net)
{
    *v = (ib_net_values){.net = net, .values = ib_alloc((size_t)net->n_all * sizeof *v->values)};
    ib_status status = v->values ? IB_OK : IB_ENOMEM;
    for (int i = 0; !status && i < net->n_all; i++) {
        const ib_tensor *t = net->all[i]->t;
        v->values[i] = ib_alloc_raw((size_t)t->size * sizeof(float));
        status = v->values[i] ? ib_tensor_read(t, v->values[i]) : IB_ENOMEM;
    }
    if (status)
        ib_net_values_release(v);
    return status;
}

ib_status ib_net_values_put(const ib_net_values *v)
{
    ib_status status = IB_OK;
    for (int i = 0; !status && i < v->net->n_all; i++)
        status = ib_tensor_write(v->net->all[i]->t, v->values[i]);
    return status;
}

void ib_net_values_release(ib_net_values *v)
{
    for (int i = 0; v->values && i < v->net->n_all; i++)
        ib_free(v->values[i]);
    ib_free(v->values);
    *v = (ib_net_values){0};
}
