/* pack_int4.c - 2 codes a byte, two's complement, element 0 in the lowest bits. */
#include "tensor/format.h"

#include "base/assert.h"

void ib_pack_int4(const int8_t *codes, int64_t n, uint8_t *bytes)
{
    for (int64_t i = 0; i < n; i += 2) {
        unsigned byte = 0;
        for (int j = 0; j < 2 && i + j < n; j++) {
            IB_ASSERT(codes[i + j] >= -8 && codes[i + j] <= 7, "codes that are packed fit their bits");
            byte |= ((unsigned)codes[i + j] & 15) << (4 * j);
        }
        bytes[i / 2] = (uint8_t)byte;
    }
}

void ib_unpack_int4(const uint8_t *bytes, int64_t n, int8_t *codes)
{
    for (int64_t i = 0; i < n; i++) {
        const int v = (bytes[i / 2] >> (4 * (i % 2))) & 15;
        codes[i] = (int8_t)((v ^ 8) - 8);
    }
}
