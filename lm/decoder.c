/* decoder.c - the forward pass: embedding, blocks, final norm, head. */
#include <math.h>
#include <string.h>

#include "autograd/attrs.h"
#include "autograd/coded_product.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"
#include "lm/lm.h"

/* keep: a checkpointed block may remember the result; else its second run leaves it out, for nobody reads it. codes:
 * x's, of layers that read the same rows, or NULL. */
static ib_tensor *project(ib_graph *g, const ib_block_run *run, int role, ib_tensor *x, int keep,
                          ib_shared_codes *codes)
{
    ib_lm *m = run->m;
    ib_projection *p = &m->block[run->layer].p[role];
    if (p->weight)
        return ib_linear(g, x, p->weight, p->bias);
    g->scope = g->tap ? ib_role_names[role].hf : NULL;
    ib_tensor *y = ib_lora_linear_sharing(
        g, x, p->w, p->bias,
        &(ib_lora_opts){p->a, p->b, p->m, p->scale, m->dropout, p->merged, keep, g->replaying && !keep, m->integer},
        codes);
    g->scope = NULL;
    return y;
}

static ib_tensor *norm(ib_graph *g, ib_lm *m, const ib_block *b, int which, ib_tensor *x)
{
    return b->norm[which] ? ib_rms_norm(g, x, b->norm[which], m->c.eps) : x;
}

static ib_tensor *attention(ib_graph *g, const ib_block_run *run, ib_tensor *q, ib_tensor *k, ib_tensor *v)
{
    const ib_lm_config *c = &run->m->c;
    const ib_attention a = {.heads = c->heads,
                            .groups = c->groups,
                            .dim = c->dim,
                            .scale = c->attention_scale,
                            .window = run->m->block[run->layer].local ? c->window : 0,
                            .first = run->first,
                            .bend = {.cap = c->score_cap}};
    return IB_APPLY(g, &ib_op_attention, (&(ib_attention_attrs){a, 1}), q, k, v);
}

/* The rows of each sequence, and its cache of this layer; NULL if memory is out. */
static const ib_cache_run *runs_of(ib_graph *g, const ib_block_run *run, int64_t rows)
{
    const ib_lm_config *c = &run->m->c;
    ib_cache_run *r = ib_graph_alloc(g, (size_t)run->sequences * sizeof *r);
    for (int64_t i = 0; r && i < run->sequences; i++) {
        const ib_kv *kv = run->kv[i];
        r[i] = (ib_cache_run){&kv->layer[run->layer], rows / run->sequences, kv->length};
        IB_ASSERT(run->layer < kv->n_layers && r[i].cache->groups == c->groups && r[i].cache->dim == c->dim &&
                      r[i].cache->int8 == kv->int8,
                  "a cache is of its model");
        IB_ASSERT(kv->length + r[i].rows <= kv->context, "keys and values fit into their cache");
    }
    return r;
}

/* Adds the rows' keys and values to their caches; then each row attends to all that was before it in its sequence. */
static ib_tensor *cached_attention(ib_graph *g, const ib_block_run *run, ib_tensor *q, ib_tensor *k, ib_tensor *v)
{
    const ib_lm_config *c = &run->m->c;
    const int64_t n = run->sequences;
    const ib_cache_run *r = runs_of(g, run, q->shape[0]);
    if (!r)
        return NULL;
    k = IB_APPLY(g, &ib_op_cache_rows, (&(ib_cache_rows_attrs){r, n}), k, v);
    /* a fresh prompt: the tiled kernel, on exact keys; but what runs in integers gives the same bits at every level,
     * and levels have tiled sums of their own */
    if (!k || (n == 1 && !r->before && !run->m->integer))
        return k ? attention(g, run, q, k, v) : NULL;
    return IB_APPLY(g, &ib_op_cached_attention,
                    (&(ib_cached_attention_attrs){r,
                                                  n,
                                                  c->heads,
                                                  c->attention_scale,
                                                  run->m->block[run->layer].local ? c->window : 0,
                                                  {.cap = c->score_cap}}),
                    q);
}

ib_tensor *ib_lm_block(ib_graph *g, void *context, ib_tensor *x)
{
    const ib_block_run *run = context;
    ib_lm *m = run->m;
    const ib_lm_config *c = &m->c;
    ib_block *b = &m->block[run->layer];
    g->scope = NULL;
    IB_ASSERT(run->layer >= 0 && run->layer < c->layers, "a block is one of the model's");
    ib_tensor *h = norm(g, m, b, IB_NORM_ATTENTION, x);
    ib_shared_codes to_attention = {0}, to_ffn = {0};
    ib_tensor *q = norm(g, m, b, IB_NORM_QUERY, project(g, run, IB_ROLE_Q, h, 1, &to_attention));
    ib_tensor *k = norm(g, m, b, IB_NORM_KEY, project(g, run, IB_ROLE_K, h, 1, &to_attention));
    ib_tensor *v = project(g, run, IB_ROLE_V, h, 1, &to_attention);
    ib_rope_attrs rope = {c->heads, c->dim, c->rotated, m->pairs, run->pos};
    q = IB_APPLY(g, &ib_op_rope, &rope, q, m->rope[b->local]);
    rope.heads = c->groups;
    k = IB_APPLY(g, &ib_op_rope, &rope, k, m->rope[b->local]);
    if (!q || !k || !v)
        return NULL;
    ib_tensor *y = run->kv ? cached_attention(g, run, q, k, v) : attention(g, run, q, k, v);
    y = project(g, run, IB_ROLE_O, y, 1, NULL);
    x = ib_add(g, x, norm(g, m, b, IB_NORM_POST_ATTENTION, y));
    h = norm(g, m, b, IB_NORM_FFN, x);
    ib_tensor *up = project(g, run, IB_ROLE_UP, h, 1, &to_ffn); /* first: masks of dropout are drawn in order */
    y = ib_glu(g, project(g, run, IB_ROLE_GATE, h, 1, &to_ffn), up, m->activation);
    /* what the second run of a checkpointed block gives is not read again: its last product can be left out */
    y = project(g, run, IB_ROLE_DOWN, y, b->norm[IB_NORM_POST_FFN] != NULL, NULL);
    return ib_add(g, x, norm(g, m, b, IB_NORM_POST_FFN, y));
}

