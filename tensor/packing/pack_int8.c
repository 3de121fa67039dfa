/* pack_int8.c - one code a byte. */
#include <string.h>

#include "tensor/format.h"

void ib_pack_int8(const int8_t *codes, int64_t n, uint8_t *bytes)
{
    memcpy(bytes, codes, (size_t)n);
}

void ib_unpack_int8(const uint8_t *bytes, int64_t n, int8_t *codes)
{
    memcpy(codes, bytes, (size_t)n);
}
