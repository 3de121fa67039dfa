/* coded_product.c - see coded_product.h */
#include "autograd/coded_product.h"

#include "backends/formulas/row_codes.h"
#include "base/assert.h"

/* The codes of x[rows][cols] in such blocks, made if they are not there; NULL if memory is out. */
static const ib_row_codes *codes_of(ib_graph *g, const ib_node *n, int block, const ib_coded_rows *x)
{
    ib_row_codes *c = x->shared->of;
    IB_ASSERT(!x->shared->x || x->shared->x == x->x, "codes that products share are of the same rows");
    while (c->block && c->block != block)
        c++;
    IB_ASSERT(c < x->shared->of + IB_ROW_BLOCKS, "rows are coded in blocks of a few sizes");
    if (c->block)
        return c;
    const size_t size = (size_t)(x->rows * x->cols);
    const ib_row_codes made = {.block = block,
                               .codes = ib_graph_numbers(g, size),
                               .scale = ib_graph_numbers(g, size / (size_t)block * sizeof(float)),
                               .multiple = ib_graph_numbers(g, size / IB_ROW_GROUP * sizeof(int16_t)),
                               .sums = ib_graph_numbers(g, size / IB_ROW_GROUP * sizeof(int16_t))};
    if (!made.codes || !made.scale || !made.multiple || !made.sums)
        return NULL;
    K(g)->code_rows(g->dev, x->x, x->rows, x->cols, &made, ib_site_of(g, n));
    x->shared->x = x->x;
    *c = made;
    return c;
}

ib_status ib_coded_product(ib_graph *g, const ib_node *n, const ib_matrix *w, const ib_coded_rows *x, float *y)
{
    const ib_row_codes *c = codes_of(g, n, ib_matrix_integer_block(w), x);
    if (!c)
        return IB_ENOMEM;
    K(g)->coded_mul(g->dev, w, x->rows, c, y);
    return IB_OK;
}
