/* graph.c - the tape. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "tensor/alloc.h"

static const ib_op *const ops[] = {
#define OP(name) &ib_op_##name,
#include "autograd/ops.def"
#undef OP
};

const ib_op *ib_op_at(int i)
{
    return i >= 0 && i < (int)(sizeof ops / sizeof *ops) ? ops[i] : NULL;
}

void *ib_graph_alloc(ib_graph *g, size_t bytes)
{
    return ib_arena_alloc(&g->arena, bytes);
}

ib_mark ib_graph_mark(ib_graph *g)
{
    return ib_arena_mark(&g->arena);
}

void ib_graph_release(ib_graph *g, ib_mark m)
{
    ib_arena_release(&g->arena, m);
}

ib_status ib_graph_reserve(ib_graph *g, size_t arena, size_t memos)
{
    if (ib_arena_reserve(&g->arena, arena) || ib_arena_reserve(&g->memos, memos))
        return IB_ENOMEM;
    g->n_nodes = 0;
    g->kept = 0;
    return IB_OK;
}

void *ib_memo_next(ib_graph *g, size_t bytes, ib_status *failed)
{
    if (!g->memo)
        return NULL;
    if (!g->replaying) {
        struct ib_memo *m = ib_arena_alloc(&g->memos, sizeof *m);
        if (!m || !(m->data = ib_arena_alloc(&g->memos, bytes))) {
            *failed = IB_ENOMEM;
            return NULL;
        }
        m->next = NULL;
        *g->memo = m;
    }
    struct ib_memo *m = *g->memo;
    g->memo = &m->next;
    return m->data;
}

/* ---- life ---- */

ib_graph *ib_graph_new(ib_device *dev)
{
    if (!dev)
        return NULL;
    ib_graph *g = ib_alloc(sizeof *g);
    if (g)
        g->dev = dev;
    return g;
}

void ib_graph_free(ib_graph *g)
{
    if (!g)
        return;
    ib_arena_free(&g->arena);
    ib_arena_free(&g->memos);
    ib_free(g->nodes);
    ib_free(g);
}

void ib_graph_begin(ib_graph *g, ib_mode mode)
{
    if (g->mode == IB_TRAIN && g->n_nodes)
        g->step++;
    g->mode = mode;
    g->n_nodes = 0;
    g->kept = 0;
    g->draws = 0;
    g->no_tape = g->replaying = 0;
    g->memo = NULL;
    g->free_grad = NULL;
    g->scope = NULL;
    ib_arena_begin(&g->arena);
    ib_arena_begin(&g->memos);
}

void ib_graph_seed(ib_graph *g, uint64_t seed, uint64_t step)
{
    g->seed = seed;
    g->step = step;
    g->n_nodes = 0;
    g->kept = 0;
}

size_t ib_graph_bytes(const ib_graph *g)
{
    return g->arena.used + g->memos.used;
}

/* The tensor that t is a view of. */
static const ib_tensor *viewed(const ib_graph *g, const ib_tensor *t)
{
    while (t && t->node >= 0 && g->nodes[t->node].in[0] && g->nodes[t->node].in[0]->data == t->data)
        t = g->nodes[t->node].in[0];
    return t;
}

const char *ib_tensor_made_by(const ib_graph *g, const ib_tensor *t)
{
    t = viewed(g, t);
    return t && t->node >= 0 ? g->nodes[t->node].op->name : "";
}

/* A batch counts, once, where an operator reads it whose gradient will be asked for. */
static int reads_batch(const ib_graph *g, const ib_node *n, const ib_tensor *batch)
{
    for (int j = 0; j < n->n_in; j++)
        if (n->out->needs_grad && viewed(g, n->in[j]) == batch)
            return 1;
    return 0;
}

size_t ib_graph_saved_bytes(const ib_graph *g)
{
    size_t bytes = g->kept;
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->nodes[i].n_in && g->nodes[i].out->needs_grad; j++) {
            const ib_tensor *t = viewed(g, g->nodes[i].in[j]);
            int seen = !t || t->node >= 0 || !t->from_data;
            for (int k = 0; k < i && !seen; k++)
                seen = reads_batch(g, &g->nodes[k], t);
            if (!seen)
                bytes += (size_t)t->size * ib_dtype_bytes(t->dtype);
        }
    return bytes;
}

