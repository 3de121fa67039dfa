/* generate.c - tokens behind those in caches of keys and values: what the model says comes next. Which one is taken:
 * sampling.c. */
#include <math.h>

#include "base/argument.h"
#include "lm/lm.h"

/* The rows `last` of what comes out of the blocks, [n][vocabulary] into logits. */
static ib_status read_logits(ib_lm *m, ib_graph *g, const float *last, int64_t n, float *logits)
{
    ib_tensor *x = ib_graph_tensor(g, 2, (int64_t[]){n, m->c.width});
    if (!x)
        return IB_ENOMEM;
    V(g)->copy(g->dev, x->data, last, (size_t)(n * m->c.width) * sizeof(float));
    ib_tensor *y = ib_lm_logits(m, g, ib_rms_norm(g, x, m->norm, m->c.eps));
    return y ? ib_tensor_read(y, logits) : ib_error_status();
}

/* The next `each` tokens of each of n sequences, one sequence behind the other; logits of the last token of each. */
static ib_status step(ib_lm *m, ib_graph *g, ib_kv *const *kv, int64_t n, const int32_t *ids, int64_t each,
                      float *logits)
{
    ib_graph_begin(g, IB_EVAL);
    const int64_t rows = n * each;
    int32_t *pos = ib_graph_alloc(g, (size_t)rows * 2 * sizeof *pos);
    if (!pos)
        return IB_ENOMEM;
    for (int64_t i = 0; i < rows; i++) {
        pos[i] = (int32_t)(kv[i / each]->length + i % each);
        pos[rows + i] = (int32_t)(i / each * each);
    }
    const ib_lm_batch b = {rows, ids, pos, pos + rows};
    ib_block_run run = ib_lm_run(m, g, &b, kv, n);
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
    if (!x || read_logits(m, g, n == 1 ? ib_f32(x) + (each - 1) * m->c.width : ib_f32(x), n, logits))
        return ib_error_status();
    for (int64_t i = 0; i < n; i++) {
        kv[i]->length += (int)each;
        if (!isfinite(logits[i * m->c.vocabulary]))
            return ib_fail(IB_ENUMERIC, "the logits behind token %d are not finite", kv[i]->length);
    }
    return IB_OK;
}

/* Whether the cache is the model's and has room for n tokens more; moves it to the graph's device. */
static ib_status look(const ib_lm *m, ib_graph *g, ib_kv *kv, int64_t n, const char *function)
{
    if (n < 1 || n > kv->context - kv->length)
        return ib_fail(IB_EINVAL, "%s: n: %lld tokens behind %d do not fit a context of %d", function, (long long)n,
                       kv->length, kv->context);
    if (kv->n_layers != m->c.layers || kv->groups != m->c.groups || kv->dim != m->c.dim)
        return ib_fail(IB_EINVAL, "%s: kv is of another model: %d layers of %d keys of %d", function, kv->n_layers,
                       kv->groups, kv->dim);
    return ib_kv_place(kv, ib_graph_device(g));
}

ib_status ib_lm_step(ib_lm *m, ib_graph *g, ib_kv *kv, const int32_t *ids, int64_t n, float *logits)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(kv);
    IB_NEED(ids);
    IB_NEED(logits);
    if (look(m, g, kv, n, "ib_lm_step"))
        return ib_error_status();
    for (int64_t i = 0; i < n; i++)
        IB_TAKE(ids, ids[i] >= 0 && ids[i] < m->c.vocabulary, "holds token %d at %lld, of %d", ids[i], (long long)i,
                m->c.vocabulary);
    return step(m, g, &kv, 1, ids, n, logits);
}

/* How many sequences share a step and get the bits that each would get alone: in integers any number; up to four rows
 * of fp32 meet a frozen matrix one by one (frozen.c); of a trained one nothing is promised. On the exact path a cache's
 * first tokens do not attend by it, so that none shares their step. */
static int64_t company(const ib_lm *m, ib_kv *const *kv, int64_t n)
{
    enum { FEW = 4 };
    ib_lm_products p;
    int trained = m->head_w != NULL, adapted = 0;
    if (ib_lm_products_of(m, &p))
        return 1;
    for (int64_t i = 0; i < n; i++)
        if (!m->integer && !kv[i]->length)
            return 1;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            trained |= m->block[i].p[r].weight != NULL;
            adapted |= m->block[i].p[r].a != NULL;
        }
    return trained ? 1 : adapted || p.exact ? FEW : n;
}

ib_status ib_lm_step_several(ib_lm *m, ib_graph *g, ib_kv *const *kv, int64_t n, const int32_t *ids, float *logits)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(kv);
    IB_NEED(ids);
    IB_NEED(logits);
    IB_TAKE(n, n >= 1, "is %lld", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        IB_NEED(kv[i]);
        IB_TAKE(ids, ids[i] >= 0 && ids[i] < m->c.vocabulary, "holds token %d at %lld, of %d", ids[i], (long long)i,
                m->c.vocabulary);
        for (int64_t j = 0; j < i; j++)
            IB_TAKE(kv, kv[i] != kv[j], "holds one cache at %lld and %lld", (long long)j, (long long)i);
        if (look(m, g, kv[i], 1, "ib_lm_step_several"))
            return ib_error_status();
    }
    const int64_t most = company(m, kv, n);
    for (int64_t i = 0; i < n; i += most)
        if (step(m, g, kv + i, n - i < most ? n - i : most, ids + i, 1, logits + i * m->c.vocabulary))
            return ib_error_status();
    return IB_OK;
}
