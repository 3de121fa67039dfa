/* pack_int2.c - 4 codes a byte, two's complement, element 0 in the lowest bits. */
#include "tensor/format.h"

#include "base/assert.h"

void ib_pack_int2(const int8_t *codes, int64_t n, uint8_t *bytes)
{
    for (int64_t i = 0; i < n; i += 4) {
        unsigned byte = 0;
        for (int j = 0; j < 4 && i + j < n; j++) {
            IB_ASSERT(codes[i + j] >= -2 && codes[i + j] <= 1, "codes that are packed fit their bits");
            byte |= ((unsigned)codes[i + j] & 3) << (2 * j);
        }
        bytes[i / 4] = (uint8_t)byte;
    }
}

void ib_unpack_int2(const uint8_t *bytes, int64_t n, int8_t *codes)
{
    for (int64_t i = 0; i < n; i++) {
        const int v = (bytes[i / 4] >> (2 * (i % 4))) & 3;
        codes[i] = (int8_t)((v ^ 2) - 2);
    }
}
