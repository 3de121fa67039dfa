/* graph.c - the tape. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "autograd/graph_checks.h"
#include "autograd/op.h"
#include "autograd/trace_node.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "base/trace.h"

static const ib_op *const ops[] = {
#define OP(name) &ib_op_##name,
#include "autograd/ops.def"
#include "base/assert.h"
#undef OP
};

const ib_op *ib_op_at(int i)
{
    return i >= 0 && i < (int)(sizeof ops / sizeof *ops) ? ops[i] : NULL;
}

void *ib_graph_alloc(ib_graph *g, size_t bytes)
{
    return ib_arena_alloc(&g->notes, bytes);
}

void *ib_graph_numbers(ib_graph *g, size_t bytes)
{
    return ib_arena_alloc(&g->here->numbers, bytes);
}

ib_mark ib_graph_mark(ib_graph *g)
{
    return (ib_mark){ib_arena_mark(&g->notes), ib_arena_mark(&g->here->numbers), g->here};
}

void ib_graph_release(ib_graph *g, ib_mark m)
{
    ib_arena_release(&g->notes, m.notes);
    ib_arena_release(&m.side->numbers, m.numbers);
}

ib_status ib_graph_reserve(ib_graph *g, size_t numbers, size_t memos)
{
    if (ib_arena_reserve(&g->here->numbers, numbers) || ib_arena_reserve(&g->here->memos, memos))
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
        struct ib_memo *m = ib_arena_alloc(&g->memo_notes, sizeof *m);
        if (!m || !(m->data = ib_arena_alloc(&g->here->memos, bytes))) {
            *failed = IB_ENOMEM;
            return NULL;
        }
        m->next = NULL;
        m->bytes = bytes;
        *g->memo = m;
    }
    struct ib_memo *m = *g->memo;
    IB_ASSERT(m && m->bytes == bytes, "a segment's second run asks for what its first one kept");
    g->memo = &m->next;
    return m->data;
}

/* ---- life ---- */

static atomic_uint_fast64_t steps;

uint64_t ib_graph_number(void)
{
    return atomic_fetch_add(&steps, 1) + 1;
}

ib_graph *ib_graph_new(ib_device *dev)
{
    IB_NEED_OR(dev, NULL);
    ib_graph *g = ib_alloc(sizeof *g);
    if (!g)
        return NULL;
    g->now = ib_graph_number();
    g->failures = ib_failures();
    ib_side *own = ib_side_of(g, dev);
    if (!own) {
        ib_graph_free(g);
        return NULL;
    }
    ib_graph_turn(g, own);
    for (int i = 0; i < IB_GRACE; i++)
        if (ib_arena_reserve(&g->heads[i], 256 * sizeof(ib_tensor))) {
            ib_graph_free(g);
            return NULL;
        }
    return g;
}

void ib_graph_free(ib_graph *g)
{
    if (!g)
        return;
    ib_sides_free(g);
    ib_arena_free(&g->notes);
    ib_arena_free(&g->memo_notes);
    for (int i = 0; i < IB_GRACE; i++)
        ib_arena_free(&g->heads[i]);
    ib_free(g->nodes);
    ib_free(g->calls);
    ib_free(g->leaves);
    ib_free(g);
}

ib_status ib_graph_begin(ib_graph *g, ib_mode mode)
{
    IB_NEED(g);
    IB_TAKE(mode, mode >= IB_EVAL && mode <= IB_TRACE, "is %d: IB_EVAL, IB_TRAIN and IB_TRACE are known", (int)mode);
    if (g->mode == IB_TRAIN && g->n_nodes)
        g->step++;
    g->mode = mode;
    g->now = ib_graph_number();
    g->failures = ib_failures();
    g->n_nodes = 0;
    g->kept = 0;
    g->n_calls = 0;
    g->n_leaves = 0;
    g->draws = 0;
    g->backwards = 0;
    g->no_tape = g->replaying = 0;
    g->memo = NULL;
    g->free_grad = NULL;
    g->scope = NULL;
    const ib_arena oldest = g->heads[IB_GRACE - 1];
    memmove(g->heads + 1, g->heads, (IB_GRACE - 1) * sizeof *g->heads);
    g->heads[0] = oldest;
    ib_arena_begin(&g->heads[0]);
    ib_arena_begin(&g->notes);
    ib_arena_begin(&g->memo_notes);
    ib_sides_begin(g);
    return IB_OK;
}

ib_status ib_graph_seed(ib_graph *g, uint64_t seed, uint64_t step)
{
    IB_NEED(g);
    g->seed = seed;
    g->step = step;
    g->n_nodes = 0;
    g->kept = 0;
    return IB_OK;
}

