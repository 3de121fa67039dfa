/* coded_product.h - products with frozen matrices in integers, for the operators that have them. */
#ifndef IB_AUTOGRAD_CODED_PRODUCT_H
#define IB_AUTOGRAD_CODED_PRODUCT_H

#include "autograd/op.h"

/* What can be multiplied so; elsewhere products of operators that are asked for integers are made in fp32. */
static inline int ib_is_coded(const ib_matrix *w)
{
    return ib_matrix_integer_block(w) != 0;
}

/* y[rows][out] = x[rows][in] w', with x's rows as codes (backends/formulas/row_codes.h); n reports rows that are not
 * finite. */
ib_status ib_coded_product(ib_graph *g, const ib_node *n, const ib_matrix *w, int64_t rows, const float *x, float *y);

/* As ib_language_loss of a frozen head, whose product is made in integers if it can be; there is no gradient. */
ib_tensor *ib_language_loss_in_integers(ib_graph *g, ib_tensor *x, const ib_matrix *head, const int32_t *target,
                                        float scale, float *nll);

#endif
