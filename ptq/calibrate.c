/* calibrate.c - see calibrate.h */
#include "ptq/calibrate.h"

#include <string.h>

#include "autograd/tap.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

/* Window w begins at this token; they are spread evenly over the text. */
static int64_t begins(const ib_calibration *c, int64_t w)
{
    const int64_t fresh = c->context - (c->o->bos >= 0), spare = c->o->n - c->windows * fresh;
    return w * fresh + (c->windows > 1 ? spare * w / (c->windows - 1) : 0);
}

static void take_window(ib_calibration *c, int64_t w)
{
    const int bos = c->o->bos >= 0;
    const int32_t *from = c->o->ids + begins(c, w);
    for (int i = 0; i < c->context; i++) {
        c->row[i] = bos && !i ? c->o->bos : from[i - bos];
        c->pos[i] = i;
        c->first[i] = 0;
    }
}

ib_status ib_calibration_start(ib_calibration *c, ib_lm *m, ib_graph *g, const ib_ptq_opts *o, unsigned needs)
{
    *c = (ib_calibration){.m = m, .g = g, .o = o, .context = o->context ? o->context : 512, .needs = needs};
    c->hidden.fd = -1;
    if (!o->ids || !needs)
        return IB_OK;
    const int64_t most = o->windows ? o->windows : 128, fresh = c->context - (o->bos >= 0), there = o->n / fresh;
    if (there < 1)
        return ib_fail(IB_EINVAL, "the calibration text has %lld tokens, a window of %d needs %lld", (long long)o->n,
                       c->context, (long long)fresh);
    c->windows = there < most ? there : most;
    c->total = 2 * c->windows * m->c.layers;
    c->row = ib_alloc((size_t)c->context * 3 * sizeof *c->row);
    c->out = ib_alloc_raw((size_t)(c->context * m->c.width) * sizeof *c->out);
    if (!c->row || !c->out)
        return IB_ENOMEM;
    c->pos = c->row + c->context;
    c->first = c->pos + c->context;
    ib_status status = ib_lm_rope(m, c->context);
    return status ? status : ib_hidden_new(&c->hidden, o->work, c->windows, (int64_t)c->context * m->c.width);
}

void ib_calibration_end(ib_calibration *c)
{
    for (int i = 0; i < IB_N_INPUTS; i++)
        ib_statistics_release(&c->input[i]);
    ib_hidden_release(&c->hidden);
    ib_free(c->row);
    ib_free(c->out);
}

/* Rows that the window is now, by `layer` or (-1) the embedding. */
static ib_tensor *run_window(ib_calibration *c, int layer, int64_t w)
{
    take_window(c, w);
    ib_graph_begin(c->g, IB_EVAL);
    const ib_lm_batch batch = {c->context, c->row, c->pos, c->first};
    if (layer < 0)
        return ib_lm_embed(c->m, c->g, &batch);
    ib_block_run run = ib_lm_run(c->m, c->g, &batch, NULL, 0);
    run.layer = layer;
    ib_tensor *x = run.pos && !ib_hidden_read(&c->hidden, w)
                       ? ib_input(c->g, 2, (int64_t[]){c->context, c->m->c.width}, c->hidden.row)
                       : NULL;
    return x ? ib_lm_block(c->g, &run, x) : NULL;
}

static ib_status tell(ib_calibration *c)
{
    c->done++;
    if (!c->o->progress || !c->o->progress(c->o->user, c->done, c->total))
        return IB_OK;
    return ib_fail(IB_ESTOPPED, "stopped at window %lld of %lld", (long long)c->done, (long long)c->total);
}

static ib_status move(ib_calibration *c, int layer)
{
    ib_status status = IB_OK;
    for (int64_t w = 0; w < c->windows && !status; w++) {
        ib_tensor *y = run_window(c, layer, w);
        status = y ? ib_tensor_read(y, c->out) : ib_error_status();
        if (!status)
            status = ib_hidden_write(&c->hidden, w, c->out);
        if (layer >= 0 && !status)
            status = tell(c);
    }
    return status;
}

ib_status ib_calibration_embed(ib_calibration *c)
{
    return move(c, -1);
}

ib_status ib_calibration_pass(ib_calibration *c, int layer)
{
    return move(c, layer);
}

void ib_calibration_skip(ib_calibration *c)
{
    c->done += c->windows;
}

/* Of the products that read the same rows the first brings them. */
static const int first_role[IB_N_INPUTS] = {IB_ROLE_Q, IB_ROLE_O, IB_ROLE_UP, IB_ROLE_DOWN};

static ib_status listen(const ib_tap *tap, ib_graph *g, const char *layer, const ib_tensor *x)
{
    ib_calibration *c = tap->context;
    for (int i = 0; i < IB_N_INPUTS; i++)
        if (!strcmp(layer, ib_role_names[first_role[i]].hf))
            return ib_statistics_add(&c->input[i], g, x);
    return IB_OK;
}

ib_status ib_calibration_see(ib_calibration *c, int layer)
{
    const ib_tap tap = {listen, c}, *was = c->g->tap;
    ib_status status = IB_OK;
    for (int i = 0; i < IB_N_INPUTS && !status; i++) {
        int64_t rows, cols;
        ib_lm_role_shape(&c->m->c, first_role[i], &rows, &cols);
        ib_statistics_release(&c->input[i]);
        status = ib_statistics_new(&c->input[i], cols, c->needs);
        if (c->windows * c->context > IB_SAMPLE_ROWS)
            c->input[i].every = c->windows * c->context / IB_SAMPLE_ROWS;
    }
    c->g->tap = &tap;
    for (int64_t w = 0; w < c->windows && !status; w++)
        status = run_window(c, layer, w) ? tell(c) : ib_error_status();
    c->g->tap = was;
    return status;
}