ib_device *ib_graph_device(const ib_graph *g)
{
    return g->dev;
}

/* ---- applying ---- */

static ib_tensor *tensor_in_graph(ib_graph *g)
{
    ib_tensor *t = ib_graph_alloc(g, sizeof *t);
    if (t) {
        memset(t, 0, sizeof *t);
        t->node = -1;
    }
    return t;
}

static ib_node *node_new(ib_graph *g)
{
    if (g->n_nodes == g->max_nodes) {
        const int max = g->max_nodes ? 2 * g->max_nodes : 64;
        ib_node *nodes = ib_realloc(g->nodes, (size_t)g->max_nodes * sizeof *nodes, (size_t)max * sizeof *nodes);
        if (!nodes)
            return NULL;
        g->nodes = nodes;
        g->max_nodes = max;
    }
    return &g->nodes[g->n_nodes];
}

ib_tensor *ib_apply(ib_graph *g, const ib_op *op, ib_tensor *const *in, int n_in, const void *attrs)
{
    for (int i = 0; i < op->n_required; i++)
        if (i >= n_in || !in[i])
            return NULL;
    if (n_in > IB_MAX_INPUTS)
        return ib_fail_null(IB_EINVAL, "%s: %d inputs, at most %d are possible", op->name, n_in, IB_MAX_INPUTS);
    ib_node node = {.op = op, .n_in = n_in, .scope = g->scope};
    int needs_grad = 0, from_data = 0;
    for (int i = 0; i < n_in; i++) {
        node.in[i] = in[i];
        needs_grad |= in[i] && in[i]->needs_grad;
        from_data |= in[i] && in[i]->from_data;
    }
    const size_t before = g->arena.used;
    if (op->attrs_bytes) {
        if (!(node.attrs = ib_graph_alloc(g, op->attrs_bytes)))
            return NULL;
        memcpy(node.attrs, attrs, op->attrs_bytes);
    }
    ib_tensor *out = node.out = tensor_in_graph(g);
    if (!out || op->shape(&node, out))
        return NULL;
    if (!out->data && !(out->data = ib_graph_alloc(g, (size_t)out->size * ib_dtype_bytes(out->dtype))))
        return NULL;
    out->needs_grad = needs_grad && op->backward;
    out->from_data = from_data;
    if (op->forward(g, &node))
        return NULL;
    if (g->mode != IB_EVAL && !g->no_tape) {
        ib_node *slot = node_new(g); /* only now: a forward function may itself apply operators */
        if (!slot)
            return NULL;
        out->node = g->n_nodes++;
        g->kept += from_data ? g->arena.used - before : 0;
        *slot = node;
    }
    return out;
}

ib_tensor *ib_input(ib_graph *g, int ndim, const int64_t *shape, const float *data)
{
    ib_tensor *t = tensor_in_graph(g);
    if (!t || ib_tensor_set_shape(t, ndim, shape))
        return NULL;
    if (!(t->data = ib_graph_alloc(g, (size_t)t->size * sizeof(float))))
        return NULL;
    t->from_data = 1;
    return memcpy(t->data, data, (size_t)t->size * sizeof(float)), t;
}

float *ib_grad_fresh(ib_graph *g, ib_tensor *t, int *fresh, ib_status *failed)
{
    *fresh = 0;
    if (!t || !t->needs_grad)
        return NULL;
    if (!t->grad && t->passes)
        return t->grad = ib_grad_fresh(g, t->passes, fresh, failed);
    if (!t->grad) {
        if (!(t->grad = ib_graph_alloc(g, (size_t)t->size * sizeof(float)))) {
            *failed = IB_ENOMEM;
            return NULL;
        }
        *fresh = 1;
    }
    return t->grad;
}

float *ib_grad_of(ib_graph *g, ib_tensor *t, ib_status *failed)
{
    int fresh;
    float *grad = ib_grad_fresh(g, t, &fresh, failed);
    if (fresh)
        memset(grad, 0, (size_t)t->size * sizeof(float));
    return grad;
}

