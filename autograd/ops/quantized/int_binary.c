/* int_binary.c - residual addition and multiplication of codes; saved: [0] clip mask, [1] constants. */
#include <string.h>

#include "arithmetic/requant.h"
#include "arithmetic/runtime.h"
#include "autograd/quantizer.h"

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

/* The real result before quantization. */
static float *real_result(ib_graph *g, const ib_node *n)
{
    const ib_tensor *a = n->in[0], *b = n->in[1];
    const ib_bcast flat = {{1, 1, 1, a->size}, {0}, {0}, 1};
    const ib_coded ca = ib_coded_of(a), cb = ib_coded_of(b);
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
    const ib_coded ca = ib_coded_of(a), cb = ib_coded_of(b);
    const int rounding = ib_rounding(o->out->profile);
    float *range = ib_set_codes(g, n, o->out), *top = range; /* which is read before */
    if (!range || !(n->saved[1] = ib_graph_numbers(g, is_mul(n) ? sizeof(isobit_mul) : sizeof(isobit_add))) ||
        (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(a->size + 7) / 8))))
        return IB_ENOMEM;
    if (ib_watches(g, o->out))
        K(g)->real_range(g->dev, &ca, &cb, a->size, is_mul(n), range, range + 1);
    if (ib_see(g, n, o->out, o->act, range))
        return IB_ENOMEM;
    const ib_result_codes r = ib_result_of(n, o->out, o->act);
    if (is_mul(n)) {
        isobit_mul *p = n->saved[1];
        K(g)->mul_factors(g->dev, &ca, &cb, &r, p, top, ib_site_of(g, n));
        K(g)->qmul(g->dev, p, a->size, ib_codes(a), ib_codes(b), rounding, ib_codes(n->out), n->saved[0]);
    } else {
        isobit_add *p = n->saved[1];
        K(g)->add_factors(g->dev, &ca, &cb, &r, p, top, ib_site_of(g, n));
        K(g)->qadd(g->dev, p, a->size, ib_codes(a), ib_codes(b), rounding, ib_codes(n->out), n->saved[0]);
    }
    if (n->saved[0] && o->act != IB_ACT_NONE)
        K(g)->real_passes(g->dev, &ca, &cb, a->size, is_mul(n), top, n->saved[0]);
    return IB_OK;
}

/* add: da += dz, db += dz;  mul: da += dz b, db += dz a;  dz = dy where not clamped, and inside of the activation */
static ib_status binary_backward(ib_graph *g, ib_node *n)
{
    const ib_q_attrs *o = n->attrs;
    const int64_t size = n->out->size;
    ib_status failed = IB_OK;
    float *d[2];
    for (int i = 0; i < 2; i++)
        if (is_mul(n))
            d[i] = ib_grad_of(g, n->in[i], &failed);
        else
            ib_pass_inside(g, n, n->in[i], &failed);
    if (failed)
        return failed;
    const ib_mark mark = ib_graph_mark(g);
    if (o->out->learned) {
        float *z = real_result(g, n);
        if (!z)
            return IB_ENOMEM;
        ib_learn_scale(g, n, o->out, o->act, z);
    }
    if (is_mul(n)) {
        const ib_bcast flat = {{1, 1, 1, size}, {0}, {0}, 1};
        float *dz = ib_graph_numbers(g, (size_t)size * sizeof *dz),
              *other = ib_graph_numbers(g, (size_t)size * sizeof *other);
        if (!dz || !other)
            return IB_ENOMEM;
        K(g)->where(g->dev, n->out->grad, n->saved[0], dz, size);
        for (int i = 0; i < 2; i++) {
            const ib_coded factor = ib_coded_of(n->in[1 - i]);
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
