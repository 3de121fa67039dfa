/* plan_memory.c - what training will need, measured on one block and added up. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lm/samples.h"
#include "lm/state.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

/* Arena bytes. kept: by a block's tape; grads: by its backward pass until the step's end; forward, backward: the most that
 * a block needs for a moment on top, without and with a tape; loss_kept, loss: of the head. */
typedef struct measured {
    int64_t kept, grads, forward, backward, loss_kept, loss, row;
} measured;

static int64_t since(const ib_graph *g, size_t from, int peak)
{
    return (int64_t)((peak ? g->peak : g->used) - from);
}

static ib_status measure(ib_lm *m, ib_graph *g, int64_t rows, measured *k)
{
    int32_t *ids = ib_alloc((size_t)rows * 4 * sizeof *ids), *pos = ids + rows, *first = pos + rows, *target = first + rows;
    if (!ids)
        return IB_ENOMEM;
    for (int64_t i = 0; i < rows; i++)
        pos[i] = (int32_t)i;
    const ib_lm_batch b = {rows, ids, pos, first};
    ib_block_run run = {m, &b, 0, NULL};
    ib_status status = ib_lm_rope(m, rows);
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *x = status ? NULL : ib_lm_embed(m, g, &b);
    if (x) {
        x->needs_grad = 1;
        k->row = since(g, 0, 0);
        size_t at = g->used;
        const ib_mark mark = ib_graph_mark(g);
        g->peak = at;
        g->no_tape = 1;
        ib_tensor *y = ib_lm_block(g, &run, x);
        g->no_tape = 0;
        k->forward = since(g, at, 1);
        ib_graph_release(g, mark);
        at = g->used;
        y = y ? ib_lm_block(g, &run, x) : NULL;
        k->kept = since(g, at, 0);
        if (y && (y->grad = ib_graph_alloc(g, (size_t)y->size * sizeof(float))) && ib_grad_of(g, x, &status)) {
            memset(y->grad, 0, (size_t)y->size * sizeof(float));
            at = g->used;
            g->peak = at;
            status = ib_backward_range(g, g->n_nodes - 1, 0);
            k->grads = since(g, at, 0) + k->row;
            k->backward = since(g, at, 1) + 2 * k->row;
            at = g->used;
            g->peak = at;
            if (!status && !ib_lm_loss(m, g, x, target, 1.0f, NULL))
                status = ib_error_status();
            k->loss_kept = since(g, at, 0) + 2 * k->row; /* the final norm and its gradient too */
            k->loss = since(g, at, 1) + 2 * k->row;
        } else {
            status = ib_error_status();
        }
    } else if (!status) {
        status = ib_error_status();
    }
    for (int i = 0; m->trainable && i < ib_param_count(m->trainable); i++) { /* the gradients were only tried */
        ib_tensor *p = ib_param_at(m->trainable, i);
        if (p->grad)
            memset(p->grad, 0, (size_t)p->size * sizeof(float));
    }
    ib_graph_begin(g, IB_EVAL);
    ib_free(ids);
    return status;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The arena's highest level when the first c of n layers are checkpointed. */
static int64_t highest(const measured *k, int n, int c)
{
    const int64_t forward = k->row + c * k->row + (n - c) * k->kept;
    const int64_t backward = forward + k->loss_kept + (n - c) * k->grads;
    int64_t top = max(forward + k->loss, backward + (c < n ? k->backward - k->grads : 0));
    if (c)
        top = max(top, max(k->row + c * k->row + k->forward, backward + c * k->row + k->kept + k->backward));
    return top;
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

ib_status ib_finetune_plan(ib_lm *m, ib_graph *g, int64_t rows, const ib_adamw_opts *adamw, int checkpoint, int64_t limit, ib_memory_plan *out)
{
    measured k = {0};
    if (rows < 1)
        return ib_fail(IB_EINVAL, "a plan for %lld tokens", (long long)rows);
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
    int c = checkpoint;
    if (c < 0)
        for (c = 0; limit && c < n && fixed + highest(&k, n, c) > limit;)
            c++;
    out->checkpoint = c > n ? n : c;
    out->activations = highest(&k, n, out->checkpoint);
    out->total = fixed + out->activations;
    return IB_OK;
}