ib_status ib_backward(ib_graph *g, ib_tensor *loss)
{
    if (!loss)
        return ib_error_status() ? ib_error_status() : IB_EINVAL;
    if (loss->size != 1)
        return ib_fail(IB_EINVAL, "backward: the loss has %lld elements, not 1", (long long)loss->size);
    if (g->mode != IB_TRAIN || loss->node < 0)
        return ib_fail(IB_ESTATE, "backward: this loss is not on a tape (begin the step with IB_TRAIN)");
    ib_status failed = IB_OK;
    float *seed = ib_grad_of(g, loss, &failed);
    if (!seed)
        return failed ? failed : ib_fail(IB_EINVAL, "backward: nothing that the loss depends on needs a gradient");
    *seed = 1.0f;
    return ib_backward_range(g, loss->node, 0);
}

ib_status ib_backward_range(ib_graph *g, int last, int first)
{
    for (int i = last; i >= first; i--) {
        ib_node n = g->nodes[i]; /* a copy: a backward function may itself apply operators */
        if (!n.out->grad || !n.op->backward)
            continue;
        const ib_status status = n.op->backward(g, &n);
        if (status)
            return status;
    }
    return IB_OK;
}

/* ---- helpers of the operators ---- */

ib_status ib_op_fail(const ib_node *n, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n->scope && *n->scope)
        return ib_fail(IB_EINVAL, "layer '%s': %s: %s", n->scope, n->op->name, text);
    return ib_fail(IB_EINVAL, "%s: %s", n->op->name, text);
}

ib_status ib_same_shape(const ib_tensor *x, ib_tensor *out, int codes)
{
    out->dtype = codes ? x->dtype : IB_F32;
    if (out->dtype == IB_CODES)
        out->q = x->q;
    return ib_tensor_set_shape(out, x->ndim, x->shape);
}

ib_status ib_window_of(const ib_node *n, const ib_tensor *x, int kh, int kw, int sh, int sw, int ph, int pw, int groups,
                       int64_t oc, ib_window *w)
{
    char text[64];
    if (x->ndim != 4)
        return ib_op_fail(n, "input is %s, four dimensions N,C,H,W are needed", ib_tensor_shape_text(x, text, sizeof text));
    if (kh < 1 || kw < 1 || sh < 1 || sw < 1 || ph < 0 || pw < 0 || groups < 1)
        return ib_op_fail(n, "kernel %dx%d, stride %dx%d, padding %dx%d, groups %d", kh, kw, sh, sw, ph, pw, groups);
    if (x->shape[2] + 2 * ph < kh || x->shape[3] + 2 * pw < kw)
        return ib_op_fail(n, "kernel %dx%d is larger than the input %s with padding %dx%d", kh, kw,
                          ib_tensor_shape_text(x, text, sizeof text), ph, pw);
    *w = (ib_window){.n = x->shape[0], .ic = x->shape[1], .ih = x->shape[2], .iw = x->shape[3], .oc = oc,
                     .oh = (x->shape[2] + 2 * ph - kh) / sh + 1, .ow = (x->shape[3] + 2 * pw - kw) / sw + 1,
                     .kh = kh, .kw = kw, .sh = sh, .sw = sw, .ph = ph, .pw = pw, .groups = groups};
    return IB_OK;
}

ib_status ib_pool_window(const ib_node *n, const ib_tensor *x, const ib_pool_opts *opts, ib_window *w)
{
    ib_pool_opts o = *opts;
    if (!o.kernel_h && !o.kernel_w && x->ndim == 4) {
        o.kernel_h = (int)x->shape[2];
        o.kernel_w = (int)x->shape[3];
    }
    if ((o.pad_h && o.pad_h >= o.kernel_h) || (o.pad_w && o.pad_w >= o.kernel_w))
        return ib_op_fail(n, "padding %dx%d is not smaller than the kernel %dx%d", o.pad_h, o.pad_w, o.kernel_h, o.kernel_w);
    return ib_window_of(n, x, o.kernel_h, o.kernel_w, o.stride_h ? o.stride_h : o.kernel_h, o.stride_w ? o.stride_w : o.kernel_w,
                        o.pad_h, o.pad_w, 1, x->ndim == 4 ? x->shape[1] : 1, w);
}

int64_t ib_run_of(const ib_tensor *x, int axis)
{
    int64_t run = 1;
    for (int d = axis; d < x->ndim; d++)
        run *= x->shape[d];
    return run;
}
