/* q3_k.c - 256 elements in 16 groups: 32 bytes of high bits, 64 bytes of low 2-bit codes, 16 6-bit scales in 12 bytes,
 * half d; x = d (scale - 32) (q - 4). */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

/* x ~ scale * L, L in -4..3: least squares weighted by x^2, then up to five rounds that move single codes. */
static float group(const float *x, int8_t *L)
{
    float max = 0, amax = 0, xl = 0, l2 = 0;
    for (int i = 0; i < 16; i++)
        if (fabsf(x[i]) > amax) {
            amax = fabsf(x[i]);
            max = x[i];
        }
    memset(L, 0, 16);
    if (amax < 1e-15f)
        return 0;
    const float inverse = -4.0f / max;
    for (int i = 0; i < 16; i++) {
        const float w = x[i] * x[i];
        L[i] = (int8_t)clamp_int(nearest(inverse * x[i]), -4, 3);
        xl += w * x[i] * (float)L[i];
        l2 += w * (float)L[i] * (float)L[i];
    }
    for (int round = 0, changed = 1; round < 5 && changed; round++) {
        changed = 0;
        for (int i = 0; i < 16; i++) {
            const float w = x[i] * x[i];
            float others_xl = xl - w * x[i] * (float)L[i];
            if (!(others_xl > 0))
                continue;
            float others_l2 = l2 - w * (float)L[i] * (float)L[i];
            const int l = clamp_int(nearest(x[i] * others_l2 / others_xl), -4, 3);
            if (l == L[i])
                continue;
            others_xl += w * x[i] * (float)l;
            others_l2 += w * (float)l * (float)l;
            if (others_l2 > 0 && others_xl * others_xl * l2 > xl * xl * others_l2) {
                L[i] = (int8_t)l;
                xl = others_xl;
                l2 = others_l2;
                changed = 1;
            }
        }
    }
    for (int i = 0; i < 16; i++)
        L[i] = (int8_t)(L[i] + 4);
    return l2 > 0 ? xl / l2 : 0;
}

static int scale_of(const uint8_t *s, int j) /* s: the 12 bytes */
{
    return ((j < 8 ? s[j] & 15 : s[j - 8] >> 4) | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

static void put_scale(uint8_t *s, int j, int scale) /* scale: 0..63; the 12 bytes were 0 */
{
    s[j % 8] |= (uint8_t)((scale & 15) << (j < 8 ? 0 : 4));
    s[8 + j % 4] |= (uint8_t)(scale >> 4 << 2 * (j / 4));
}

RECODE(q3_k);

ENCODE(q3_k)
{
    NO_ROW;
    int8_t L[256], ls[16];
    float scale[16], weight[16], sum[16], max_scale = 0, amax = 0;
    const float block = importance ? 2 * mean_square(x, 256) : 0;
    for (int j = 0; j < 16; j++) {
        if (importance) {
            sum[j] = weigh(16, x + 16 * j, importance + 16 * j, block, weight);
            scale[j] = IB_STORE(search, scale, IB_LEVEL)(16, 4, x + 16 * j, weight, L + 16 * j);
        } else {
            scale[j] = group(x + 16 * j, L + 16 * j);
        }
        if (fabsf(scale[j]) > amax) {
            amax = fabsf(scale[j]);
            max_scale = scale[j];
        }
    }
    memset(b, 0, 110);
    if (importance) {
        put_half(b + 108, IB_STORE(search, scale, IB_LEVEL)(16, 32, scale, sum, ls));
    } else if (max_scale) {
        const float inverse = -32.0f / max_scale;
        for (int j = 0; j < 16; j++)
            ls[j] = (int8_t)(clamp_int(nearest(inverse * scale[j]), -32, 31) + 32);
        put_half(b + 108, 1 / inverse);
    } else {
        memset(ls, 0, sizeof ls);
    }
    for (int j = 0; j < 16; j++) {
        put_scale(b + 96, j, ls[j]);
        const float d = half_at(b + 108) * (float)(ls[j] - 32);
        for (int i = 16 * j; i < 16 * j + 16; i++)
            L[i] = (int8_t)(d ? clamp_int(nearest(x[i] / d), -4, 3) : L[i] - 4);
    }
    IB_STORE(q3_k, recode, IB_LEVEL)(L, b);
}

DECODE(q3_k)
{
    const float d = half_at(b + 108);
    for (int j = 0; j < 16; j++) {
        const float scale = d * (float)scale_of(b + 96, j);
        const uint8_t *q = b + 32 + 32 * (j / 8) + 16 * (j & 1), *high = b + 16 * (j & 1);
        const int shift = 2 * (j / 2 % 4), bit = j / 2;
        for (int i = 0; i < 16; i++)
            y[16 * j + i] = scale * (float)((q[i] >> shift & 3) - (high[i] >> bit & 1 ? 0 : 4));
    }
}

IB_INTEGERS(q3_k)
{
    y->d = half_at(b + 108);
    y->m = 0;
    for (int g = 0; g < 16; g++)
        y->scale[g] = (int8_t)scale_of(b + 96, g);
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 32; i++)
            y->code[32 * j + i] = (int8_t)(((b[32 + 32 * (j / 4) + i] >> 2 * (j & 3) & 3) | (b[i] >> j & 1) << 2) - 4);
}

RECODE(q3_k)
{
    memset(b, 0, 96);
    for (int i = 0; i < 256; i++) {
        const int l = code[i] + 4;
        b[i % 32] |= (uint8_t)(l >> 2 << i / 32);
        b[32 + i / 128 * 32 + i % 32] |= (uint8_t)((l & 3) << 2 * (i / 32 % 4));
    }
}

RESCALE(q3_k)
{
    put_half(b + 108, y->d);
    memset(b + 96, 0, 12);
    for (int j = 0; j < 16; j++)
        put_scale(b + 96, j, y->scale[j] + 32);
}
