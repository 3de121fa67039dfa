/* nf4.c - 64 elements that choose from 16 fp32 values, whose scale lies apart (scaled.c); x = code[q] absmax. In whole
 * numbers: value[q] / 15684, of which no code is further than 1.57e-5; of the denominators that sums of products have
 * room for the best (127: 3.7e-3). */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

static const int16_t value[16] = {-15684, -10919, -8235, -6194, -4461, -2898, -1428, 0,
                                  1248,   2524,   3860,  5300,  6912,  8824,  11339, 15684};

IB_INTEGERS(nf4)
{
    take_wide(b, value, 1.0f / 15684.0f, y);
}

IB_INTEGERS(nf4_dq)
{
    IB_STORE(nf4, integers, IB_LEVEL)(b, y);
}