ib_block_run ib_lm_run(ib_lm *m, ib_graph *g, const ib_lm_batch *b, ib_kv *const *kv, int64_t sequences)
{
    const size_t bytes = (size_t)b->n * sizeof(int32_t);
    for (int64_t i = 0; i < b->n; i++)
        IB_ASSERT(b->pos[i] >= 0 && b->pos[i] < m->positions, "positions have a row in the table of angles");
    const int32_t *pos = ib_graph_uploaded(g, b->pos, bytes),
                  *first = pos ? ib_graph_uploaded(g, b->first, bytes) : NULL;
    return (ib_block_run){.m = m, .b = b, .pos = first ? pos : NULL, .first = first, .kv = kv, .sequences = sequences};
}

ib_tensor *ib_lm_embed(ib_lm *m, ib_graph *g, const ib_lm_batch *b)
{
    const float scale = m->arch->scaled_embedding ? sqrtf((float)m->c.width) : 1.0f;
    return m->embedding_w ? ib_embedding(g, m->embedding_w, b->ids, b->n, scale)
                          : ib_embedding_frozen(g, m->embedding, b->ids, b->n, scale);
}

ib_tensor *ib_lm_hidden(ib_lm *m, ib_graph *g, const ib_lm_batch *b, int checkpoint)
{
    IB_NEED_OR(m, NULL);
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(b, NULL);
    IB_NEED_OR(b->ids, NULL);
    IB_NEED_OR(b->pos, NULL);
    IB_NEED_OR(b->first, NULL);
    IB_TAKE_OR(b->n, b->n > 0, NULL, "is %lld: no tokens to run", (long long)b->n);
    IB_TAKE_OR(checkpoint, checkpoint >= 0 && checkpoint <= m->c.layers, NULL, "is %d of %d layers", checkpoint,
               m->c.layers);
    IB_TAKE_OR(m, !m->integer || g->mode != IB_TRAIN, NULL, "is on the %s path: its products have no gradient",
               "integer");
    int32_t last = 0;
    for (int64_t i = 0; i < b->n; i++)
        IB_TAKE_OR(b->pos, b->pos[i] >= 0 && b->pos[i] < 1 << 24, NULL, "is %d for token %lld", b->pos[i],
                   (long long)i);
    for (int64_t i = 0; i < b->n; i++)
        IB_TAKE_OR(b->first, b->first[i] >= 0 && b->first[i] <= i, NULL, "is %d for token %lld", b->first[i],
                   (long long)i);
    for (int64_t i = 0; i < b->n; i++)
        last = b->pos[i] > last ? b->pos[i] : last;
    if (ib_lm_rope(m, last + 1))
        return NULL;
    ib_block_run *runs = ib_graph_alloc(g, (size_t)m->c.layers * sizeof *runs); /* needed again in the backward pass */
    const ib_block_run run = ib_lm_run(m, g, b, NULL, 0);
    ib_tensor *x = runs && run.pos ? ib_lm_embed(m, g, b) : NULL;
    for (int i = 0; x && i < m->c.layers; i++) {
        runs[i] = run;
        runs[i].layer = i;
        x = ib_checkpoint_segment(g, ib_lm_block, &runs[i], i >= checkpoint, x);
        if (!x)
            ib_error_prefix("layer %d", i);
    }
    return ib_rms_norm(g, x, m->norm, m->c.eps);
}

ib_tensor *ib_lm_loss(ib_lm *m, ib_graph *g, ib_tensor *hidden, const int32_t *target, float scale, float *nll)
{
    IB_NEED_OR(m, NULL);
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(hidden, NULL);
    IB_NEED_OR(target, NULL);
    IB_TAKE_OR(scale, isfinite(scale), NULL, "is %g", scale);
    IB_TAKE_OR(m, m->head_w || !m->integer || g->mode != IB_TRAIN, NULL,
               "is on the %s path: its products have no gradient", "integer");
    return ib_language_loss_with(g, hidden, m->head_w,
                                 &(ib_language_loss_opts){.head = m->head_w ? NULL
                                                                  : m->head ? m->head
                                                                            : m->embedding,
                                                          .target = target,
                                                          .scale = scale,
                                                          .nll = nll,
                                                          .integer = m->integer,
                                                          .cap = m->c.logit_cap});
}

ib_tensor *ib_lm_logits(ib_lm *m, ib_graph *g, ib_tensor *hidden)
{
    IB_NEED_OR(m, NULL);
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(hidden, NULL);
    ib_tensor *y = m->head_w ? ib_linear(g, hidden, m->head_w, NULL)
                             : ib_lora_linear(g, hidden, m->head ? m->head : m->embedding, NULL,
                                              &(ib_lora_opts){.integer = m->integer});
    return m->c.logit_cap > 0 ? ib_soft_cap(g, y, m->c.logit_cap) : y;
}
