/* layer_rows.c - what samples put through a layer, of the fp32 network and of the rounded one. */
#include "autograd/attrs.h"
#include "base/alloc.h"
#include "ptq/networks/rounding.h"

/* Numbers of rows that are kept: of more, so many evenly. */
enum { MOST_NUMBERS = 1 << 24, LEAST_ROWS = 1024 };

ib_status ib_product_node(const ib_graph *g, const ib_step *s, ib_node *out)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const ib_op *op = g->nodes[i].op;
        if (g->nodes[i].scope == s->name && (op == s->op || op == &ib_op_qconv2d || op == &ib_op_qlinear)) {
            *out = g->nodes[i];
            return IB_OK;
        }
    }
    return ib_fail(IB_EINVAL, "layer '%s': its product did not run", s->name);
}

static ib_status window_of(const ib_node *n, const ib_step *s, ib_window *w)
{
    ib_tensor pixel = *n->in[0]; /* a row is an image of one pixel */
    if (s->op == &ib_op_linear)
        return ib_linear_window_of(n, w);
    if (pixel.ndim == 2 && ib_tensor_set_shape(&pixel, 4, (int64_t[]){pixel.shape[0], pixel.shape[1], 1, 1}))
        return ib_error_status();
    return ib_conv_window_of(n, &pixel, s->attrs, w);
}

static ib_status make_room(ib_layer_rows *r, const ib_window *w, int64_t samples)
{
    const int64_t numbers = w->ic * w->kh * w->kw + w->oc, most = MOST_NUMBERS / numbers;
    *r = (ib_layer_rows){.groups = w->groups, .cols = w->ic / w->groups * w->kh * w->kw, .outs = w->oc / w->groups};
    r->all = samples * w->oh * w->ow;
    r->rows = most < LEAST_ROWS ? LEAST_ROWS : most;
    r->rows = r->rows < r->all ? r->rows : r->all;
    r->x = ib_alloc_raw((size_t)(r->groups * r->rows * r->cols) * sizeof *r->x);
    r->z = ib_alloc_raw((size_t)(r->groups * r->rows * r->outs) * sizeof *r->z);
    return r->x && r->z ? IB_OK : IB_ENOMEM;
}

/* Where row i of all is kept, -1: it is not. */
static int64_t slot_of(const ib_layer_rows *r, int64_t i)
{
    const int64_t slot = i * r->rows / r->all;
    return (i + 1) * r->rows / r->all > slot ? slot : -1;
}

/* z [n][outs][oh][ow] of rows from `first` on */
static void keep_results(ib_layer_rows *r, const ib_window *w, const float *z, int64_t first)
{
    const int64_t area = w->oh * w->ow;
    for (int64_t i = 0; i < w->n * area; i++) {
        const int64_t slot = slot_of(r, first + i), n = i / area, at = i % area;
        for (int64_t o = 0; slot >= 0 && o < w->oc; o++)
            r->z[(o / r->outs * r->rows + slot) * r->outs + o % r->outs] = z[(n * w->oc + o) * area + at];
    }
}

/* x [n][ic][ih][iw]: row (n, y, x) of a group holds what its window covers, in the order of a weight's numbers. */
static void keep_inputs(ib_layer_rows *r, const ib_window *w, const float *x, int64_t first)
{
    const int64_t area = w->oh * w->ow;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w->n * area; i++) {
        const int64_t slot = slot_of(r, first + i), n = i / area, top = i % area / w->ow * w->sh - w->ph,
                      left = i % w->ow * w->sw - w->pw;
        for (int64_t c = 0; slot >= 0 && c < w->ic; c++) {
            const int64_t of_group = w->ic / w->groups;
            float *to = r->x + (c / of_group * r->rows + slot) * r->cols + c % of_group * w->kh * w->kw;
            const float *plane = x + (n * w->ic + c) * w->ih * w->iw;
            for (int64_t k = 0; k < w->kh * w->kw; k++) {
                const int64_t row = top + k / w->kw, col = left + k % w->kw;
                const int inside = row >= 0 && row < w->ih && col >= 0 && col < w->iw;
                to[k] = inside ? plane[row * w->iw + col] : 0;
            }
        }
    }
}

/* One batch; real: of the fp32 network. */
static ib_status read_batch(ib_layer_rows *r, const ib_rounding *k, const ib_step *s, const ib_batch *b, int64_t *first,
                            int real)
{
    ib_graph *g = k->g;
    ib_node n;
    ib_window w;
    void *copy;
    ib_graph_begin(g, IB_TRACE);
    ib_tensor *x = ib_input(g, 4, b->shape, b->x);
    if (!(real ? ib_qat_forward_real(g, k->net, x) : ib_layer_forward(g, k->net, x)) || ib_product_node(g, s, &n) ||
        window_of(&n, s, &w))
        return ib_error_status();
    if (!r->x && make_room(r, &w, k->samples))
        return IB_ENOMEM;
    const ib_tensor *of = real ? n.out : n.in[0]->dtype == IB_CODES ? ib_dequantize(g, n.in[0]) : n.in[0];
    const float *values = of ? ib_tensor_look(of, &copy) : NULL;
    if (!values)
        return ib_error_status();
    (real ? keep_results : keep_inputs)(r, &w, values, *first);
    ib_free(copy);
    *first += w.n * w.oh * w.ow;
    return IB_OK;
}

static ib_status read_all(ib_layer_rows *r, const ib_rounding *k, const ib_step *s, int real)
{
    int64_t first = 0;
    ib_batch b;
    ib_status status = ib_loader_start(k->loader, 0, 0);
    while (!status && ib_loader_next(k->loader, &b))
        if (!(status = ib_plan_check_batch(k->net, &b, "ib_qat_round")))
            status = read_batch(r, k, s, &b, &first, real);
    return status ? status : ib_loader_status(k->loader);
}

ib_status ib_layer_rows_read(ib_layer_rows *r, const ib_rounding *k, const ib_step *s)
{
    ib_net_values now;
    *r = (ib_layer_rows){0};
    ib_status status = ib_net_values_take(&now, k->net);
    if (status)
        return status;
    status = ib_net_values_put(&k->real);
    if (!status)
        status = read_all(r, k, s, 1);
    const ib_status back = ib_net_values_put(&now);
    ib_net_values_release(&now);
    if (!status && !(status = back))
        status = read_all(r, k, s, 0);
    if (status)
        ib_layer_rows_release(r);
    return status;
}

void ib_layer_rows_release(ib_layer_rows *r)
{
    ib_free(r->x);
    ib_free(r->z);
    *r = (ib_layer_rows){0};
}
