/* attention_cached.c - rows of queries look at what a cache keeps of the rows up to each of them: online softmax over
 * blocks of keys. What runs in integers gives the same bits at every level, so this order is all levels'. */
#include <math.h>

#include "arithmetic/real.h"
#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"

/* x[dim]: group g of a row */
static void widen(const ib_kv_cache *c, const void *rows, const float *scale, int64_t row, int g, float *x)
{
    const int dim = c->dim;
    const int64_t at = (row * c->groups + g) * dim;
    if (c->int8) {
        const int8_t *q = (const int8_t *)rows + at;
        const float s = scale[row * c->groups + g];
        for (int d = 0; d < dim; d++)
            x[d] = (float)q[d] * s;
    } else {
        const uint16_t *h = (const uint16_t *)rows + at;
        for (int d = 0; d < dim; d++) { /* as half_at() in tensor/storage.h; cached values are finite */
            union {
                uint32_t u;
                float f;
            } w = {(h[d] & 0x7fffu) << 13};
            w.f *= 0x1p112f;
            w.u |= (uint32_t)(h[d] & 0x8000u) << 16;
            x[d] = w.f;
        }
    }
}

/* One head of query i. Blocks begin at multiples of TILE of the cache, whatever the query sees of the first. */
static void attend(const ib_kv_cache *c, const ib_cached_queries *a, int64_t i, int h, const float *q, float *y)
{
    const int dim = c->dim, g = h / (a->heads / c->groups);
    const int64_t from = first_cached(a, i), to = a->before + i + 1;
    const float slope = alibi_slope(a->heads, h, a->bend.alibi);
    float x[IB_MAX_HEAD_DIM], s[TILE], o[IB_MAX_HEAD_DIM] = {0}, max = -INFINITY, sum = 0;
    for (int64_t j0 = from / TILE * TILE; j0 < to; j0 += TILE) {
        const int lo = (int)ib_max64(from - j0, 0), hi = (int)ib_min64(to - j0, TILE);
        float most = max;
        for (int j = 0; j < TILE; j++)
            s[j] = -INFINITY; /* weight 0 */
        for (int j = lo; j < hi; j++) {
            widen(c, c->k, c->k_scale, j0 + j, g, x);
            s[j] = ib_dot(q, x, dim) * a->scale;
        }
        bend_scores(&a->bend, slope, j0 - (a->before + i), 1, lo, hi, s, NULL);
        for (int j = lo; j < hi; j++)
            most = s[j] > most ? s[j] : most;
        const float shrink = ib_exp(max - most);
        for (int j = 0; j < TILE; j++)
            s[j] = ib_exp(s[j] - most);
        max = most;
        sum = sum * shrink + ib_sum(s, TILE);
        for (int d = 0; d < dim; d++)
            o[d] *= shrink;
        for (int j = lo; j < hi; j++) {
            widen(c, c->v, c->v_scale, j0 + j, g, x);
            for (int d = 0; d < dim; d++)
                o[d] += s[j] * x[d];
        }
    }
    for (int d = 0; d < dim; d++)
        y[d] = o[d] / sum;
}

/* Heads that share their keys widen them again, which costs less than threads that wait. */
void IB_K(attention_cached)(ib_device *dev, const ib_kv_cache *c, const ib_cached_queries *a, const float *q, float *y)
{
    const int heads = a->heads, dim = c->dim;
    const int64_t n = a->rows * heads;
#pragma omp parallel for schedule(dynamic) if (cached_products(c, a) > IB_SERIAL)
    for (int64_t t = n - 1; t >= 0; t--) /* the longest first */
        attend(c, a, t / heads, (int)(t % heads), q + t * dim, y + t * dim);
}
