/* code_rows.h - rows of fp32 as codes, by a level's code_block: as ib_code_block, of finite values alone; 0: they are
 * not, and what lies below says where. */
#ifndef IB_BACKENDS_CPU_CODE_ROWS_H
#define IB_BACKENDS_CPU_CODE_ROWS_H

#include "backends/cpu/level.h"
#include "backends/formulas/row_codes.h"

enum { MOST_GROUPS = 256 / IB_ROW_GROUP }; /* of a block */

static int code_block(const float *x, int block, int8_t *codes, float *scale, int16_t *multiple, int16_t *sums);

static void code_rows(ib_device *dev, const float *x, int64_t n, int64_t cols, const ib_row_codes *c, ib_site at)
{
    const int block = c->block, groups = block / IB_ROW_GROUP;
    const int64_t blocks = n * cols / block;
    int all_finite = 1;
#pragma omp parallel for schedule(static) reduction(&& : all_finite) if (n * cols > IB_SERIAL)
    for (int64_t b = 0; b < blocks; b++)
        all_finite = code_block(x + b * block, block, c->codes + b * block, c->scale + b, c->multiple + b * groups,
                                c->sums + b * groups) &&
                     all_finite;
    if (!all_finite)
        IB_BELOW(code_rows)(dev, x, n, cols, c, at);
}

#endif
