/* q2_k.c - 256 elements in 16 groups: 16 bytes scale | min << 4, 64 bytes of 2-bit codes, half d, half dmin;
 * x = d scale q - dmin min. */
#include "tensor/storage.h"
#include "tensor/storage/integers.h"

RECODE(q2_k);
static const search_steps plain = {-0.5f, 0.1f, 15, 1};

ENCODE(q2_k)
{
    NO_ROW;
    uint8_t L[256], ls[16], lm[16];
    float weight[16], sum[16], scale[16], min[16], max_scale = 0, max_min = 0, d, dmin;
    const float block = importance ? mean_square(x, 256) : 0;
    for (int j = 0; j < 16; j++) {
        if (importance)
            sum[j] = weigh(16, x + 16 * j, importance + 16 * j, block, weight);
        for (int i = 0; !importance && i < 16; i++)
            weight[i] = fabsf(x[16 * j + i]);
        scale[j] = IB_STORE(search, scale_min, IB_LEVEL)(16, 3, x + 16 * j, weight, L + 16 * j, &min[j],
                                                         importance ? &by_importance : &plain);
        max_scale = scale[j] > max_scale ? scale[j] : max_scale;
        max_min = min[j] > max_min ? min[j] : max_min;
    }
    if (importance) {
        d = IB_STORE(search, positive, IB_LEVEL)(16, 15, scale, sum, ls);
        dmin = IB_STORE(search, positive, IB_LEVEL)(16, 15, min, sum, lm);
    } else {
        d = max_scale / 15.0f;
        dmin = max_min / 15.0f;
        for (int j = 0; j < 16; j++) {
            ls[j] = (uint8_t)(max_scale > 0 ? nearest(15.0f / max_scale * scale[j]) : 0);
            lm[j] = (uint8_t)(max_min > 0 ? nearest(15.0f / max_min * min[j]) : 0);
        }
    }
    put_half(b + 80, d);
    put_half(b + 82, dmin);
    for (int j = 0; j < 16; j++) {
        b[j] = (uint8_t)(ls[j] | lm[j] << 4);
        const float step = half_at(b + 80) * (float)(b[j] & 15), m = half_at(b + 82) * (float)(b[j] >> 4);
        for (int i = 16 * j; step && i < 16 * j + 16; i++)
            L[i] = (uint8_t)clamp_int(nearest((x[i] + m) / step), 0, 3);
    }
    IB_STORE(q2_k, recode, IB_LEVEL)((const int8_t *)L, b);
}

DECODE(q2_k)
{
    const float d = half_at(b + 80), m = half_at(b + 82);
    for (int j = 0; j < 16; j++) {
        const float scale = d * (float)(b[j] & 15), min = m * (float)(b[j] >> 4);
        const uint8_t *q = b + 16 + 32 * (j / 8) + 16 * (j & 1);
        const int shift = 2 * (j / 2 % 4);
        for (int i = 0; i < 16; i++)
            y[16 * j + i] = scale * (float)(q[i] >> shift & 3) - min;
    }
}

IB_INTEGERS(q2_k)
{
    y->d = half_at(b + 80);
    y->m = -half_at(b + 82);
    for (int g = 0; g < 16; g++) {
        y->scale[g] = (int8_t)(b[g] & 15);
        y->min[g] = b[g] >> 4;
    }
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 32; i++)
            y->code[32 * j + i] = (int8_t)(b[16 + 32 * (j / 4) + i] >> 2 * (j & 3) & 3);
}

RECODE(q2_k)
{
    for (int j = 0; j < 256; j += 128)
        for (int i = 0; i < 32; i++)
            b[16 + j / 4 + i] =
                (uint8_t)(code[j + i] | code[j + i + 32] << 2 | code[j + i + 64] << 4 | code[j + i + 96] << 6);
}

RESCALE(q2_k)
{
    put_half(b + 80, y->d);
    put_half(b + 82, -y->m);
    for (int j = 0; j < 16; j++)
        b[j] = (uint8_t)(y->scale[j] | y->min[j] << 4);
}