size_t ib_graph_bytes(const ib_graph *g)
{
    IB_NEED_OR(g, 0);
    size_t bytes = g->notes.used + g->memo_notes.used + g->heads[0].used + ib_sides_used(g);
    for (int i = 0; i < g->n_sides; i++)
        bytes += g->sides[i]->memos.used;
    return bytes;
}

/* The tensor that t is a view of. */
static const ib_tensor *viewed(const ib_graph *g, const ib_tensor *t)
{
    while (t && t->node >= 0 && t->is_view)
        t = g->nodes[t->node].in[0];
    return t;
}

const char *ib_tensor_made_by(const ib_graph *g, const ib_tensor *t)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(t, NULL);
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
    IB_NEED_OR(g, 0);
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
    IB_NEED_OR(g, NULL);
    return g->sides[0]->dev;
}

/* ---- applying ---- */

static ib_tensor *tensor_in_graph(ib_graph *g)
{
    ib_tensor *t = ib_arena_alloc(&g->heads[0], sizeof *t);
    if (t)
        *t = (ib_tensor){.node = -1, .dev = ib_home(g->dev), .step = g->now, .graph = g, .side = g->here};
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

/* out reads the memory of a leaf: of the input x, or of what x is of. */
static void reads_of(ib_tensor *out, const ib_tensor *x)
{
    out->leaf = x->step ? x->leaf : x;
    out->moves = x->moves;
}

/* On the side of its inputs. */
static ib_tensor *apply(ib_graph *g, ib_node node, const void *attrs)
{
    const ib_op *op = node.op;
    ib_tensor *const *in = node.in;
    const int n_in = node.n_in;
    int needs_grad = 0, from_data = 0;
    for (int i = 0; i < n_in; i++) {
        const ib_tensor *t = in[i];
        if (t && ((t->step && t->step != g->now) || (t->dtype != IB_F32 && !op->takes_codes))) {
            ib_refuse_input(g, &node, i);
            return NULL;
        }
        IB_ASSERT(!t || !t->step || t->node < g->n_nodes, "an input stands on the tape before its result");
        needs_grad |= t && t->needs_grad;
        from_data |= t && t->from_data;
    }
    for (int i = 0; i < n_in; i++) {
        if (ib_check_side(g, &node, i))
            return NULL;
        if (in[i] && !in[i]->step && ib_graph_use(g, in[i]))
            return ib_op_refuse(&node), NULL;
    }
    const size_t notes = g->notes.used, numbers = ib_sides_used(g);
    if (op->attrs_bytes) {
        if (!(node.attrs = ib_graph_alloc(g, op->attrs_bytes)))
            return NULL;
        memcpy(node.attrs, attrs, op->attrs_bytes);
    }
    ib_tensor *out = node.out = tensor_in_graph(g);
    if (!out || op->shape(&node, out))
        return NULL;
    out->is_view = out->data && in[0] && out->data == in[0]->data;
    if (out->is_view || (in[0] && out->q.scale && out->q.scale == in[0]->q.scale))
        reads_of(out, in[0]);
    if (!out->data && !(out->data = ib_graph_numbers(g, (size_t)out->size * ib_dtype_bytes(out->dtype))))
        return NULL;
    out->needs_grad = needs_grad && op->backward;
    out->from_data = from_data;
    const double began = ib_trace_begin();
    ib_assert_result(out);
    if ((node.call = ib_graph_call(g, op)) < 0 || op->forward(g, &node) || ib_graph_fault(g, 0))
        return NULL;
    ib_assert_codes(out);
    if (out->passes)
        reads_of(out, out->passes);
    if (began)
        ib_trace_forward(&node, began);
    if (out->size == 1 && from_data && out->dtype == IB_F32) /* ReLU and pooling may have swallowed the data's NaN: */
        K(g)->spoil(g->dev, ib_f32(out), 1, g->here->data);  /* nobody shall take this for a loss */
    if (g->mode != IB_EVAL && !g->no_tape) {
        ib_node *slot = node_new(g); /* only now: a forward function may itself apply operators */
        if (!slot)
            return NULL;
        out->node = g->n_nodes++;
        node.noted = g->notes.used - notes;
        node.took = node.noted + ib_sides_used(g) - numbers;
        g->kept += from_data ? node.took : 0;
        *slot = node;
    }
    return out;
}

ib_tensor *ib_apply(ib_graph *g, const ib_op *op, ib_tensor *const *in, int n_in, const void *attrs)
{
    ib_node node = {.op = op, .n_in = n_in, .scope = g ? g->scope : NULL};
    if (!g)
        return ib_op_fail(&node, "g is NULL"), NULL;
    if (op->attrs_bytes && !attrs)
        return ib_op_fail(&node, "opts is NULL"), NULL;
    if (n_in > IB_MAX_INPUTS)
        return ib_op_fail(&node, "%d inputs, at most %d are possible", n_in, IB_MAX_INPUTS), NULL;
    IB_ASSERT(op->n_required <= n_in, "an operator is given its required inputs");
    memcpy(node.in, in, (size_t)n_in * sizeof *in);
    for (int i = 0; i < op->n_required; i++)
        if (!in[i])
            return ib_refuse_input(g, &node, i), NULL;
    ib_side *was = ib_graph_follow(g, in, n_in);
    ib_tensor *out = apply(g, node, attrs);
    ib_graph_turn(g, was);
    return out;
}

ib_tensor *ib_graph_tensor(ib_graph *g, int ndim, const int64_t *shape)
{
    ib_tensor *t = tensor_in_graph(g);
    if (!t || ib_tensor_set_shape(t, ndim, shape) || !(t->data = ib_graph_numbers(g, (size_t)t->size * sizeof(float))))
        return NULL;
    t->from_data = 1;
    return t;
}

ib_tensor *ib_input(ib_graph *g, int ndim, const int64_t *shape, const float *data)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(shape, NULL);
    IB_NEED_OR(data, NULL);
    static const ib_op input = {.name = "input"}; /* what a report calls it */
    ib_side *was = g->here;
    ib_graph_turn(g, g->sides[0]);
    ib_tensor *t = ib_graph_tensor(g, ndim, shape);
    const int call = t ? ib_graph_call(g, &input) : -1;
    if (call >= 0) {
        g->calls[call].data = t;
        V(g)->upload(g->dev, t->data, data, (size_t)t->size * sizeof(float));
        K(g)->need_finite(g->dev, t->data, t->size, t->size / t->shape[0], (ib_site){g->here->data, call, g->now});
    } else {
        ib_error_prefix("%s", __func__);
    }
    ib_graph_turn(g, was);
    return call < 0 ? NULL : t;
}

