/* product.c - linear and matmul. */
#include "autograd/op.h"

ib_status ib_linear_window_of(const ib_node *n, ib_window *s)
{
    const ib_tensor *x = n->in[0], *w = n->in[1], *b = n->in[2];
    char sx[64], sw[64];
    *s = ib_window_of_rows(x->shape[0], x->shape[1], w->shape[0]);
    if (x->ndim != 2 || w->ndim != 2 || x->shape[1] != w->shape[1])
        return ib_op_fail(n, "%s x %s': inner sizes differ", ib_tensor_shape_text(x, sx, sizeof sx),
                          ib_tensor_shape_text(w, sw, sizeof sw));
    if (b && b->size != w->shape[0])
        return ib_op_fail(n, "bias has %lld elements for %lld outputs", (long long)b->size, (long long)w->shape[0]);
    return IB_OK;
}

/* y[N,O] = x[N,K] w[O,K]' + b[O] */
static ib_status linear_shape(ib_node *n, ib_tensor *out)
{
    ib_window s;
    const ib_status status = ib_linear_window_of(n, &s);
    return status ? status : ib_tensor_set_shape(out, 2, (int64_t[]){s.n, s.oc});
}

static ib_status linear_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0], *w = n->in[1], *b = n->in[2];
    const int64_t rows = x->shape[0], k = x->shape[1], out = w->shape[0];
    K(g)->gemm(g->dev, 0, 1, rows, out, k, ib_f32(x), ib_f32(w), 0.0f, ib_f32(n->out));
    if (b)
        K(g)->add_rows(g->dev, ib_f32(n->out), ib_f32(b), rows, out);
    return IB_OK;
}

/* dx += dy w    dw += dy' x    db += sum of rows of dy */
static ib_status linear_backward(ib_graph *g, ib_node *n)
{
    ib_tensor *x = n->in[0], *w = n->in[1], *b = n->in[2];
    const int64_t rows = x->shape[0], k = x->shape[1], out = w->shape[0];
    const float *dy = n->out->grad;
    ib_status failed = IB_OK;
    int fresh_x, fresh_w;
    float *dx = ib_grad_fresh(g, x, &fresh_x, &failed), *dw = ib_grad_fresh(g, w, &fresh_w, &failed),
          *db = ib_grad_of(g, b, &failed);
    if (dx)
        K(g)->gemm(g->dev, 0, 0, rows, k, out, dy, ib_f32(w), fresh_x ? 0.0f : 1.0f, dx);
    if (dw)
        K(g)->gemm(g->dev, 1, 0, out, k, rows, dy, ib_f32(x), fresh_w ? 0.0f : 1.0f, dw);
    if (db)
        K(g)->col_sum(g->dev, dy, rows, out, db);
    return failed;
}

static ib_tensor *linear_sample(ib_graph *g, ib_tensor **in)
{
    return ib_linear(g, in[0], in[1], in[2]);
}

const ib_op ib_op_linear = {
    .name = "linear",
    .inputs = "x w b",
    .n_required = 2,
    .shape = linear_shape,
    .forward = linear_forward,
    .backward = linear_backward,
    .samples =
        (const ib_sample[]){{"bias", 3, {{2, {3, 5}, -1, 1}, {2, {4, 5}, -1, 1}, {1, {4}, -1, 1}}, linear_sample, 0},
                            {"one row", 3, {{2, {1, 7}, -1, 1}, {2, {5, 7}, -1, 1}, {1, {5}, -1, 1}}, linear_sample, 0},
                            {0}}};

ib_tensor *ib_linear(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b)
{
    return IB_APPLY(g, &ib_op_linear, NULL, x, w, b);
}

/* y[M,N] = a[M,K] b[K,N] */
static ib_status matmul_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *a = n->in[0], *b = n->in[1];
    char sa[64], sb[64];
    if (a->ndim != 2 || b->ndim != 2 || a->shape[1] != b->shape[0])
        return ib_op_fail(n, "%s x %s: inner sizes differ", ib_tensor_shape_text(a, sa, sizeof sa),
                          ib_tensor_shape_text(b, sb, sizeof sb));
    return ib_tensor_set_shape(out, 2, (int64_t[]){a->shape[0], b->shape[1]});
}

static ib_status matmul_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *a = n->in[0], *b = n->in[1];
    K(g)->gemm(g->dev, 0, 0, a->shape[0], b->shape[1], a->shape[1], ib_f32(a), ib_f32(b), 0.0f, ib_f32(n->out));
    return IB_OK;
}

/* da += dy b'    db += a' dy */
static ib_status matmul_backward(ib_graph *g, ib_node *n)
{
    ib_tensor *a = n->in[0], *b = n->in[1];
    ib_status failed = IB_OK;
    float *da = ib_grad_of(g, a, &failed), *db = ib_grad_of(g, b, &failed);
    if (da)
        K(g)->gemm(g->dev, 0, 1, a->shape[0], a->shape[1], b->shape[1], n->out->grad, ib_f32(b), 1.0f, da);
    if (db)
        K(g)->gemm(g->dev, 1, 0, b->shape[0], b->shape[1], a->shape[0], ib_f32(a), n->out->grad, 1.0f, db);
    return failed;
}

static ib_tensor *matmul_sample(ib_graph *g, ib_tensor **in)
{
    return ib_matmul(g, in[0], in[1]);
}

const ib_op ib_op_matmul = {
    .name = "matmul",
    .inputs = "a b",
    .n_required = 2,
    .shape = matmul_shape,
    .forward = matmul_forward,
    .backward = matmul_backward,
    .samples = (const ib_sample[]){{"3x4x2", 2, {{2, {3, 4}, -1, 1}, {2, {4, 2}, -1, 1}}, matmul_sample, 0}, {0}}};

ib_tensor *ib_matmul(ib_graph *g, ib_tensor *a, ib_tensor *b)
{
    return IB_APPLY(g, &ib_op_matmul, NULL, a, b);
}
