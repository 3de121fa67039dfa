/* q6_k.c - 256 elements in 16 groups: 128 bytes of low nibbles, 64 bytes of high 2-bit parts, 16 signed scales, half d;
 * x = d scale (q - 32). */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

RECODE(q6_k);

ENCODE(q6_k)
{
    NO_ROW;
    int8_t L[256];
    float scale[16], max_scale = 0, amax = 0;
    memset(b, 0, 210);
    for (int j = 0; j < 16; j++) {
        scale[j] =
            IB_STORE(search, scale, IB_LEVEL)(16, 32, x + 16 * j, importance ? importance + 16 * j : NULL, L + 16 * j);
        if (fabsf(scale[j]) > amax) {
            amax = fabsf(scale[j]);
            max_scale = scale[j];
        }
    }
    if (amax < 1e-15f)
        return;
    const float inverse = -128.0f / max_scale;
    put_half(b + 208, 1 / inverse);
    for (int j = 0; j < 16; j++) {
        const int s = nearest(inverse * scale[j]);
        b[192 + j] = (uint8_t)(int8_t)(s < 127 ? s : 127);
        const float d = half_at(b + 208) * (float)(int8_t)b[192 + j];
        for (int i = 16 * j; i < 16 * j + 16; i++)
            L[i] = (int8_t)(d ? clamp_int(nearest(x[i] / d), -32, 31) : L[i] - 32);
    }
    IB_STORE(q6_k, recode, IB_LEVEL)(L, b);
}

DECODE(q6_k)
{
    const float d = half_at(b + 208);
    for (int j = 0; j < 8; j++) { /* 32 elements each */
        const uint8_t *low = b + 64 * (j / 4) + 32 * (j & 1), *high = b + 128 + 32 * (j / 4);
        const int shift = 4 * (j / 2 & 1), part = 2 * (j & 3);
        for (int h = 0; h < 2; h++) {
            const float s = d * (float)(int8_t)b[192 + 2 * j + h];
            for (int i = 16 * h; i < 16 * h + 16; i++)
                y[32 * j + i] = s * (float)(((low[i] >> shift & 15) | (high[i] >> part & 3) << 4) - 32);
        }
    }
}

IB_INTEGERS(q6_k)
{
    y->d = half_at(b + 208);
    y->m = 0;
    memcpy(y->scale, b + 192, 16);
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 32; i++) {
            const int low = b[64 * (j / 4) + 32 * (j & 1) + i] >> 4 * (j / 2 & 1) & 15,
                      high = b[128 + 32 * (j / 4) + i] >> 2 * (j & 3) & 3;
            y->code[32 * j + i] = (int8_t)((low | high << 4) - 32);
        }
}

RECODE(q6_k)
{
    memset(b, 0, 192);
    for (int i = 0; i < 256; i++) {
        const int l = code[i] + 32, half = i / 128, at = i % 128;
        b[64 * half + at % 64] |= (uint8_t)((l & 15) << 4 * (at / 64));
        b[128 + 32 * half + at % 32] |= (uint8_t)(l >> 4 << 2 * (at / 32));
    }
}

RESCALE(q6_k)
{
    put_half(b + 208, y->d);
    memcpy(b + 192, y->scale, 16);
}
