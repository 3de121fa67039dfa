/* int_binary.c - residual addition and multiplication of codes; saved: [0] clip mask, [1] constants. */
#include <string.h>

#include "arithmetic/requant.h"
#include "autograd/quantizer.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "runtime/isobit_rt.h"
#pragma GCC diagnostic pop

static int is_mul(const ib_node *n)
{
    return n->op == &ib_op_qmul;
}

static ib_status binary_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *a = n->in[0], *b = n->in[1];
    char sa[64], sb[64];
    if (a->dtype != IB_CODES || b->dtype != IB_CODES || a->ndim != b->ndim ||
        memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape))
        return ib_op_fail(n, "%s and %s are not codes of one shape", ib_tensor_shape_text(a, sa, sizeof sa),
                          ib_tensor_shape_text(b, sb, sizeof sb));
    out->dtype = IB_CODES;
    return ib_tensor_set_shape(out, a->ndim, a->shape);
}

static ib_coded coded(const ib_tensor *x)
{
    return (ib_coded){ib_codes(x), x->q.scale[0], x->q.zero_point};
}

/* The real result before quantization. */
static float *real_result(ib_graph *g, const ib_node *n)
{
    const ib_tensor *a = n->in[0], *b = n->in[1];
    const ib_bcast flat = {{1, 1, 1, a->size}, {0}, {0}, 1};
    const ib_coded ca = coded(a), cb = coded(b);
    float *x = ib_graph_numbers(g, (size_t)a->size * sizeof *x), *y = ib_graph_numbers(g, (size_t)a->size * sizeof *y);
    float *z = ib_graph_numbers(g, (size_t)a->size * sizeof *z);
    if (!x || !y || !z)
        return NULL;
    K(g)->dequantize(g->dev, &ca, a->size, x);
    K(g)->dequantize(g->dev, &cb, b->size, y);
    (is_mul(n) ? K(g)->mul : K(g)->add)(g->dev, &flat, x, y, z);
    return z;
}

static ib_status binary_forward(ib_graph *g, ib_node *n)
{
    const ib_q_attrs *o = n->attrs;
    const ib_tensor *a = n->in[0], *b = n->in[1];
    const ib_qparams *qa = &a->q, *qb = &b->q;
    const ib_coded ca = coded(a), cb = coded(b);
    float lo = 0, hi = 0;
    if (g->mode == IB_TRAIN && o->out->see)
        K(g)->real_range(g->dev, &ca, &cb, a->size, is_mul(n), &lo, &hi);
    const ib_status status = ib_see(g, n, o->out, o->act, lo, hi);
    if (status)
        return status;
    ib_qbinary_const *c = n->saved[1] = ib_graph_alloc(g, sizeof *c);
    if (!c || (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(a->size + 7) / 8))))
        return IB_ENOMEM;
    memset(c, 0, sizeof *c);
    c->rounding = ib_rounding(o->out->profile);
    ib_act_bounds(o->out, o->act, &c->lo, &c->hi);
    if (is_mul(n)) {
        if (ib_check_step(n, -1, qa->scale[0], qb->scale[0]) ||
            ib_factor_of(n, qa->scale[0], qb->scale[0], o->out, &c->out))
            return ib_error_status();
        const isobit_mul p = {(int32_t)a->size, qa->zero_point, qb->zero_point, o->out->zero, c->lo, c->hi, c->out};
        K(g)->qmul(g->dev, &p, a->size, ib_codes(a), ib_codes(b), c->rounding, ib_codes(n->out), n->saved[0]);
    } else {
        if (ib_addends_of(n, qa->scale[0], qb->scale[0], o->out, c))
            return ib_error_status();
        const isobit_add p = {
            (int32_t)a->size, qa->zero_point, qb->zero_point, o->out->zero, c->lo, c->hi, c->a, c->b, c->out};
        K(g)->qadd(g->dev, &p, a->size, ib_codes(a), ib_codes(b), c->rounding, ib_codes(n->out), n->saved[0]);
    }
    if (n->saved[0] && o->act != IB_ACT_NONE)
        K(g)->real_passes(g->dev, &ca, &cb, a->size, is_mul(n), ib_passes_below(o->out, o->act), n->saved[0]);
    return ib_set_codes(g, n->out, o->out);
}

/* add: da += dz, db += dz;  mul: da += dz b, db += dz a;  dz = dy where not clamped, and inside of the activation */
static ib_status binary_backward(ib_graph *g, ib_node *n)
{
    const ib_q_attrs *o = n->attrs;
    const int64_t size = n->out->size;
    ib_status failed = IB_OK;
    int fresh[2] = {0};
    float *d[2];
    for (int i = 0; i < 2; i++)
        d[i] = is_mul(n) ? ib_grad_of(g, n->in[i], &failed) : ib_grad_fresh(g, n->in[i], &fresh[i], &failed);
    if (failed)
        return failed;
    const ib_mark mark = ib_graph_mark(g);
    if (o->out->learned) {
        float *z = real_result(g, n);
        if (!z)
            return IB_ENOMEM;
        ib_learn_scale(g, o->out, o->act, n->out->shape[0], size, z, n->out->grad);
    }
    if (!is_mul(n)) {
        for (int i = 0; i < 2; i++)
            if (d[i])
                (fresh[i] ? K(g)->where : K(g)->grad_where)(g->dev, n->out->grad, n->saved[0], d[i], size);
    } else {
        const ib_bcast flat = {{1, 1, 1, size}, {0}, {0}, 1};
        float *dz = ib_graph_numbers(g, (size_t)size * sizeof *dz),
              *other = ib_graph_numbers(g, (size_t)size * sizeof *other);
        if (!dz || !other)
            return IB_ENOMEM;
        K(g)->where(g->dev, n->out->grad, n->saved[0], dz, size);
        for (int i = 0; i < 2; i++) {
            const ib_coded factor = coded(n->in[1 - i]);
            K(g)->dequantize(g->dev, &factor, size, other);
            if (d[i])
                K(g)->reduce_to(g->dev, &flat, dz, other, d[i]);
        }
    }
    ib_graph_release(g, mark);
    return IB_OK;
}

const ib_op ib_op_qadd = {.name = "qadd",
                          .takes_codes = 1,
                          .attrs_bytes = sizeof(ib_q_attrs),
                          .n_required = 2,
                          .shape = binary_shape,
                          .forward = binary_forward,
                          .backward = binary_backward};
const ib_op ib_op_qmul = {.name = "qmul",
                          .takes_codes = 1,
                          .attrs_bytes = sizeof(ib_q_attrs),
                          .n_required = 2,
                          .shape = binary_shape,
                          .forward = binary_forward,
                          .backward = binary_backward};

ib_tensor *ib_qadd(ib_graph *g, ib_tensor *a, ib_tensor *b, ib_act act, ib_quantizer *out)
{
    return IB_APPLY(g, &ib_op_qadd, (&(ib_q_attrs){.out = out, .act = act}), a, b);
}

ib_tensor *ib_qmul(ib_graph *g, ib_tensor *a, ib_tensor *b, ib_act act, ib_quantizer *out)
{
    return IB_APPLY(g, &ib_op_qmul, (&(ib_q_attrs){.out = out, .act = act}), a, b);
}
