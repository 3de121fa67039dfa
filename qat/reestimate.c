/* reestimate.c - batch-norm statistics of a network that computes in integers. */
#include <string.h>

#include "base/argument.h"
#include "qat/plan.h"

/* The layer's product before bias and batch norm is z / gain with z = w_folded (*) x; its mean and variance replace a
 * share of the statistics. */
static ib_status update(ib_graph *g, const ib_node *n, ib_step *s, float share)
{
    ib_device *dev = g->dev;
    ib_tensor *x = ib_dequantize(g, n->in[0]), *w = n->in[1];
    const int64_t channels = w->shape[0], cols = w->size / channels;
    const ib_qweights q = {ib_codes(w), w->q.group_factor, w->q.group_size, w->q.n_groups};
    float *real = ib_graph_numbers(g, (size_t)w->size * sizeof *real);
    float *mean = ib_graph_numbers(g, (size_t)channels * sizeof *mean),
          *var = ib_graph_numbers(g, (size_t)channels * sizeof *var);
    if (!x || !real || !mean || !var)
        return IB_ENOMEM;
    dev->k.dequantize_rows(dev, &q, channels, cols, w->q.scale, w->q.n_scales, real);
    ib_tensor weight = *w;
    weight.dtype = IB_F32;
    weight.data = real;
    weight.needs_grad = 0;
    const ib_tensor *z = w->ndim == 4 ? ib_conv2d(g, x, &weight, NULL, s->attrs) : ib_linear(g, x, &weight, NULL);
    if (!z)
        return ib_error_status();
    const ib_planes planes = {z->shape[0], channels, z->size / (z->shape[0] * channels)};
    dev->k.bn_stats(dev, &planes, ib_f32(z), mean, var);
    dev->k.fold_reestimate(dev, channels, ib_f32(s->gamma), s->eps, share, mean, var, ib_f32(s->mean), ib_f32(s->var));
    return IB_OK;
}

ib_status ib_qat_reestimate_bn(ib_layer *net, ib_graph *g, ib_loader *loader, int64_t batches)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(loader);
    ib_plan *p = ib_plan_of(net);
    ib_batch b;
    IB_TAKE(batches, batches > 0, "is %lld", (long long)batches);
    if (ib_qat_phase(net) != IB_LEARN)
        return ib_fail(IB_ESTATE, "re-estimating batch norms: the network is in phase %s, not learn",
                       ib_phase_name(ib_qat_phase(net)));
    ib_status status = ib_loader_start(loader, 0, 0);
    for (int64_t i = 0; !status && i < batches && ib_loader_next(loader, &b); i++) {
        if ((status = ib_plan_check_batch(net, &b, __func__)))
            break;
        ib_graph_begin(g, IB_TRACE);
        if (!ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)))
            return ib_error_status();
        const int n_nodes = g->n_nodes;
        for (int j = 0; j < n_nodes; j++) {
            const ib_node n = g->nodes[j];
            if (n.op != &ib_op_qconv2d && n.op != &ib_op_qlinear)
                continue;
            for (int t = 0; t < p->n_steps; t++)
                if (p->steps[t].gamma && p->steps[t].op != &ib_op_batch_norm && n.scope == p->steps[t].name) {
                    status = update(g, &n, &p->steps[t], 0.1f);
                    if (status)
                        return status;
                }
        }
    }
    return status ? status : ib_loader_status(loader);
}
