/* fp4.c - 64 elements of a sign and 3 bits, whose scale lies apart (scaled.c); x = code[q] absmax. The codes are
 * multiples of 1/192: 0, 1/192, 2/3, 1, 1/3, 1/2, 1/6, 1/4. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

static const int16_t value[16] = {0, 1, 128, 192, 64, 96, 32, 48, 0, -1, -128, -192, -64, -96, -32, -48};

IB_INTEGERS(fp4)
{
    take_wide(b, value, 1.0f / 192.0f, y);
}

IB_INTEGERS(fp4_dq)
{
    IB_STORE(fp4, integers, IB_LEVEL)(b, y);
}
