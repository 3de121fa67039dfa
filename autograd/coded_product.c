/* coded_product.c - see coded_product.h */
#include "autograd/coded_product.h"

#include "backends/formulas/row_codes.h"

ib_status ib_coded_product(ib_graph *g, const ib_node *n, const ib_matrix *w, int64_t rows, const float *x, float *y)
{
    const int block = ib_matrix_integer_block(w);
    const int64_t cols = ib_matrix_cols(w), size = rows * cols;
    const ib_mark mark = ib_graph_mark(g);
    const ib_row_codes c = {.block = block,
                            .codes = ib_graph_numbers(g, (size_t)size),
                            .scale = ib_graph_numbers(g, (size_t)(size / block) * sizeof(float)),
                            .sums = ib_graph_numbers(g, (size_t)(size / IB_ROW_GROUP) * sizeof(int16_t))};
    if (!c.codes || !c.scale || !c.sums)
        return IB_ENOMEM;
    K(g)->code_rows(g->dev, x, rows, cols, &c, ib_site_of(g, n));
    K(g)->coded_mul(g->dev, w, rows, &c, y);
    ib_graph_release(g, mark);
    return IB_OK;
}
