/* tq1_0.c - 256 elements: 52 bytes of digits to base 3, half d; x = d (digit - 1).
 *
 * A byte is a fraction of 256 with five digits, ceil(256 n / 243) of the number n that they make: digit k is the whole
 * part of 3 (3^k byte mod 256) / 256. Digit k of byte i is element 32 k + i of the first 160 (bytes 0 .. 31), element
 * 16 k + i of the next 80 (bytes 32 .. 47), and element 4 k + i of the last 16 (bytes 48 .. 51, of four digits). */
#include "tensor/storage/ternary.h"

static const struct part {
    int byte, bytes, element, digits;
} part[3] = {{0, 32, 0, 5}, {32, 16, 160, 5}, {48, 4, 240, 4}};

static inline void digits_of(const uint8_t *restrict b, uint8_t *restrict q)
{
    static const uint8_t power[5] = {1, 3, 9, 27, 81};
    for (int p = 0; p < 3; p++)
        for (int k = 0; k < part[p].digits; k++)
            for (int i = 0; i < part[p].bytes; i++)
                q[part[p].element + part[p].bytes * k + i] =
                    (uint8_t)((uint8_t)(b[part[p].byte + i] * power[k]) * 3 >> 8);
}

ENCODE(tq1_0)
{
    UNWEIGHTED;
    uint8_t q[256];
    put_half(b + 52, ternary_codes(x, q));
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < part[p].bytes; i++) {
            int n = 0;
            for (int k = 0; k < 5; k++)
                n = 3 * n + (k < part[p].digits ? q[part[p].element + part[p].bytes * k + i] : 0);
            b[part[p].byte + i] = (uint8_t)((n * 256 + 242) / 243);
        }
}

DECODE(tq1_0)
{
    const float d = half_at(b + 52);
    uint8_t q[256];
    digits_of(b, q);
    for (int i = 0; i < 256; i++)
        y[i] = (float)(q[i] - 1) * d;
}

IB_INTEGERS(tq1_0)
{
    uint8_t q[256];
    digits_of(b, q);
    ternary_integers(half_at(b + 52), q, y);
}
