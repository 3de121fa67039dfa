/* iq4_xs.c - 256 elements in 8 groups: half d, 2 bytes with two high bits of each scale, 4 bytes of their low nibbles,
 * 128 bytes of nibbles that choose from 16 fixed values; x = d (scale - 32) value[q]. */
#include "tensor/storage/integers.h"
#include "tensor/storage/iq4_search.h"

static inline int scale_of(const uint8_t *b, int j)
{
    return ((b[4 + j / 2] >> 4 * (j & 1) & 15) | (b[2 + j / 4] >> 2 * (j & 3) & 3) << 4) - 32;
}

ENCODE(iq4_xs)
{
    NO_ROW;
    float scale[8], max = 0;
    const float twice = 2 * mean_square(x, 256);
    memset(b, 0, 8);
    for (int j = 0; j < 8; j++) {
        scale[j] = iq4_scale(x + 32 * j, importance ? importance + 32 * j : NULL, twice);
        max = fabsf(scale[j]) > fabsf(max) ? scale[j] : max;
    }
    const float d = -max / 32, id = inverse(d);
    put_half(b, d);
    for (int j = 0; j < 8; j++) { /* codes by the scale that d in fp32 gives, as ggml's reference has them */
        const int s = clamp_int(nearest(id * scale[j]), -32, 31);
        b[2 + j / 4] |= (uint8_t)((s + 32) >> 4 << 2 * (j & 3));
        b[4 + j / 2] |= (uint8_t)(((s + 32) & 15) << 4 * (j & 1));
        iq4_put(x + 32 * j, inverse(d * (float)s), b + 8 + 16 * j);
    }
}

DECODE(iq4_xs)
{
    const float d = half_at(b);
    for (int j = 0; j < 8; j++) {
        const float s = d * (float)scale_of(b, j);
        for (int i = 0; i < 16; i++) {
            y[32 * j + i] = s * (float)ib_iq4_value[b[8 + 16 * j + i] & 15];
            y[32 * j + i + 16] = s * (float)ib_iq4_value[b[8 + 16 * j + i] >> 4];
        }
    }
}

IB_INTEGERS(iq4_xs)
{
    y->d = half_at(b);
    y->m = 0;
    for (int j = 0; j < 8; j++) {
        y->scale[2 * j] = y->scale[2 * j + 1] = (int8_t)scale_of(b, j);
        for (int i = 0; i < 16; i++) {
            y->code[32 * j + i] = ib_iq4_value[b[8 + 16 * j + i] & 15];
            y->code[32 * j + i + 16] = ib_iq4_value[b[8 + 16 * j + i] >> 4];
        }
    }
}
