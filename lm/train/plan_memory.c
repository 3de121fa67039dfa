/* plan_memory.c - what training will need, measured on one block and added up. */
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/samples/samples.h"
#include "lm/train/resume_state.h"

/* Arena bytes. row: a layer's result or its gradient; memo: what a layer remembers; forward, backward: the most that
 * its first and second run need for a moment; loss_kept, loss: of the final norm and the head. */
typedef struct measured {
    int64_t row, memo, forward, backward, loss_kept, loss;
} measured;

static int64_t since(const ib_graph *g, size_t from, int peak)
{
    return (int64_t)((peak ? g->here->numbers.peak : g->here->numbers.used) - from);
}

static ib_status measure(ib_lm *m, ib_graph *g, int64_t rows, measured *k)
{
    int32_t *ids = ib_alloc((size_t)rows * 4 * sizeof *ids), *pos = ids + rows, *first = pos + rows,
            *target = first + rows;
    if (!ids)
        return IB_ENOMEM;
    for (int64_t i = 0; i < rows; i++)
        pos[i] = (int32_t)i;
    const ib_lm_batch b = {rows, ids, pos, first};
    ib_status status = ib_lm_rope(m, rows);
    ib_graph_begin(g, IB_TRAIN);
    ib_block_run run = status ? (ib_block_run){0} : ib_lm_run(m, g, &b, NULL, 0);
    ib_tensor *x = run.pos ? ib_lm_embed(m, g, &b) : NULL, *y = NULL;
    if (x) {
        x->needs_grad = 1;
        k->row = since(g, 0, 0);
        size_t at = g->here->numbers.used;
        g->here->numbers.peak = at;
        y = ib_checkpoint_segment(g, ib_lm_block, &run, 1, x);
        k->forward = since(g, at, 1);
        k->memo = (int64_t)g->here->memos.used;
    }
    if (y && (y->grad = ib_graph_numbers(g, (size_t)y->size * sizeof(float))) && ib_grad_of(g, x, &status)) {
        V(g)->fill(g->dev, y->grad, 0, (size_t)y->size * sizeof(float));
        size_t at = g->here->numbers.used;
        g->here->numbers.peak = at;
        status = ib_backward_range(g, g->n_nodes - 1, 0);
        k->backward = since(g, at, 1);
        at = g->here->numbers.used;
        g->here->numbers.peak = at;
        if (!status && !ib_lm_loss(m, g, x, target, 1.0f, NULL))
            status = ib_error_status();
        k->loss_kept = since(g, at, 0) + 2 * k->row; /* the final norm and its gradient too */
        k->loss = since(g, at, 1) + 2 * k->row;
    } else if (!status) {
        status = ib_error_status();
    }
    for (int i = 0; m->trainable && i < ib_param_count(m->trainable); i++) { /* the gradients were only tried */
        ib_tensor *p = ib_param_at(m->trainable, i);
        if (p->grad)
            V(g)->fill(g->dev, p->grad, 0, (size_t)p->size * sizeof(float));
    }
    ib_graph_begin(g, IB_EVAL);
    ib_free(ids);
    return status;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The arena's highest level in a model of n layers. */
static int64_t highest(const measured *k, int n)
{
    const int64_t results = (n + 1) * k->row;
    return max(results + max(k->forward, k->loss), results + k->loss_kept + 2 * k->row + k->backward);
}

static int64_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long long total = 0, pages = 0;
    if (f && fscanf(f, "%lld %lld", &total, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

ib_status ib_finetune_plan(ib_lm *m, ib_graph *g, int64_t rows, const ib_adamw_opts *adamw, int checkpoint,
                           int64_t limit, ib_memory_plan *out)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(out);
    static const ib_adamw_opts defaults;
    adamw = adamw ? adamw : &defaults;
    measured k = {0};
    IB_TAKE(rows, rows > 0, "is %lld tokens", (long long)rows);
    IB_TAKE(checkpoint, checkpoint <= m->c.layers, "is %d of %d layers", checkpoint, m->c.layers);
    IB_TAKE(limit, limit >= 0, "is %lld bytes", (long long)limit);
    const int64_t before = resident();
    const ib_status status = measure(m, g, rows, &k);
    if (status)
        return status;
    *out = (ib_memory_plan){.weights = ib_lm_weight_bytes(m)};
    for (int i = 0; m->trainable && i < ib_param_count(m->trainable); i++) {
        const int64_t n = ib_param_at(m->trainable, i)->size;
        out->adapter += 4 * n;
        out->gradients += 4 * n;
        out->optimizer += adamw->bits8 && n >= 4096 ? 2 * (n + n / 64) : 8 * n;
    }
    if (!m->adapted)
        out->weights = 0; /* they are what is trained */
    out->other = max(before - out->weights - 2 * out->adapter, 32 << 20);
    const int64_t fixed = out->weights + out->adapter + out->gradients + out->optimizer + out->other;
    const int n = m->c.layers;
    const int64_t arena = highest(&k, n);
    int c = checkpoint;
    if (c < 0)
        for (c = 0; limit && c < n && fixed + arena + (n - c) * k.memo > limit;)
            c++;
    out->checkpoint = c > n ? n : c;
    const int64_t memos = (n - out->checkpoint) * k.memo;
    out->activations = arena + memos;
    out->total = fixed + out->activations;
    out->whole = fixed + arena + n * k.memo;
    return ib_graph_reserve(g, (size_t)arena, (size_t)memos);
}
