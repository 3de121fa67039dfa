/* generate.c - tokens behind those in the cache of keys and values: what the model says comes next. Which one is taken:
 * sampling.c. */
#include <math.h>

#include "base/argument.h"
#include "lm/lm.h"

ib_status ib_lm_step(ib_lm *m, ib_graph *g, ib_kv *kv, const int32_t *ids, int64_t n, float *logits)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(kv);
    IB_NEED(ids);
    IB_NEED(logits);
    if (n < 1 || n > kv->context - kv->length)
        return ib_fail(IB_EINVAL, "ib_lm_step: n: %lld tokens behind %d do not fit a context of %d", (long long)n,
                       kv->length, kv->context);
    IB_TAKE(kv, kv->n_layers == m->c.layers && kv->groups == m->c.groups && kv->dim == m->c.dim,
            "is of another model: %d layers of %d keys of %d", kv->n_layers, kv->groups, kv->dim);
    for (int64_t i = 0; i < n; i++)
        IB_TAKE(ids, ids[i] >= 0 && ids[i] < m->c.vocabulary, "holds token %d at %lld, of %d", ids[i], (long long)i,
                m->c.vocabulary);
    if (ib_kv_place(kv, ib_graph_device(g)))
        return ib_error_status();
    ib_graph_begin(g, IB_EVAL);
    int32_t *pos = ib_graph_alloc(g, (size_t)n * 2 * sizeof *pos);
    if (!pos)
        return IB_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        pos[i] = (int32_t)(kv->length + i);
        pos[n + i] = 0;
    }
    const ib_lm_batch b = {n, ids, pos, pos + n};
    ib_block_run run = ib_lm_run(m, g, &b, kv);
    ib_tensor *x = run.pos ? ib_lm_embed(m, g, &b) : NULL;
    for (int i = 0; x && i < m->c.layers; i++) {
        const ib_mark mark = ib_graph_mark(g); /* a layer's values are gone when the next begins */
        run.layer = i;
        ib_tensor *y = ib_lm_block(g, &run, x);
        if (y)
            V(g)->copy(g->dev, x->data, y->data, (size_t)x->size * sizeof(float));
        x = y ? x : NULL;
        ib_graph_release(g, mark);
    }
    if (!x)
        return ib_error_status();
    ib_tensor *last = ib_graph_tensor(g, 2, (int64_t[]){1, m->c.width});
    if (!last)
        return IB_ENOMEM;
    V(g)->copy(g->dev, last->data, ib_f32(x) + (n - 1) * m->c.width, (size_t)m->c.width * sizeof(float));
    ib_tensor *y = ib_lm_logits(m, g, ib_rms_norm(g, last, m->norm, m->c.eps));
    if (!y || ib_tensor_read(y, logits))
        return ib_error_status();
    kv->length += (int)n;
    return isfinite(logits[0]) ? IB_OK : ib_fail(IB_ENUMERIC, "the logits behind token %d are not finite", kv->length);
}
