/* iq4_values.h - inside the library: the 16 values that codes of ggml's IQ4 formats choose from (ggml-common.h). */
#ifndef IB_TENSOR_STORAGE_IQ4_VALUES_H
#define IB_TENSOR_STORAGE_IQ4_VALUES_H

#include <stdint.h>

static const int8_t ib_iq4_value[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* Of the nearest; of two equally near ones the larger. */
static inline int ib_iq4_index(float x)
{
    if (x <= ib_iq4_value[0])
        return 0;
    if (x >= ib_iq4_value[15])
        return 15;
    int up = 1;
    while (x >= ib_iq4_value[up])
        up++;
    return x - ib_iq4_value[up - 1] < ib_iq4_value[up] - x ? up - 1 : up;
}

#endif
