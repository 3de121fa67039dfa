/* iq4_nl.c - 32 elements: half d, 16 bytes of nibbles that choose from 16 fixed values; x = ib_iq4_value[q] d. */
#include "tensor/storage/integers.h"
#include "tensor/storage/iq4_search.h"

ENCODE(iq4_nl)
{
    NO_ROW;
    const float d = iq4_scale(x, importance, 2 * mean_square(x, 32));
    put_half(b, d);
    iq4_put(x, inverse(d), b + 2);
}

DECODE(iq4_nl)
{
    const float d = half_at(b);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)ib_iq4_value[b[2 + j] & 15];
        y[j + 16] = d * (float)ib_iq4_value[b[2 + j] >> 4];
    }
}

IB_INTEGERS(iq4_nl)
{
    y->d = half_at(b);
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    for (int j = 0; j < 16; j++) {
        y->code[j] = ib_iq4_value[b[2 + j] & 15];
        y->code[j + 16] = ib_iq4_value[b[2 + j] >> 4];
    }
}

RECODE(iq4_nl)
{
    for (int j = 0; j < 16; j++)
        b[2 + j] = (uint8_t)(ib_iq4_index(code[j]) | ib_iq4_index(code[j + 16]) << 4);
}

RESCALE(iq4_nl)
{
    put_half(b, y->d);
}
