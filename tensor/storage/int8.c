/* int8.c - 32 codes of a row whose scale lies apart (scaled.c); x = q d. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

IB_INTEGERS(int8)
{
    y->d = 1; /* the row's */
    y->m = 0;
    y->scale[0] = y->scale[1] = 1;
    memcpy(y->code, b, 32);
}
