/* rotary.c - rotary positions: pairs of each head turn by the position's angles. */
#include "backends/cpu/level.h"

/* (a, b) becomes (a cos - b sin, a sin + b cos) for each pair (a, b) of each head. The difference is written as a sum
 * with -sin: differences and sums in turns GCC 12 fuses with their products (vfmaddsub) although contraction is off. */
void IB_K(rope)(ib_device *dev, const ib_rotation *r, int64_t rows, const float *x, float sign, int add, float *y)
{
    const int heads = r->heads, dim = r->dim, rotated = r->rotated, pairs = r->pairs, half = rotated / 2;
    const int32_t *pos = r->pos;
    const float *table = r->table, minus = -sign;
#pragma omp parallel for schedule(static) if (rows * heads * dim > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        const float *t = table + (int64_t)pos[i] * rotated;
        for (int h = 0; h < heads; h++) {
            const float *a = x + (i * heads + h) * dim;
            float *b = y + (i * heads + h) * dim;
            for (int j = 0; j < half; j++) {
                const int u = pairs ? 2 * j : j, v = pairs ? 2 * j + 1 : j + half;
                const float c = t[2 * j], s = sign * t[2 * j + 1], n = minus * t[2 * j + 1];
                const float p = a[u] * c + a[v] * n, q = a[v] * c + a[u] * s;
                b[u] = add ? b[u] + p : p;
                b[v] = add ? b[v] + q : q;
            }
            for (int j = rotated; j < dim; j++)
                b[j] = add ? b[j] + a[j] : a[j];
        }
    }
}
