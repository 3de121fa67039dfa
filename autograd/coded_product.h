/* coded_product.h - products with frozen matrices in integers, for the operators that have them. */
#ifndef IB_AUTOGRAD_CODED_PRODUCT_H
#define IB_AUTOGRAD_CODED_PRODUCT_H

#include "autograd/op.h"

/* What can be multiplied so; elsewhere products of operators that are asked for integers are made in fp32. */
static inline int ib_is_coded(const ib_matrix *w)
{
    return ib_matrix_integer_block(w) != 0;
}

/* The codes of rows, for products that read the same ones one behind the other, as those of queries, keys and values:
 * the first product that wants blocks of a size makes them. All 0 at first; no longer there than what the graph's
 * arena holds at that product. */
enum { IB_ROW_BLOCKS = 3 }; /* sizes that blocks have: 32, 64, 256 */
typedef struct ib_shared_codes {
    const float *x;
    ib_row_codes of[IB_ROW_BLOCKS]; /* block 0: none yet */
} ib_shared_codes;
typedef struct ib_coded_rows {
    int64_t rows, cols;
    const float *x; /* [rows][cols] */
    ib_shared_codes *shared;
} ib_coded_rows;

/* y[rows][out] = x[rows][in] w', with x's rows as codes (backends/formulas/row_codes.h); n reports rows that are not
 * finite. */
ib_status ib_coded_product(ib_graph *g, const ib_node *n, const ib_matrix *w, const ib_coded_rows *x, float *y);

/* As ib_lora_linear; its codes of x are those of `shared` (NULL: its own), which is not read behind this call. */
ib_tensor *ib_lora_linear_sharing(ib_graph *g, ib_tensor *x, const ib_matrix *w, ib_tensor *bias,
                                  const ib_lora_opts *opts, ib_shared_codes *shared);

/* ib_language_loss, of a frozen head or w, with more to say. */
typedef struct ib_language_loss_opts {
    const ib_matrix *head; /* or NULL: w */
    const int32_t *target;
    float scale;
    float *nll;  /* or NULL */
    int integer; /* a frozen head's product is made in integers if it can be; there is no gradient */
    float cap;   /* logits l become cap tanh(l / cap); 0: they stay */
} ib_language_loss_opts;
ib_tensor *ib_language_loss_with(ib_graph *g, ib_tensor *x, ib_tensor *w, const ib_language_loss_opts *o);

#endif
