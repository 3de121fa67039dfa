/* embedding.c - rows of a table: y[n] = scale table[ids[n]]; the table is learned or frozen. */
#include <math.h>

#include "autograd/op.h"
#include "base/argument.h"

typedef struct embedding_attrs {
    const ib_matrix *table; /* frozen, or NULL: the input */
    const int32_t *ids;     /* the host's; saved[0]: the device's, where the table is learned */
    int64_t n, rows, cols;
    float scale;
} embedding_attrs;

static ib_status embedding_shape(ib_node *n, ib_tensor *out)
{
    const embedding_attrs *a = n->attrs;
    for (int64_t i = 0; i < a->n; i++)
        if (a->ids[i] < 0 || a->ids[i] >= a->rows)
            return ib_op_fail(n, "ids: token %d at %lld, but there are %lld", a->ids[i], (long long)i,
                              (long long)a->rows);
    return ib_tensor_set_shape(out, 2, (int64_t[]){a->n, a->cols});
}

static ib_status embedding_forward(ib_graph *g, ib_node *n)
{
    const embedding_attrs *a = n->attrs;
    const ib_mark mark = ib_graph_mark(g);
    int32_t *ids = ib_graph_uploaded(g, a->ids, (size_t)a->n * sizeof *ids);
    if (!ids)
        return IB_ENOMEM;
    const ib_matrix *table = a->table ? a->table : ib_graph_matrix(g, a->rows, a->cols, ib_f32(n->in[0]));
    if (!table)
        return IB_ENOMEM;
    K(g)->decode_rows(g->dev, table, ids, a->n, a->scale, ib_f32(n->out));
    if (a->table)
        ib_graph_release(g, mark);
    else
        n->saved[0] = ids;
    return IB_OK;
}

/* dtable[ids[n]] += scale dy[n] */
static ib_status embedding_backward(ib_graph *g, ib_node *n)
{
    const embedding_attrs *a = n->attrs;
    ib_status failed = IB_OK;
    float *dt = ib_grad_of(g, n->in[0], &failed);
    if (dt)
        K(g)->add_to_rows(g->dev, n->saved[0], a->n, a->cols, n->out->grad, a->scale, dt);
    return failed;
}

static const int32_t sample_ids[] = {2, 0, 2, 1};
static ib_tensor *embedding_sample(ib_graph *g, ib_tensor **in)
{
    return ib_embedding(g, in[0], sample_ids, 4, 0.5f);
}

const ib_op ib_op_embedding = {
    .name = "embedding",
    .inputs = "table",
    .attrs_bytes = sizeof(embedding_attrs),
    .shape = embedding_shape,
    .forward = embedding_forward,
    .backward = embedding_backward,
    .samples = (const ib_sample[]){{"repeated token", 1, {{2, {3, 5}, -1, 1}}, embedding_sample, 0}, {0}}};

ib_tensor *ib_embedding(ib_graph *g, ib_tensor *table, const int32_t *ids, int64_t n, float scale)
{
    IB_GIVEN(table);
    IB_NEED_OR(ids, NULL);
    IB_TAKE_OR(table, table->ndim == 2, NULL, "has %d dimensions, not 2", table->ndim);
    IB_TAKE_OR(n, n > 0, NULL, "is %lld", (long long)n);
    IB_TAKE_OR(scale, isfinite(scale), NULL, "is %g", scale);
    return IB_APPLY(g, &ib_op_embedding, (&(embedding_attrs){NULL, ids, n, table->shape[0], table->shape[1], scale}),
                    table);
}

ib_tensor *ib_embedding_frozen(ib_graph *g, const ib_matrix *table, const int32_t *ids, int64_t n, float scale)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(table, NULL);
    IB_NEED_OR(ids, NULL);
    IB_TAKE_OR(n, n > 0, NULL, "is %lld", (long long)n);
    IB_TAKE_OR(scale, isfinite(scale), NULL, "is %g", scale);
    if (!(table = ib_matrix_on(table, g->dev)))
        return NULL;
    return IB_APPLY(g, &ib_op_embedding,
                    (&(embedding_attrs){table, ids, n, ib_matrix_rows(table), ib_matrix_cols(table), scale}), NULL);
}