/* ---- helpers of the operators ---- */

ib_status ib_op_fail(const ib_node *n, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    ib_vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n->scope && *n->scope)
        return ib_fail(IB_EINVAL, "layer '%s': %s: %s", n->scope, n->op->name, text);
    return ib_fail(IB_EINVAL, "%s: %s", n->op->name, text);
}

ib_status ib_op_refuse(const ib_node *n)
{
    const ib_status status = ib_error_status();
    ib_op_fail(n, "%s", ib_error());
    return ib_fail(status, "%s", ib_error());
}

ib_status ib_same_shape(const ib_tensor *x, ib_tensor *out, int codes)
{
    out->dtype = codes ? x->dtype : IB_F32;
    if (out->dtype == IB_CODES)
        out->q = x->q;
    return ib_tensor_set_shape(out, x->ndim, x->shape);
}

ib_status ib_window_of(const ib_node *n, const ib_tensor *x, ib_window *w)
{
    const int kh = w->kh, kw = w->kw, sh = w->sh, sw = w->sw, ph = w->ph, pw = w->pw;
    char text[64];
    if (x->ndim != 4)
        return ib_op_fail(n, "input is %s, four dimensions N,C,H,W are needed",
                          ib_tensor_shape_text(x, text, sizeof text));
    if (kh < 1 || kw < 1 || sh < 1 || sw < 1 || ph < 0 || pw < 0 || w->groups < 1)
        return ib_op_fail(n, "kernel %dx%d, stride %dx%d, padding %dx%d, groups %d", kh, kw, sh, sw, ph, pw, w->groups);
    if (x->shape[2] + 2 * (int64_t)ph < kh || x->shape[3] + 2 * (int64_t)pw < kw)
        return ib_op_fail(n, "kernel %dx%d is larger than the input %s with padding %dx%d", kh, kw,
                          ib_tensor_shape_text(x, text, sizeof text), ph, pw);
    w->n = x->shape[0];
    w->ic = x->shape[1];
    w->ih = x->shape[2];
    w->iw = x->shape[3];
    w->oh = (x->shape[2] + 2 * (int64_t)ph - kh) / sh + 1;
    w->ow = (x->shape[3] + 2 * (int64_t)pw - kw) / sw + 1;
    return IB_OK;
}

int64_t ib_run_of(const ib_tensor *x, int axis)
{
    int64_t run = 1;
    for (int d = axis; d < x->ndim; d++)
        run *= x->shape[d];
    return run;
}
