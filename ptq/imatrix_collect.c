/* imatrix_collect.c - the importance matrix of a model and a text: every window goes through all blocks at once, and
 * what each product reads is added to its own sums. */
#include <math.h>
#include <string.h>

#include "autograd/tap.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "lm/run/text_windows.h"
#include "ptq/fold_scales.h"
#include "ptq/imatrix_file.h"
#include "ptq/ptq.h"

typedef struct collecting {
    ib_lm *m;
    ib_graph *g;
    const ib_imatrix_opts *o;
    ib_text_windows t;
    int32_t *row;          /* [3][context] tokens, positions, and the row where each one's sequence begins */
    ib_statistics *of;     /* [layers][IB_N_INPUTS], and of the head */
    int seen[IB_N_INPUTS]; /* of this layer and window: products that read the same rows bring them once */
    int layer;
} collecting;

static ib_status listen(const ib_tap *tap, ib_graph *g, const char *role, const ib_tensor *x)
{
    collecting *c = tap->context;
    for (int r = 0; r < IB_N_ROLES; r++) {
        const int input = ib_input_of(r);
        if (strcmp(role, ib_role_names[r].hf) != 0 || c->seen[input])
            continue;
        ib_statistics *s = &c->of[c->layer * IB_N_INPUTS + input];
        ib_status status = s->cols ? IB_OK : ib_statistics_new(s, x->shape[1], IB_NEEDS_SQUARES);
        c->seen[input] = 1;
        return status ? status : ib_statistics_add(s, g, x);
    }
    return IB_OK;
}

static ib_statistics *of_head(const collecting *c)
{
    return &c->of[c->m->c.layers * IB_N_INPUTS];
}

static ib_status run_window(collecting *c, int64_t w)
{
    ib_graph_begin(c->g, IB_EVAL);
    ib_text_windows_row(&c->t, w, c->row);
    const ib_lm_batch b = {c->t.context, c->row, c->row + c->t.context, c->row + 2 * c->t.context};
    ib_block_run run = ib_lm_run(c->m, c->g, &b, NULL, 0);
    ib_tensor *x = run.pos ? ib_lm_embed(c->m, c->g, &b) : NULL;
    for (int i = 0; x && i < c->m->c.layers; i++) {
        const ib_mark mark = ib_graph_mark(c->g); /* a layer's values are gone when the next begins */
        run.layer = c->layer = i;
        memset(c->seen, 0, sizeof c->seen);
        ib_tensor *y = ib_lm_block(c->g, &run, x);
        if (y)
            V(c->g)->copy(c->g->dev, x->data, y->data, (size_t)x->size * sizeof(float));
        else
            ib_error_prefix("layer %d", i);
        x = y ? x : NULL;
        ib_graph_release(c->g, mark);
    }
    if (!x || !c->o->process_output)
        return x ? IB_OK : ib_error_status();
    ib_statistics *s = of_head(c);
    ib_status status = s->cols ? IB_OK : ib_statistics_new(s, c->m->c.width, IB_NEEDS_SQUARES);
    x = status ? NULL : ib_rms_norm(c->g, x, c->m->norm, c->m->c.eps);
    return x ? ib_statistics_add(s, c->g, x) : ib_error_status();
}

static ib_status put(ib_imatrix *x, const char *name, const ib_statistics *s)
{
    ib_imatrix_entry *e = ib_imatrix_add(x, name, strlen(name), s->cols, 1);
    if (!e)
        return IB_ENOMEM;
    e->count[0] = s->tokens;
    for (int64_t i = 0; i < s->cols; i++) {
        e->sum[i] = (float)s->squares[i];
        if (!isfinite(e->sum[i]))
            return ib_fail(IB_ENUMERIC, "%s: the squares of column %lld sum up to %g", name, (long long)i,
                           s->squares[i]);
    }
    return IB_OK;
}

static ib_status entries(const collecting *c, ib_imatrix *x)
{
    ib_status status = IB_OK;
    char name[IB_LM_PATH];
    for (int i = 0; i < c->m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++) {
            const ib_statistics *s = &c->of[i * IB_N_INPUTS + ib_input_of(r)];
            ib_snprintf(name, sizeof name, "blk.%d.%s.weight", i, ib_role_names[r].gguf);
            if (c->m->block[i].p[r].w)
                status = put(x, name, s);
        }
    if (!status && c->o->process_output)
        status = put(x, c->m->head ? "output.weight" : "token_embd.weight", of_head(c));
    return status;
}

static ib_status write(const collecting *c, const char *path)
{
    ib_imatrix x = {.chunks = c->t.windows, .chunk = c->t.context};
    ib_status status = IB_OK;
    if (c->o->dataset && !(x.dataset = ib_strdup(c->o->dataset)))
        status = IB_ENOMEM;
    if (!status)
        status = entries(c, &x);
    ib_imatrix_sort(&x);
    if (!status)
        status = ib_imatrix_write(&x, path, c->o->dat);
    ib_imatrix_release(&x);
    return status;
}

static ib_status collect(collecting *c)
{
    const ib_tap tap = {listen, c}, *was = c->g->tap;
    ib_status status = ib_lm_rope(c->m, c->t.context);
    c->g->tap = &tap;
    for (int64_t w = 0; w < c->t.windows && !status; w++) {
        status = run_window(c, w);
        if (status)
            ib_error_prefix("window %lld", (long long)w + 1);
        else if (c->o->progress && c->o->progress(c->o->user, w + 1, c->t.windows))
            status = ib_fail(IB_ESTOPPED, "stopped at window %lld of %lld", (long long)w + 1, (long long)c->t.windows);
    }
    c->g->tap = was;
    return status;
}

ib_status ib_lm_imatrix(ib_lm *m, ib_graph *g, const char *path, const ib_imatrix_opts *o)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(path);
    IB_NEED(o);
    IB_NEED(o->ids);
    IB_TAKE(m, m->adapted || !m->trainable, "has %s that are trained: freeze it first", "weights");
    collecting c = {.m = m, .g = g, .o = o};
    const ib_perplexity_opts windows = {.context = o->context, .windows = o->windows, .bos = o->bos, .in_place = 1};
    ib_status status = ib_text_windows_of(m, o->ids, o->n, &windows, __func__, &c.t);
    if (status)
        return status;
    const size_t n = (size_t)m->c.layers * IB_N_INPUTS + 1;
    c.row = ib_alloc((size_t)c.t.context * 3 * sizeof *c.row);
    c.of = ib_alloc(n * sizeof *c.of);
    status = c.row && c.of ? IB_OK : IB_ENOMEM;
    for (int64_t i = 0; i < c.t.context && !status; i++)
        c.row[c.t.context + i] = (int32_t)i;
    if (!status)
        status = collect(&c);
    if (!status)
        status = write(&c, path);
    for (size_t i = 0; c.of && i < n; i++)
        ib_statistics_release(&c.of[i]);
    ib_free(c.of);
    ib_free(c.row);
    return status;
}
